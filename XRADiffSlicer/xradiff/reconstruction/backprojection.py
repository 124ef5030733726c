"""Views -> their backprojection on a cube of voxels: what dense networks are given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..datatypes import AngiogramView, VolumeGrid
from ..errors import InputError
from ..geometry import camera_of, triangulate
from ..projection import MaskCone, backproject_masks

__all__ = ["BackprojectionCube", "backprojection_cube", "cube_around"]


@dataclass(frozen=True, eq=False)
class BackprojectionCube:
    """The soft intersection of the masks' backprojections.

    Attributes:
        values: (N, N, N) float32 in [0, 1], axes (x, y, z) LPS.
        grid: its voxels in LPS mm.
    """

    values: NDArray[np.float32]
    grid: VolumeGrid


def cube_around(views: Sequence[AngiogramView], size: int, spacing_mm: float) -> VolumeGrid:
    """Return the cube of `size` voxels a side around the point closest to the rays through the masks' middles.

    The middle of the intersection of the backprojections is no good place: false crossings stretch it along the
    viewing directions, to three times the tree's length.

    Raises:
        InputError: fewer than two views, an empty mask, or parallel rays.
    """
    middles = [_middle_px(view) for view in views]
    return VolumeGrid.centred((size,) * 3, spacing_mm, triangulate([camera_of(view) for view in views], middles))


def backprojection_cube(views: Sequence[AngiogramView], size: int, spacing_mm: float) -> BackprojectionCube:
    """Return the soft backprojection (XRA-Diff eq. 3, 11; see `projection.backproject_masks`) around the tree.

    Raises:
        InputError: fewer than two views, an empty mask, or masks that meet in no voxel of the cube.
    """
    grid = cube_around(views, size, spacing_mm)
    hull = backproject_masks([MaskCone.of(view.vessel_mask(), camera_of(view)) for view in views], grid)
    if len(hull.indices) == 0:
        raise InputError(
            f"the backprojected masks meet in no voxel of {spacing_mm:g} mm within a cube of "
            f"{size * spacing_mm:.0f} mm; check geometry and views"
        )
    values = np.zeros(grid.shape, dtype=np.float32)
    values[tuple(hull.indices.T)] = hull.values
    return BackprojectionCube(values, grid)


def _middle_px(view: AngiogramView) -> NDArray[np.float64]:
    """Return the middle (row, column) of the mask's bounding box."""
    rows, columns = np.nonzero(view.vessel_mask())
    if len(rows) == 0:
        raise InputError(f"the mask of {view.name} is empty")
    return np.array([rows.min() + rows.max(), columns.min() + columns.max()]) / 2
