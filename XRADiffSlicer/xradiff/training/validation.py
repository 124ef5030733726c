"""How good a network is on the held-out cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ..reconstruction.trainable import Trainable

__all__ = ["chance", "dice_per_case", "validation_scores"]

THRESHOLD = 0.5


def chance(*key: int) -> torch.Generator:
    """Return the generator (CPU) of a place in the run; other keys give independent ones."""
    seed = int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> 1)
    return torch.Generator().manual_seed(seed)


def dice_per_case(probabilities: Tensor, volume: Tensor) -> Tensor:
    """Return the Dice overlap (B,) of the voxels of at least 0.5 in each; 1 where both are empty."""
    found, true = (tensor.flatten(1) >= THRESHOLD for tensor in (probabilities, volume))
    both, total = (found & true).sum(1), found.sum(1) + true.sum(1)
    return torch.where(total > 0, 2 * both / total.clamp(min=1), 1.0)


@torch.no_grad()
def validation_scores(
    trainable: Trainable, network: nn.Module, examples: Sequence[Mapping[str, Tensor]], seed: int
) -> Tensor:
    """Return (sum of Dice, sum of the backprojection's own Dice, cases) of examples that have no batch axis.

    Cases without a backprojection count 0 in the second sum.
    """
    device = next(network.parameters()).device
    network.eval()
    sums = torch.zeros(3, dtype=torch.float64)
    for number, example in enumerate(examples):
        batch = {name: tensor[None].to(device) for name, tensor in example.items()}
        answer = trainable.probabilities(network, batch, chance(seed, number))
        sums[0] += float(dice_per_case(answer, batch["volume"])[0])
        if "backprojection" in batch:
            sums[1] += float(dice_per_case(batch["backprojection"], batch["volume"])[0])
        sums[2] += 1
    return sums
