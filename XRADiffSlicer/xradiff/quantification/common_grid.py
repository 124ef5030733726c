"""Two volumes on one grid, so that voxels can be compared: the first step of every 3D metric."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..checks import check_range
from ..datatypes import SparseVolume, VolumeGrid
from ..errors import InputError
from ..memory import check_memory
from .alignment import RigidAlignment

__all__ = ["COMMON_SPACING_MM", "LEVEL", "SamePlace", "on_common_grid"]

COMMON_SPACING_MM = 0.5
"""Voxel edge at which volumes are compared (AutoCAR: "the same resolution of 0.5 mm")."""
LEVEL = 0.5
"""Value at the border of a vessel."""


@dataclass(frozen=True, eq=False)
class SamePlace:
    """A result and a truth as masks of one grid.

    Attributes:
        grid: isotropic, around all voxels of both, one empty voxel at every side.
        result: (nx, ny, nz) boolean.
        truth: (nx, ny, nz) boolean.
    """

    grid: VolumeGrid
    result: NDArray[np.bool_]
    truth: NDArray[np.bool_]


def on_common_grid(
    result: SparseVolume,
    truth: SparseVolume,
    spacing_mm: float = COMMON_SPACING_MM,
    motion: RigidAlignment | None = None,
) -> SamePlace:
    """Return both volumes as masks of one grid that passes through the voxel centres of `truth`.

    A voxel is set where the value, interpolated linearly between voxel centres and 0 outside the
    volume, reaches 0.5 (AutoCAR interpolates linearly too). Where the grids agree nothing is
    interpolated. Give `postprocess.surface_field` for a result whose border lies between voxels:
    thin vessels on another grid lose less that way than as zeros and ones.

    Args:
        result: values with the border at 0.5; a segmentation holds ones.
        truth: the same.
        spacing_mm: voxel edge of the common grid.
        motion: moves the result before it is compared.

    Raises:
        InputError: a volume is empty, a spacing that is not positive, or the grid does not fit into memory.
    """
    check_range("voxel spacing of the comparison", spacing_mm, 0, 20, unit="mm", open_minimum=True)
    if len(result.indices) == 0 or len(truth.indices) == 0:
        raise InputError("an empty volume cannot be compared; the result or the truth has no voxel")
    still = motion or RigidAlignment.none()
    corners = np.concatenate([still.apply(_corners(result)), _corners(truth)])
    start = np.asarray(truth.grid.origin_lps_mm)
    low = np.floor((corners.min(axis=0) - start) / spacing_mm - 1e-6).astype(int) - 1
    high = np.ceil((corners.max(axis=0) - start) / spacing_mm + 1e-6).astype(int) + 1
    x, y, z = (int(count) for count in high - low + 1)
    grid = VolumeGrid((x, y, z), (spacing_mm,) * 3, tuple(start + low * spacing_mm))
    check_memory(12.0 * grid.size, "comparing two volumes", "crop the volumes or compare at larger voxels")
    return SamePlace(grid, _sampled(result, grid, still), _sampled(truth, grid, RigidAlignment.none()))


def _corners(volume: SparseVolume) -> NDArray[np.float64]:
    """Return the corners (8, 3) in LPS mm of the box of voxel centres and one voxel around it."""
    box = volume.bounding_grid(margin=1)
    return box.centres(np.indices((2, 2, 2)).reshape(3, 8).T * (np.asarray(box.shape) - 1))


def _sampled(volume: SparseVolume, grid: VolumeGrid, motion: RigidAlignment) -> NDArray[np.bool_]:
    """Return where the moved `volume` reaches the level at the voxel centres of `grid`."""
    dense, own = volume.to_dense(margin=1)
    # index in the volume = (R' (p - t) - o) / s with p = grid origin + grid spacing * index in the grid
    back = motion.rotation.T / np.asarray(own.spacing_mm)[:, None]
    matrix = back * np.asarray(grid.spacing_mm)
    shift = back @ (np.asarray(grid.origin_lps_mm) - motion.translation_mm)
    offset = np.round(shift - np.asarray(own.origin_lps_mm) / own.spacing_mm, 6)  # grids that agree agree exactly
    sampled = ndimage.affine_transform(dense, np.round(matrix, 12), offset, grid.shape, order=1)
    inside: NDArray[np.bool_] = sampled >= LEVEL
    return inside
