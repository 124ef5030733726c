"""Cases for training, made in memory: the voxels that all masks allow, and which of them are vessel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray

from ..checks import check_range
from ..datatypes import SparseVolume
from ..errors import InputError
from ..geometry import camera_of
from ..geometry.placement import grid_around
from ..projection import MaskCone, backproject_masks
from .case import CaseOptions, SyntheticCase, draw_case
from .tubes import occupancy, tubes_of

__all__ = ["TrainingCase", "training_case", "training_cases"]


@dataclass(frozen=True, eq=False)
class TrainingCase:
    """What a network is shown and what it should answer.

    Attributes:
        case: views and tree.
        hull: the voxels (N) that all masks allow within the tolerance, with the hull's soft values.
        vessel: (N,) which of them lie in a vessel.
        missed: vessel voxels outside the hull, which no answer can reach.
    """

    case: SyntheticCase
    hull: SparseVolume
    vessel: NDArray[np.bool_]
    missed: int


def training_case(case: SyntheticCase, spacing_mm: float = 1.0, tolerance_mm: float = 1.0) -> TrainingCase:
    """Return the training case of `case`.

    Args:
        case: a synthetic case.
        spacing_mm: voxel.
        tolerance_mm: by how much the masks are widened (at the voxel's depth) before they are intersected.

    Raises:
        InputError: the masks allow no voxel.
    """
    grid = grid_around(case.views, spacing_mm, tolerance_mm + spacing_mm)
    hull = backproject_masks([MaskCone.of(v.vessel_mask(), camera_of(v)) for v in case.views], grid, tolerance_mm)
    if not len(hull.indices):
        raise InputError(f"the masks of case {case.parameters['number']} meet in no voxel of {spacing_mm:g} mm")
    truth = occupancy(tubes_of(case.subject.tree), grid)
    allowed = np.ravel_multi_index(tuple(hull.indices.T), grid.shape)
    inside = np.ravel_multi_index(tuple(truth.indices.T), grid.shape)
    vessel = np.isin(allowed, inside, assume_unique=True)
    return TrainingCase(case, hull, vessel, len(inside) - int(vessel.sum()))


def training_cases(
    options: CaseOptions, seed: int, *, first: int = 0, spacing_mm: float = 1.0, tolerance_mm: float = 1.0
) -> Iterator[TrainingCase]:
    """Yield training cases `first`, `first` + 1, ... without end and without touching the disk.

    Raises:
        InputError: impossible options.
    """
    check_range("number of the first case", first, 0)
    for number in count(first):
        yield training_case(draw_case(options, seed, number), spacing_mm, tolerance_mm)
