"""How two volumes on grids of their own overlap."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..datatypes import SparseVolume, VolumeGrid
from .overlap import dice

__all__ = ["on_grid", "volume_dice"]


def volume_dice(result: SparseVolume, reference: SparseVolume) -> float:
    """Return the Dice of the non-zero voxels of two volumes, sampled on the grid of the reference.

    1 where both are empty; 0 where one is.
    """
    if not len(result.indices) or not len(reference.indices):
        return float(len(result.indices) == len(reference.indices))
    grid = _common_grid(result, reference)
    return dice(on_grid(result, grid), on_grid(reference, grid))


def on_grid(volume: SparseVolume, grid: VolumeGrid) -> NDArray[np.bool_]:
    """Return for each voxel centre of `grid` whether it lies in a non-zero voxel of `volume`, a boolean (nx, ny, nz).

    Raises:
        InputError: the volume is empty.
    """
    dense, own = volume.to_dense()
    sampled = dense > 0
    for axis in range(3):
        steps = np.arange(grid.shape[axis]) * grid.spacing_mm[axis] + grid.origin_lps_mm[axis]
        index = np.rint((steps - own.origin_lps_mm[axis]) / own.spacing_mm[axis]).astype(int)
        inside = (index >= 0) & (index < own.shape[axis])
        sampled = np.take(sampled, np.where(inside, index, 0), axis=axis)
        sampled &= inside.reshape([-1 if other == axis else 1 for other in range(3)])
    return sampled


def _common_grid(result: SparseVolume, reference: SparseVolume) -> VolumeGrid:
    """Return the grid of the reference, grown or cropped to the box that holds both."""
    corners = []
    for box in (result.bounding_grid(margin=1), reference.bounding_grid()):
        corners += [box.origin_lps_mm, box.centres(np.subtract(box.shape, 1))]
    indices = reference.grid.indices(np.array(corners))
    start = np.floor(indices.min(axis=0)).astype(int)
    stop = np.ceil(indices.max(axis=0)).astype(int) + 1
    return reference.grid.cropped(start.tolist(), (stop - start).tolist())
