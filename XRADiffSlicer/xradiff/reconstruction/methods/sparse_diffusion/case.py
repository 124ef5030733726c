"""Views -> all that the network needs of a case: voxels, what is known of them, and the tolerance that was used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ....datatypes import AngiogramView
from ....progress import Progress, silent, stage
from ....projection import MaskCone
from .active import LEAST_TOLERANCE_MM, STILL, ActiveVoxels, Move, active_voxels, check_count
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
        allowed: all that the masks allow, of moved blocks around the others; more than `voxels` after a coarser start.
        source: what it was made of; None of one that cannot be moved.
    """

    voxels: ActiveVoxels
    features: VoxelFeatures
    tolerance_mm: float
    allowed: ActiveVoxels
    source: CaseSource | None = None

    @property
    def cones(self) -> tuple[MaskCone, ...]:
        """Return the masks of the views."""
        assert self.source is not None
        return tuple(each.cone for each in self.source.maps)

    def moved(self, move: Move, progress: Progress = silent) -> SparseCase | None:
        """Return the case on moved blocks, of those that share a voxel with one here; None where there are none.

        The voxels of both coincide.
        """
        assert self.source is not None
        allowed, voxels = self.source.blocks(move, progress, self.voxels)
        return self.source.case(allowed, voxels) if len(voxels) else None


@dataclass(frozen=True, eq=False)
class CaseSource:
    """What a case is made of, on blocks that lie this way or that."""

    views: Sequence[AngiogramView]
    maps: Sequence[VesselMaps]
    spacing_mm: float
    tolerance_mm: float
    thinning: Thinning | None

    def blocks(
        self, move: Move, progress: Progress, near: ActiveVoxels | None = None
    ) -> tuple[ActiveVoxels, ActiveVoxels]:
        """Return the moved blocks that the masks allow, and of these the ones to look at.

        Given blocks that are `near`, those alone that share a voxel with one of them.
        """
        cones, allowing = [each.cone for each in self.maps], stage(progress, 0.0, 0.6)
        allowed = active_voxels(self.views, cones, self.spacing_mm, self.tolerance_mm, allowing, move=move, near=near)
        if self.thinning is None or not len(allowed):
            return allowed, allowed
        return allowed, allowed.only(self.thinning(self.maps, allowed, stage(progress, 0.6, 1.0)))

    def case(self, allowed: ActiveVoxels, voxels: ActiveVoxels) -> SparseCase:
        """Return the case on `voxels` of all that are `allowed`."""
        return SparseCase(
            voxels, voxel_features(self.maps, voxels, self.tolerance_mm), self.tolerance_mm, allowed, self
        )


def prepare_case(
    views: Sequence[AngiogramView],
    spacing_mm: float,
    tolerance_mm: float = LEAST_TOLERANCE_MM,
    progress: Progress = silent,
    *,
    thinning: Thinning | None = None,
) -> SparseCase:
    """Return the case of two or more views with masks.

    Args:
        views: calibrated.
        spacing_mm: voxel of the result.
        tolerance_mm: by how much the masks may disagree.
        progress: may raise Cancelled.
        thinning: chooses among the blocks; all are looked at without.

    Raises:
        InputError: an empty mask, views that do not belong together, or masks that allow too much.
    """
    progress(0.0, "measuring the vessels in the masks")
    maps = [vessel_maps(view) for view in views]
    source = CaseSource(views, maps, spacing_mm, tolerance_mm, thinning)
    allowed, voxels = source.blocks(STILL, stage(progress, 0.2, 0.8))
    check_count(voxels, tolerance_mm)
    progress(0.8, "what the views tell of each voxel")
    return source.case(allowed, voxels)


def hull_values(features: VoxelFeatures, spacing_mm: float) -> NDArray[np.float32]:
    """Return (N, 8) the soft intersection of the masks at the children, with edges finer than a pixel.

    See `backproject_masks`; no tolerance, and the views that tell of a block's middle tell of its children.
    """
    worst = np.where(features.seen[..., None] > 0, features.single[..., :8], -np.inf).max(axis=0)
    return np.clip(0.5 - worst / spacing_mm, 0, 1)
