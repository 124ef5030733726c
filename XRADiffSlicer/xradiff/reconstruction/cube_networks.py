"""What networks that map a backprojection to a volume of the same cube share: sizes, examples, weights, answer.

Their architectures are their own (`methods/`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from ..checks import check_range
from ..datatypes import AngiogramView, SparseVolume
from ..errors import InputError
from ..weights import WeightsFile, read_tensors
from .backprojection import BackprojectionCube, backprojection_cube
from .trainable import VesselTruth

__all__ = [
    "CubeExample",
    "answer_on",
    "channel_counts",
    "check_cube",
    "load_network",
    "soft_dice_loss",
    "vessel_loss",
]

LEAST = 0.05
"""Probabilities below this are left out of the sparse result."""
CHANNELS_PER_GROUP = 8
MOST_LEVELS = 8
CLOSE_TO_NOTHING = 1.0  # voxels; keeps the soft Dice finite for an empty volume


def channel_counts(value: object) -> tuple[int, ...]:
    """Return the channels of each level from a sequence of numbers or words like "16,32,64".

    Raises:
        InputError: not 1 to 8 multiples of 8 up to 4096.
    """
    words = value.split(",") if isinstance(value, str) else value
    try:
        channels = tuple(int(word) for word in words)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        raise InputError(f"channels must be whole numbers, as 16,32,64,128; got {value!r}") from None
    if not 1 <= len(channels) <= MOST_LEVELS or any(
        not 8 <= count <= 4096 or count % CHANNELS_PER_GROUP for count in channels
    ):
        raise InputError(f"channels must be 1 to {MOST_LEVELS} multiples of 8 up to 4096, got {channels}")
    return channels


def check_cube(size: int, spacing_mm: float, levels: int) -> None:
    """Raise InputError unless a cube of `size` voxels can be halved `levels` - 1 times and has a usable spacing."""
    check_range("size", size, 1, 512)
    divisor = 2 ** (levels - 1)
    if size % divisor:
        raise InputError(f"size must be a multiple of {divisor} for {levels} levels, got {size}")
    check_range("spacing_mm", spacing_mm, 0.05, 20, unit="mm")


@dataclass(frozen=True)
class CubeExample:
    """Makes training examples on cubes of `size` voxels of `spacing_mm`, each around its tree.

    volume          (1, N, N, N)  1 where a vessel touches the voxel, so that those thinner than a voxel are kept
    backprojection  (1, N, N, N)  in [0, 1]
    """

    size: int
    spacing_mm: float

    def __call__(self, views: Sequence[AngiogramView], truth: VesselTruth) -> dict[str, Tensor]:
        cube = backprojection_cube(views, self.size, self.spacing_mm)
        volume = torch.from_numpy(truth.occupancy(cube.grid) > 0).float()
        return {"volume": volume[None], "backprojection": torch.from_numpy(cube.values)[None]}

    def join(self, examples: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
        """Stack the examples along a new first axis."""
        return {name: torch.stack([example[name] for example in examples]) for name in examples[0]}


def vessel_loss(logits: Tensor, volume: Tensor) -> Tensor:
    """Return binary cross-entropy + soft Dice loss (scalar) of logits (B, ...) for `volume` (B, ...) in [0, 1]."""
    logits = logits.float()
    return binary_cross_entropy_with_logits(logits, volume) + soft_dice_loss(logits.sigmoid(), volume)


def soft_dice_loss(probabilities: Tensor, volume: Tensor) -> Tensor:
    """Return 1 - 2 sum(p v) / (sum(p^2) + sum(v^2)), the mean over the cases (Milletari et al. 2016, V-Net, sec. 3)"""
    p, v = probabilities.flatten(1), volume.flatten(1)
    both, total = (p * v).sum(1), (p.square() + v.square()).sum(1)
    return (1 - (2 * both + CLOSE_TO_NOTHING) / (total + CLOSE_TO_NOTHING)).mean()


def load_network(empty: nn.Module, weights: WeightsFile) -> nn.Module:
    """Return `empty`, a network on the meta device, filled with weights, on the CPU and ready to answer.

    Raises:
        InputError: the weights do not fit.
    """
    expected = {name: tuple(tensor.shape) for name, tensor in empty.state_dict().items()}
    empty.load_state_dict(read_tensors(weights, expected), assign=True)
    return empty.float().eval().requires_grad_(False)


def answer_on(cube: BackprojectionCube, network: nn.Module, device: str) -> SparseVolume:
    """Return the probabilities of at least 0.05 that `network` (backprojection -> logits) gives.

    Raises:
        InputError: a value is not finite.
    """
    given = torch.from_numpy(cube.values)[None, None].to(device)
    with torch.no_grad():
        answer = network.to(device)(given).float().sigmoid()[0, 0].cpu().numpy()
    if not np.isfinite(answer).all():
        raise InputError("the network gave values that are not finite; its weights do not suit these views")
    return SparseVolume.from_dense(np.where(answer >= LEAST, answer, 0), cube.grid)
