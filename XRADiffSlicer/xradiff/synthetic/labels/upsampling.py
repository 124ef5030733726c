"""A stair-stepped label -> smooth occupancy on any LPS grid, with the label's volume."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...datatypes import SparseVolume, VolumeGrid
from .volume import LabelVolume

__all__ = ["resample_label"]

Array = NDArray[np.float64]
_MARGIN = 3  # voxels around the label, so that neither blur nor interpolation meets the border
_BLUR_VOXELS = 0.7  # takes the staircase away; more would wear thin vessels


def resample_label(label: LabelVolume, grid: VolumeGrid | float) -> SparseVolume:
    """Return the voxels (value 1) of an LPS grid that lie in the label.

    Args:
        label: the voxels and their affine.
        grid: the grid to fill, or an isotropic spacing in mm for a grid around the label whose voxel
            centres are multiples of the spacing.

    The label's 0 and 1 are lightly blurred and interpolated, and cut at the level that keeps the label's volume
    on the whole (a signed distance cut at 0 loses about 4 % of it in vessels of three voxels' width).
    """
    around = _grid_around(label, grid if isinstance(grid, float | int) else min(grid.spacing_mm))
    value = _values(label, around, _near(label, around))
    wanted = round(label.voxel_mm3 * label.inside.sum() / np.prod(around.spacing_mm))
    level = np.sort(value)[-min(wanted + 1, len(value))]
    target = grid if isinstance(grid, VolumeGrid) else around
    indices = _near(label, target)
    kept = indices[_values(label, target, indices) > level].astype(np.int32)
    return SparseVolume(target, kept, np.ones(len(kept), dtype=np.float32))


def _values(label: LabelVolume, grid: VolumeGrid, indices: NDArray[np.int64]) -> Array:
    """Return the blurred label's value (N,) at the voxels `indices` (N, 3) of `grid`."""
    blurred = ndimage.gaussian_filter(np.pad(label.inside, _MARGIN).astype(np.float32), _BLUR_VOXELS)
    where = (label.indices(grid.centres(indices)) + _MARGIN).T
    values: Array = ndimage.map_coordinates(blurred, where, order=1, mode="nearest")
    return values


def _grid_around(label: LabelVolume, spacing_mm: float) -> VolumeGrid:
    """Return the grid of `spacing_mm`, aligned with LPS 0, that holds the label and two voxels more."""
    points = label.points_lps_mm(label.voxels())
    reach = 2 * spacing_mm + max(label.spacing_mm)
    first = np.floor((points.min(axis=0) - reach) / spacing_mm).astype(int)
    last = np.ceil((points.max(axis=0) + reach) / spacing_mm).astype(int)
    x, y, z = (int(count) for count in last - first + 1)
    origin = first * spacing_mm
    return VolumeGrid((x, y, z), (spacing_mm,) * 3, (float(origin[0]), float(origin[1]), float(origin[2])))


def _near(label: LabelVolume, grid: VolumeGrid) -> NDArray[np.int64]:
    """Return the voxels (N, 3) of `grid`, in lexicographic order, whose centres may lie in the label."""
    centre = grid.indices(label.points_lps_mm(label.voxels()))
    reach = np.ceil(np.linalg.norm(label.spacing_mm) / np.asarray(grid.spacing_mm)).astype(int)
    seeds = np.unique(np.rint(centre).astype(np.int64), axis=0)
    low = np.minimum(seeds.min(axis=0) - reach, 0)
    shape = np.maximum(seeds.max(axis=0) + reach + 1, grid.shape) - low
    steps = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), axis=-1).reshape(-1, 3)
    flat = np.ravel_multi_index(tuple((seeds - low).T), tuple(shape))
    offsets = steps @ [shape[1] * shape[2], shape[2], 1]
    near = np.unique(flat[:, None] + offsets)
    indices = np.stack(np.unravel_index(near, tuple(shape)), axis=1) + low
    return indices[((indices >= 0) & (indices < grid.shape)).all(axis=1)]
