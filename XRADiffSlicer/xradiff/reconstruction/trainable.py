"""What a method that can be trained offers: the training's side of the interface, types alone.

The loop in `training/` knows no method. It finds the class that `MethodSpec.training` names, asks it for
an example of a case, and then, turn by turn, for a loss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..datatypes import SparseVolume, VolumeGrid

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Generator, Tensor, nn
    from torch.optim import Optimizer

    Batch = Mapping[str, Tensor]

__all__ = ["ExampleMaker", "Trainable", "VesselTruth"]


class VesselTruth(Protocol):
    """The true vessels of a case, on any grid.

    Attributes:
        side: "left" or "right", "" where it is not known.
        exact_masks: whether the masks show just these vessels; False where they moved between the views or the masks
            are damaged, None where it is not known.
    """

    @property
    def side(self) -> str: ...

    @property
    def exact_masks(self) -> bool | None: ...

    def occupancy(self, grid: VolumeGrid) -> NDArray[np.float32]:
        """Return the share of each voxel (nx, ny, nz), 0 to 1, that lies in a vessel."""
        ...

    def voxels(self, grid: VolumeGrid) -> SparseVolume:
        """Return the voxels whose centre lies in a vessel; needs no memory for the whole grid."""
        ...


class ExampleMaker(Protocol):
    """Makes one example; has no network and can be pickled, since it also runs in worker processes."""

    def __call__(self, shown: Any, truth: Any, /) -> dict[str, Tensor]:
        """Return tensors without a batch axis; "volume" holds the truth that the metrics compare with.

        A method of reconstruction is shown views (a sequence of AngiogramView) and gets their `VesselTruth`.

        Where there is a "missed" it counts the true voxels that "volume" leaves out.
        """
        ...

    def join(self, examples: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
        """Return one batch of several examples."""
        ...


class Trainable(Protocol):
    """A method's networks, with their losses.

    Attributes:
        module: everything that is trained or has a state; what a checkpoint holds.
        network: the part of `module` that a reconstruction needs; its moving average is validated and saved.
        example: makes the examples.
        turns: names of the losses that one step minimises, in this order; a name may stand there several times.
    """

    module: nn.Module
    network: nn.Module
    example: ExampleMaker
    turns: tuple[str, ...]

    @classmethod
    def from_settings(cls, settings: Mapping[str, object]) -> Trainable:
        """Return a new one with `settings` over its defaults; weights are drawn from torch's global generator.

        Raises:
            InputError: an unknown setting or a value that is not accepted.
        """
        ...

    @property
    def recipe(self) -> dict[str, Any]:
        """JSON-ready: all that a reconstruction must know of the network; equals another's when the two fit."""
        ...

    def optimiser(self, turn: str) -> Optimizer:
        """Return the optimiser of the parameters that this turn changes, with the method's learning rate."""
        ...

    def loss(self, turn: str, batch: Batch, generator: Generator) -> Tensor:
        """Return the loss of a turn, the mean over the batch; chance comes only from `generator` (on the CPU)."""
        ...

    def probabilities(self, network: nn.Module, batch: Batch, generator: Generator) -> Tensor:
        """Return what `network`, a copy of the own one, answers: in [0, 1], of the shape of "volume"."""
        ...

    def save(self, path: Path, network: nn.Module, source: str) -> None:
        """Write the weights of `network`, a copy of the own one, as the method reads them; `source`: one sentence."""
        ...
