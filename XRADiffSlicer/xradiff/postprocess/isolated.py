"""Removal of isolated voxels by counting Moore neighbours (XRA-Diff eq. 5)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..datatypes import SparseVolume
from ..memory import check_memory

__all__ = ["count_neighbours", "remove_isolated"]


def count_neighbours(mask: NDArray[np.bool_]) -> NDArray[np.int8]:
    """Return how many of the 26 Moore neighbours of each voxel are set; outside nothing is."""
    total = mask.astype(np.int8)
    for axis in range(3):
        total = ndimage.correlate1d(total, [1, 1, 1], axis=axis, mode="constant")
    count: NDArray[np.int8] = total - mask
    return count


def remove_isolated(volume: SparseVolume, minimum_neighbours: int = 10) -> SparseVolume:
    """Return the voxels with at least `minimum_neighbours` Moore neighbours in the volume.

    XRA-Diff eq. 5 removes voxels with |N(v)| < gamma; eq. 6 has the inequality reversed (it would
    keep exactly those). This follows eq. 5. The voxel itself does not count, the removal is done
    once, and a neighbour that is removed in the same step still counts. gamma = 10 belongs to the
    paper's 60^3 grid: it removes every part that is one voxel thin.
    """
    if minimum_neighbours < 1 or len(volume.indices) == 0:
        return volume
    check_memory(4.0 * volume.bounding_grid().size, "counting neighbours of voxels", "choose larger voxels")
    first = volume.indices.min(axis=0)
    mask = np.zeros(volume.bounding_grid().shape, dtype=bool)
    local = tuple((volume.indices - first).T)
    mask[local] = True
    return volume.where(count_neighbours(mask)[local] >= minimum_neighbours)
