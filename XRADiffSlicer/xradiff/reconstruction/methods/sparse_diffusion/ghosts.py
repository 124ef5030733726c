"""Parts of the tree -> the same without ghosts: small ones, apart from the rest, that the masks do not call for.

Where two vessels lie on the same rays as a third place does, the masks allow a vessel there too: a ghost. In all views
but one at least its pixels are those of other vessels, and nothing leads to it. A small part of a vessel that the rest
hides in no view is the only thing that explains its pixels, and stays.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ....datatypes import AngiogramView, SparseVolume
from ....geometry import camera_of
from ....projection import silhouette
from .connect import VESSEL, part_numbers

__all__ = ["without_ghosts"]

EXPLAINED = 0.8
"""Share of a part's pixels that others cover: from here on the view does not call for it."""
LOWERED = 0.49


def without_ghosts(volume: SparseVolume, views: Sequence[AngiogramView], largest_mm3: float) -> SparseVolume:
    """Return the volume with the voxels of ghosts lowered to just below 0.5.

    Args:
        volume: probabilities.
        views: calibrated, with masks; two or more.
        largest_mm3: parts (26-connected, probability at least 0.5) of less than that are looked at, the largest of all
            never; 0 looks at none.
    """
    inside = np.flatnonzero(volume.values >= VESSEL)
    if largest_mm3 <= 0 or not len(inside):
        return volume
    number = part_numbers(volume.indices[inside])
    sizes = np.bincount(number) * float(np.prod(volume.grid.spacing_mm))
    small = np.flatnonzero((sizes < largest_mm3) & (np.arange(len(sizes)) != sizes.argmax()))
    if not len(small):
        return volume
    rest = _some(volume, inside[~np.isin(number, small)])
    covered = [silhouette(rest, camera_of(view)) for view in views]
    ghosts = [part for part in small if _unneeded(_some(volume, inside[number == part]), views, covered)]
    lowered = volume.values.copy()
    taken = inside[np.isin(number, ghosts)]
    lowered[taken] = np.minimum(lowered[taken], LOWERED)
    return SparseVolume(volume.grid, volume.indices, lowered)


def _some(volume: SparseVolume, rows: NDArray[np.intp]) -> SparseVolume:
    return SparseVolume(volume.grid, volume.indices[rows], volume.values[rows])


def _unneeded(part: SparseVolume, views: Sequence[AngiogramView], covered: Sequence[NDArray[np.bool_]]) -> bool:
    """Return whether at most one view has pixels that only the part explains."""
    calls = 0
    for view, others in zip(views, covered, strict=True):
        own = silhouette(part, camera_of(view)) & view.vessel_mask()
        calls += bool((own & others).sum() < EXPLAINED * own.sum())
    return calls <= 1
