"""What one training step minimises (paper sec. 1.2.2, 2.6); the loop around it is in `training/`.

A batch is a dictionary of float tensors, as `conditions.network_inputs` makes them for one case:

    volume          (B, 1, N, N, N)  the true vessels, occupancy in [0, 1]
    backprojection  (B, 1, N, N, N)  in [0, 1]
    views           (B, P, K, K)     in [0, 1]
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from ...cube_networks import vessel_loss
from ...samplers import prediction_target
from .network import NoisePredictor3D
from .recipe import Recipe

__all__ = ["LEARNING_RATE", "DiffusionTraining"]

LEARNING_RATE = 1e-5
"""Of Adam, in the paper."""


class DiffusionTraining(nn.Module):
    """The network with its loss: mean squared error of what the recipe says is predicted, the noise by default.

    Networks that answer with logits of the vessels have cross-entropy + soft Dice instead: where few voxels are
    vessel, the squared error hardly depends on them.

    Volumes are not rescaled: 0 is empty and 1 is vessel in the diffusion too, as in the paper.

    Args:
        recipe: what is trained; saved with the weights.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.recipe = recipe
        self.network = NoisePredictor3D(recipe.network)
        for module in self.network.modules():
            if isinstance(module, nn.Dropout) and module.p > 0:  # those of the temporal convolutions
                module.p = recipe.dropout
        self.scheduler = recipe.noise_schedule.ddim()

    def loss(self, batch: Mapping[str, Tensor], generator: torch.Generator) -> Tensor:
        """Return the loss (scalar) of one batch; all chance comes from `generator` (on the CPU).

        Each case gets a time step of its own and, independently, loses its condition with the recipe's
        drop probability: then its backprojection, both as encoded and as second input channel, and its
        views are zero, which is what the sampler calls unconditional. Gradients reach the U-Net and
        all encoders.
        """
        volume = batch["volume"]
        cases, device = len(volume), volume.device
        times = self._times(cases, generator).to(device)
        noise = torch.randn(volume.shape, generator=generator).to(volume)
        kept = (torch.rand(cases, generator=generator) >= self.recipe.drop_probability).to(volume)
        noisy = self.scheduler.add_noise(volume, noise, times)
        with _dropout_from(generator, device):
            condition = self.network.encode(
                batch["backprojection"] * kept.view(-1, 1, 1, 1, 1), batch["views"] * kept.view(-1, 1, 1, 1)
            )
            predicted = self.network(noisy, times, condition)
        if self.recipe.network.vessels:
            return vessel_loss(predicted, volume)
        target = prediction_target(self.scheduler, volume, noise, times)
        return mse_loss(predicted.float(), target.float())

    def _times(self, cases: int, generator: torch.Generator) -> Tensor:
        """Draw the time step of each case; the recipe's share of them is the last one."""
        times = torch.randint(0, self.recipe.train_steps, (cases,), generator=generator)
        if self.recipe.pure_noise > 0:
            times[torch.rand(cases, generator=generator) < self.recipe.pure_noise] = self.recipe.train_steps - 1
        return times


@contextmanager
def _dropout_from(generator: torch.Generator, device: torch.device) -> Iterator[None]:
    """Dropout (the U-Net has some) knows only torch's own generators: seed them from `generator` for a while."""
    seed = int(torch.randint(2**62, (1,), generator=generator))
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
