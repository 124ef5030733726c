"""What a reconstruction method is: its inputs, its one verb and its result."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ..datatypes import AngiogramView, SparseVolume
from ..errors import InputError
from ..geometry import camera_of, view_separation_deg
from ..geometry.epipolar import WIDE_DEG
from ..progress import Progress
from ..weights import WeightsFile

__all__ = [
    "ReconstructionInputs",
    "ReconstructionMethod",
    "ReconstructionResult",
    "check_separation",
]

REFUSED_BELOW_DEG = 10.0
WARNED_BELOW_DEG = WIDE_DEG


@dataclass(frozen=True, eq=False)
class ReconstructionInputs:
    """What a method is given.

    Attributes:
        views: two or more views with masks, already calibrated.
        spacing_mm: voxel spacing of the result.
        side: "left", "right" or "auto".
        device: "cpu" or "cuda".
        tolerance_mm: by how much the masks may disagree after calibration; 0 where the views are exact.
    """

    views: tuple[AngiogramView, ...]
    spacing_mm: float = 0.5
    side: str = "auto"
    device: str = "cpu"
    tolerance_mm: float = 0.0


@dataclass(frozen=True, eq=False)
class ReconstructionResult:
    """What a method returns.

    Attributes:
        volume: probability (0 to 1) that a voxel lies inside a vessel.
        notes: what was used and done, one sentence each.
        uncertainty: standard deviation of the probability over several samples, at the voxels of `volume`; None where
            the method has none.
        warnings: what the user should look at or mind, one sentence each.
        weights: the file of weights that was used; None where the method has none.
        samples: the probabilities of each sample at the voxels of `volume`, where several were drawn: alternatives.
        further_weights: files that were used beside it.
    """

    volume: SparseVolume
    notes: tuple[str, ...] = ()
    uncertainty: SparseVolume | None = None
    warnings: tuple[str, ...] = ()
    weights: WeightsFile | None = None
    samples: tuple[SparseVolume, ...] = ()
    further_weights: tuple[WeightsFile, ...] = ()


class ReconstructionMethod(Protocol):
    """A method: one verb. Chance comes only from `generator`; `progress` may raise Cancelled."""

    def reconstruct(
        self, inputs: ReconstructionInputs, config: Any, *, generator: np.random.Generator, progress: Progress
    ) -> ReconstructionResult: ...


def check_separation(views: Sequence[AngiogramView]) -> tuple[str, ...]:
    """Return warnings about the angle between the views.

    Raises:
        InputError: fewer than two views, or all views look along nearly the same line: then what the
            masks enclose is not bounded along that line.
    """
    if len(views) < 2:
        raise InputError(f"a reconstruction needs two or more views, got {len(views)}")
    pairs = itertools.combinations([camera_of(view) for view in views], 2)
    widest = max(view_separation_deg(a, b) for a, b in pairs)
    if widest < REFUSED_BELOW_DEG:
        raise InputError(
            f"the viewing directions are only {widest:.1f} deg apart; at least {REFUSED_BELOW_DEG:g} deg are needed "
            f"({WARNED_BELOW_DEG:g} deg or more are recommended)"
        )
    if widest >= WARNED_BELOW_DEG:
        return ()
    accepted = f"depth is uncertain below {WARNED_BELOW_DEG:g} deg"
    return (f"The viewing directions are only {widest:.1f} deg apart; {accepted}.",)
