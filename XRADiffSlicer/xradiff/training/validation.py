"""How good a network is on the held-out cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ..reconstruction.trainable import Trainable

__all__ = ["chance", "dice_of", "validation_scores"]

THRESHOLD = 0.5


def chance(*key: int) -> torch.Generator:
    """Return the generator (CPU) of a place in the run; other keys give independent ones."""
    seed = int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> 1)
    return torch.Generator().manual_seed(seed)


def dice_of(probabilities: Tensor, volume: Tensor, missed: float = 0.0) -> float:
    """Return the Dice overlap of the voxels of at least 0.5 in two tensors of one shape; 1 where both are empty.

    Args:
        probabilities: of one case.
        volume: the truth.
        missed: true voxels that `volume` leaves out.
    """
    found, true = probabilities >= THRESHOLD, volume >= THRESHOLD
    total = float(found.sum() + true.sum()) + missed
    return 2 * float((found & true).sum()) / total if total else 1.0


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
        joined = trainable.example.join([dict(example)])
        batch = {name: tensor.to(device) for name, tensor in joined.items()}
        answer = trainable.probabilities(network, batch, chance(seed, number))
        missed = float(batch["missed"].sum()) if "missed" in batch else 0.0
        sums[0] += dice_of(answer, batch["volume"], missed)
        if "backprojection" in batch:
            sums[1] += dice_of(batch["backprojection"], batch["volume"], missed)
        sums[2] += 1
    return sums
