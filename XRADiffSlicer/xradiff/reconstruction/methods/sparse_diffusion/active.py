"""Masks -> the coarse voxels in which a vessel can lie: the tolerant hull, in blocks of 2 x 2 x 2 result voxels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ....datatypes import AngiogramView, VolumeGrid
from ....errors import InputError
from ....geometry.placement import grid_around
from ....progress import Progress, silent
from ....projection import MaskCone, backproject_masks

__all__ = [
    "BLOCK", "LEAST_TOLERANCE_MM", "STILL", "ActiveVoxels", "Move", "active_voxels", "check_count", "widened",
]  # fmt: skip

MOST = 300_000
"""More blocks than that are too many for the network (142,000 took 1.3 GB)."""
LEAST_TOLERANCE_MM = 0.25
"""Half a voxel of the result, and about a pixel: so far masks of pixels disagree although nothing moved."""
BLOCK = 2
"""Result voxels along an edge of an active voxel."""

Move = tuple[int, int, int]
"""By how many result voxels, 0 or 1 on each axis, the blocks lie lower; the voxels stay where they are."""
STILL: Move = (0, 0, 0)


@dataclass(frozen=True, eq=False)
class ActiveVoxels:
    """The blocks in which a vessel can lie.

    Attributes:
        grid: of the blocks; each holds 2 x 2 x 2 voxels of `fine`.
        indices: (N, 3) int32 in `grid`, lexicographic.
    """

    grid: VolumeGrid
    indices: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def fine(self) -> VolumeGrid:
        """The grid of the result."""
        return self.grid.divided(BLOCK)

    def only(self, kept: NDArray[np.bool_]) -> ActiveVoxels:
        """Return the blocks that are `kept` (N,)."""
        return ActiveVoxels(self.grid, self.indices[kept])

    def centres_lps_mm(self) -> NDArray[np.float32]:
        """Return the blocks' middles (N, 3)."""
        return self.grid.centres(self.indices).astype(np.float32)

    def children(self) -> NDArray[np.int32]:
        """Return the voxels of `fine` (N, 8, 3) in each block, in the order of `child_offsets`."""
        return BLOCK * self.indices[:, None] + child_offsets()

    def children_lps_mm(self) -> NDArray[np.float32]:
        """Return their centres (N, 8, 3)."""
        shift = (child_offsets() - (BLOCK - 1) / 2) * (self.grid.spacing_mm[0] / BLOCK)
        return self.centres_lps_mm()[:, None] + shift.astype(np.float32)


def child_offsets() -> NDArray[np.int32]:
    """Return the 8 places (8, 3) in a block, the last axis fastest."""
    return np.stack(np.unravel_index(np.arange(BLOCK**3), (BLOCK,) * 3), axis=1).astype(np.int32)


def active_voxels(
    views: Sequence[AngiogramView],
    cones: Sequence[MaskCone],
    spacing_mm: float,
    tolerance_mm: float,
    progress: Progress = silent,
    *,
    move: Move = STILL,
    near: ActiveVoxels | None = None,
) -> ActiveVoxels:
    """Return the blocks that hold a voxel of `spacing_mm` whose centre all masks allow.

    Args:
        views: two or more, with masks.
        cones: of the same views.
        spacing_mm: voxel of the result; the blocks are twice as wide.
        tolerance_mm: how far outside a mask a voxel may project, at its depth.
        progress: may raise Cancelled.
        move: of the blocks.
        near: blocks that are not moved; only those are looked at that share a voxel with one of them, none perhaps.

    Raises:
        InputError: the views see no common space, no voxel at all is allowed, or backprojection needs too much memory.
    """
    block_mm = BLOCK * spacing_mm
    grid = grid_around(views, block_mm, tolerance_mm + block_mm, parts=BLOCK)
    if move != STILL:
        lower = tuple(place - step * spacing_mm for place, step in zip(grid.origin_lps_mm, move, strict=True))
        grid = VolumeGrid(tuple(count + 1 for count in grid.shape), grid.spacing_mm, lower)  # type: ignore[arg-type]
    # a child's centre lies half a child's diagonal from the block's; `backproject_masks` itself keeps what
    # lies up to half a block outside, which is a little more
    among = None if near is None else _sharing(near, move)
    hull = backproject_masks(cones, grid, tolerance_mm, progress, among=among)
    if near is None and not len(hull.indices):
        raise InputError(
            f"the backprojected masks meet in no voxel of {block_mm:g} mm; check geometry, masks and the order of "
            f"the views, or raise tolerance_mm (now {tolerance_mm:g} mm)"
        )
    return ActiveVoxels(grid, hull.indices)


def _sharing(voxels: ActiveVoxels, move: Move) -> NDArray[np.int64]:
    """Return the moved blocks (M, 3) that share a voxel with one of `voxels`."""
    shape = np.add(voxels.grid.shape, 1)  # of the moved grid
    steps = np.array(list(np.ndindex(*np.add(move, 1))))
    each = (voxels.indices[:, None] + steps).reshape(-1, 3)
    return np.stack(np.unravel_index(np.unique(np.ravel_multi_index(tuple(each.T), shape)), shape), axis=1)


def check_count(voxels: ActiveVoxels, tolerance_mm: float) -> None:
    """Check that the network can work on so many blocks.

    Raises:
        InputError: they are too many.
    """
    if len(voxels) > MOST:
        raise InputError(
            f"of what the masks allow {len(voxels)} blocks of {voxels.grid.spacing_mm[0]:g} mm would have to be looked"
            f" at, at most {MOST} can be; the masks must show vessels alone, and tolerance_mm (now "
            f"{tolerance_mm:g} mm) be small"
        )


def widened(tolerance_mm: float, spacing_mm: float) -> float:
    """Return the tolerance of voxels that count as vessel where any part of them does: it may lie off their centre."""
    return tolerance_mm + spacing_mm / 2
