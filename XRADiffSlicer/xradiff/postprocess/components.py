"""Connected parts of a sparse volume (26 neighbours)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..datatypes import SparseVolume
from ..memory import check_memory

__all__ = ["component_labels", "keep_components", "remove_small_components"]


def component_labels(volume: SparseVolume) -> NDArray[np.int64]:
    """Return (N,) for each voxel the number of its connected part, 0 the largest, 1 the next, ...

    Voxels that touch by a face, an edge or a corner are connected. Equal sizes are ordered by
    their first voxel.

    Raises:
        InputError: the bounding box does not fit into memory.
    """
    if len(volume.indices) == 0:
        return np.zeros(0, dtype=np.int64)
    shape = volume.bounding_grid().shape
    check_memory(6.0 * volume.bounding_grid().size, "labelling the connected parts", "choose larger voxels")
    mask = np.zeros(shape, dtype=bool)
    local = tuple((volume.indices - volume.indices.min(axis=0)).T)
    mask[local] = True
    labels, count = ndimage.label(mask, structure=np.ones((3, 3, 3), dtype=bool))
    of_voxel = labels[local] - 1
    by_size = np.argsort(-np.bincount(of_voxel, minlength=count), kind="stable")
    rank = np.empty(count, dtype=np.int64)
    rank[by_size] = np.arange(count)
    ranked: NDArray[np.int64] = rank[of_voxel]
    return ranked


def remove_small_components(volume: SparseVolume, minimum_mm3: float) -> SparseVolume:
    """Return the voxels of the connected parts of at least `minimum_mm3`."""
    if minimum_mm3 <= 0 or len(volume.indices) == 0:
        return volume
    labels = component_labels(volume)
    voxel_mm3 = float(np.prod(volume.grid.spacing_mm))
    large = np.bincount(labels) * voxel_mm3 >= minimum_mm3 * (1 - 1e-9)
    return volume.where(large[labels])


def keep_components(volume: SparseVolume, count: int) -> SparseVolume:
    """Return the voxels of the `count` largest connected parts (0: all)."""
    if count <= 0 or len(volume.indices) == 0:
        return volume
    return volume.where(component_labels(volume) < count)
