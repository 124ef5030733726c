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

from ....checks import check_range
from ...samplers import prediction_target
from .network import NoisePredictor3D
from .recipe import Recipe

__all__ = ["DROP_PROBABILITY", "LEARNING_RATE", "DiffusionTraining"]

LEARNING_RATE = 1e-5
"""Of Adam, in the paper."""
DROP_PROBABILITY = 0.1


class DiffusionTraining(nn.Module):
    """The network with its loss: mean squared error of what the recipe says is predicted, the noise by default.

    Volumes are not rescaled: 0 is empty and 1 is vessel in the diffusion too, as in the paper.

    Args:
        recipe: what is trained; saved with the weights.
        drop_probability: how likely a case of the batch loses its condition.

    Raises:
        InputError: the probability lies outside [0, 1].
    """

    def __init__(self, recipe: Recipe, drop_probability: float = DROP_PROBABILITY) -> None:
        super().__init__()
        self.recipe = recipe
        self.drop_probability = check_range("drop probability", drop_probability, 0, 1)
        self.network = NoisePredictor3D(recipe.network)
        self.scheduler = recipe.noise_schedule.ddim()

    def loss(self, batch: Mapping[str, Tensor], generator: torch.Generator) -> Tensor:
        """Return the loss (scalar) of one batch; all chance comes from `generator` (on the CPU).

        Each case gets a time step of its own and, independently, loses its condition with the drop
        probability: then its backprojection, both as encoded and as second input channel, and its
        views are zero, which is what the sampler calls unconditional. Gradients reach the U-Net and
        all encoders.
        """
        volume = batch["volume"]
        cases, device = len(volume), volume.device
        times = torch.randint(0, self.recipe.train_steps, (cases,), generator=generator).to(device)
        noise = torch.randn(volume.shape, generator=generator).to(volume)
        kept = (torch.rand(cases, generator=generator) >= self.drop_probability).to(volume)
        noisy = self.scheduler.add_noise(volume, noise, times)
        with _dropout_from(generator, device):
            condition = self.network.encode(
                batch["backprojection"] * kept.view(-1, 1, 1, 1, 1), batch["views"] * kept.view(-1, 1, 1, 1)
            )
            predicted = self.network(noisy, times, condition)
        target = prediction_target(self.scheduler, volume, noise, times)
        return mse_loss(predicted.float(), target.float())


@contextmanager
def _dropout_from(generator: torch.Generator, device: torch.device) -> Iterator[None]:
    """Dropout (the U-Net has some) knows only torch's own generators: seed them from `generator` for a while."""
    seed = int(torch.randint(2**62, (1,), generator=generator))
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
