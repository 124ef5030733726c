"""Parts of the tree -> the same without ghosts: small ones, apart from the rest, that at most one mask calls for.

Where two vessels lie on the same rays as a third place does, the masks allow a vessel there too: a ghost. In all views
but one at least its pixels are those of other vessels, and nothing leads to it. A small part of a vessel that two
views show beside the rest is the only thing that explains its pixels, and stays.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ....datatypes import SparseVolume
from ....projection import MaskCone, silhouette
from .connect import UNLIKELY, VESSEL, part_numbers

__all__ = ["without_ghosts"]

HIDDEN = 0.8
"""Share of a part's voxels that the rest hides in a view: from here on the view does not call for the part."""
LOWERED = 0.9 * UNLIKELY
"""Probability that is left: no bridge crosses a ghost."""


def without_ghosts(
    volume: SparseVolume, cones: Sequence[MaskCone], largest_mm3: float, tolerance_mm: float = 0.0
) -> SparseVolume:
    """Return the volume with the voxels of ghosts lowered to less than a bridge crosses.

    Args:
        volume: probabilities.
        cones: masks of the calibrated views, two or more.
        largest_mm3: parts (26-connected, probability at least 0.5) of less than that are looked at, the largest of all
            never; what is larger may hide them. 0 looks at none.
        tolerance_mm: so far from a mask, at its depth, a voxel still counts as shown by it.
    """
    inside = np.flatnonzero(volume.values >= VESSEL)
    if largest_mm3 <= 0 or not len(inside):
        return volume
    number = part_numbers(volume.indices[inside])
    sizes = np.bincount(number)
    small = sizes * float(np.prod(volume.grid.spacing_mm)) < largest_mm3
    small[sizes.argmax()] = False
    loose = small[number]
    if not loose.any():
        return volume
    rest, part = _some(volume, inside[~loose]), number[loose]
    points = _some(volume, inside[loose]).points_lps_mm()
    calls = np.zeros(len(sizes), dtype=np.int64)
    for cone in cones:
        shown = cone.distance_mm(points) <= tolerance_mm
        hidden = shown & _on(silhouette(rest, cone.camera), cone.camera.project(points))
        seen = np.bincount(part, shown, len(sizes))
        calls += np.bincount(part, hidden, len(sizes)) < HIDDEN * seen  # nothing seen is nothing called for
    lowered = volume.values.copy()
    lowered[inside[loose][calls[part] <= 1]] = LOWERED
    return SparseVolume(volume.grid, volume.indices, lowered)


def _some(volume: SparseVolume, rows: NDArray[np.intp]) -> SparseVolume:
    return SparseVolume(volume.grid, volume.indices[rows], volume.values[rows])


def _on(covered: NDArray[np.bool_], places: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return (N,) whether the pixels at places (N, 2) are covered; beside the image those of its border count."""
    row, column = np.clip(np.rint(places), 0, np.subtract(covered.shape, 1)).astype(np.int64).T
    return np.asarray(covered[row, column])
