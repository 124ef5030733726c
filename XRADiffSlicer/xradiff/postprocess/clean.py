"""All steps in order, and the two volumes that later stages want: binary, and soft for the surface."""

from __future__ import annotations

import numpy as np

from ..datatypes import SparseVolume
from ..errors import InputError
from ..memory import check_memory
from ..progress import Progress, silent
from .components import keep_components, remove_small_components
from .config import PostprocessConfig
from .gaps import close_gaps
from .isolated import count_neighbours, remove_isolated
from .threshold import apply_threshold

__all__ = ["postprocess", "segmentation", "surface_field"]


def postprocess(volume: SparseVolume, config: PostprocessConfig, progress: Progress = silent) -> SparseVolume:
    """Return the voxels of `volume` that belong to the vessels, with their soft values.

    Threshold (eq. 4), isolated voxels (eq. 5), gaps, small parts, number of parts. Voxels added in
    gaps carry the median value. The result may be empty. Only the bounding box of what passes the
    threshold is ever dense.

    Raises:
        InputError: a value is NaN or infinite, or the bounding box does not fit into memory.
    """
    if not np.all(np.isfinite(volume.values)):
        raise InputError("the volume holds values that are NaN or infinite")
    progress(0.0, "threshold")
    clean = apply_threshold(volume, config)
    progress(0.2, "removing isolated voxels")
    clean = remove_isolated(clean, config.minimum_neighbours)
    progress(0.4, "closing gaps")
    clean = close_gaps(clean, config.close_gaps_mm)
    progress(0.7, "removing small parts")
    clean = remove_small_components(clean, config.minimum_component_mm3)
    clean = keep_components(clean, config.keep_components)
    progress(1.0, f"{len(clean.indices)} voxels kept")
    return clean


def segmentation(volume: SparseVolume) -> SparseVolume:
    """Return the same voxels with value 1."""
    return SparseVolume(volume.grid, volume.indices, np.ones(len(volume.indices), dtype=np.float32))


def surface_field(volume: SparseVolume, kept: SparseVolume) -> SparseVolume:
    """Return values whose 0.5 level is the border of `kept`, with sub-voxel detail, for `surface_of`.

    `kept` alone drops to 0 at its border, so that a surface through it forgets where between two
    voxels the border ran. Here the voxels of `volume` that touch `kept` keep their lower values.
    All values are multiplied by 0.5 / level, level midway between the lowest kept value and the
    next lower one (0 if there is none), which leaves the linear interpolation between voxels as
    it was; then kept voxels are held above 0.5 and all others below.

    Args:
        volume: what `postprocess` received.
        kept: what it returned, on the same grid.
    """
    if len(kept.indices) == 0:
        return kept
    lowest = float(kept.values.min())
    lower = volume.values[volume.values < lowest]
    scale = 1.0 / (lowest + max(0.0, float(lower.max()) if lower.size else 0.0))
    check_memory(8.0 * kept.bounding_grid(1).size, "finding the border of the volume", "choose larger voxels")
    dense, grid = kept.to_dense(margin=1)
    border = count_neighbours(dense > 0) > 0
    local = volume.indices - (kept.indices.min(axis=0) - 1)
    inside = np.all((local >= 0) & (local < grid.shape), axis=1)
    local, values = local[inside], volume.values[inside]
    outer = border[tuple(local.T)] & (dense[tuple(local.T)] == 0)
    indices = np.concatenate([kept.indices, volume.indices[inside][outer]])
    above, below = np.float32(0.501), np.float32(0.499)
    field = np.concatenate([np.maximum(kept.values * scale, above), np.minimum(values[outer] * scale, below)])
    order = np.lexsort(indices.T[::-1])
    return SparseVolume(kept.grid, indices[order], field[order].astype(np.float32))
