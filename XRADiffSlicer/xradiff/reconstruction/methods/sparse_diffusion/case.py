"""Views -> all that the network needs of a case: voxels, what is known of them, and the tolerance that was used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ....datatypes import AngiogramView
from ....progress import Progress, silent, stage
from .active import ActiveVoxels, active_voxels, check_count
from .features import VoxelFeatures, voxel_features
from .vessel_maps import VesselMaps, vessel_maps

__all__ = ["SparseCase", "Thinning", "hull_values", "prepare_case"]

Thinning = Callable[[Sequence[VesselMaps], ActiveVoxels, Progress], NDArray[np.bool_]]
"""Maps of the views, N blocks, progress -> (N,) which of these are looked at."""


@dataclass(frozen=True, eq=False)
class SparseCase:
    """A case ready for the network.

    Attributes:
        voxels: where a vessel can lie.
        features: what the views tell of them.
        tolerance_mm: that the voxels were chosen with.
        allowed: all that the masks allow; more than `voxels` after a coarser start.
        moved: the same case on blocks moved by a voxel, where that was asked for.
    """

    voxels: ActiveVoxels
    features: VoxelFeatures
    tolerance_mm: float
    allowed: ActiveVoxels
    moved: SparseCase | None = None


def prepare_case(
    views: Sequence[AngiogramView],
    spacing_mm: float,
    tolerance_mm: float = 0.0,
    progress: Progress = silent,
    *,
    also_moved: bool = False,
    thinning: Thinning | None = None,
) -> SparseCase:
    """Return the case of two or more views with masks.

    Args:
        views: calibrated.
        spacing_mm: voxel of the result.
        tolerance_mm: by how much the masks may disagree.
        progress: may raise Cancelled.
        also_moved: whether to prepare it on blocks moved by a voxel too.
        thinning: chooses among the blocks; all are looked at without.

    Raises:
        InputError: an empty mask, views that do not belong together, or masks that allow too much.
    """
    progress(0.0, "measuring the vessels in the masks")
    maps = [vessel_maps(view) for view in views]
    middle = 0.6 if also_moved else 1.0
    on_blocks = partial(_on_blocks, views, maps, spacing_mm, tolerance_mm, thinning)
    case = on_blocks(stage(progress, 0.2, middle), moved=False)
    return replace(case, moved=on_blocks(stage(progress, middle, 1.0), moved=True)) if also_moved else case


def _on_blocks(
    views: Sequence[AngiogramView],
    maps: Sequence[VesselMaps],
    spacing_mm: float,
    tolerance_mm: float,
    thinning: Thinning | None,
    progress: Progress,
    *,
    moved: bool,
) -> SparseCase:
    """Return the case on blocks that lie as they are, or moved by a voxel."""
    cones = [each.cone for each in maps]
    allowed = active_voxels(views, cones, spacing_mm, tolerance_mm, stage(progress, 0.0, 0.6), moved=moved)
    voxels = allowed if thinning is None else allowed.only(thinning(maps, allowed, stage(progress, 0.6, 0.7)))
    check_count(voxels, tolerance_mm)
    progress(0.7, "what the views tell of each voxel")
    return SparseCase(voxels, voxel_features(maps, voxels, tolerance_mm), tolerance_mm, allowed)


def hull_values(features: VoxelFeatures, spacing_mm: float) -> NDArray[np.float32]:
    """Return (N, 8) the soft intersection of the masks at the children, with edges finer than a pixel.

    See `backproject_masks`; no tolerance, and the views that tell of a block's middle tell of its children.
    """
    worst = np.where(features.seen[..., None] > 0, features.single[..., :8], -np.inf).max(axis=0)
    return np.clip(0.5 - worst / spacing_mm, 0, 1)
