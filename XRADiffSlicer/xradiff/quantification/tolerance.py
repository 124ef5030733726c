"""Overlap with a tolerance: O(t) as its equation reads and as published code computes it; the same in 2D."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from ..checks import check_range
from ..errors import InputError
from .overlap import dice

__all__ = ["dice_after_dilation", "dice_after_erosion", "overlap_within"]

Mask = NDArray[np.bool_]
Array = NDArray[np.float64]


def overlap_within(result: Array, reference: Array, tolerance: float) -> float:
    """Return O(t) of two point sets, (N, D) and (M, D): the share of all points with a partner within `tolerance`.

    XRA-Diff eq. 9 with "points in t radius are considered the same": true positives are counted in
    both sets (Schaap et al. 2009, doi:10.1016/j.media.2009.06.003, and DeepCA). In the unit of the
    points; a distance equal to `tolerance` counts. 1 where both sets are empty.

    Raises:
        InputError: a negative tolerance, or points of different dimensions.
    """
    check_range("tolerance", tolerance, 0)
    if result.ndim != 2 or reference.ndim != 2 or result.shape[1] != reference.shape[1]:
        raise InputError(f"two arrays of points (N, D) are needed, got {result.shape} and {reference.shape}")
    total = len(result) + len(reference)
    if len(result) == 0 or len(reference) == 0:
        return 0.0 if total else 1.0
    limit = tolerance * (1 + 1e-9) + 1e-9  # voxel centres at exactly the tolerance count
    near = np.isfinite(cKDTree(reference).query(result, distance_upper_bound=limit)[0]).sum()
    near += np.isfinite(cKDTree(result).query(reference, distance_upper_bound=limit)[0]).sum()
    return float(near / total)


def dice_after_dilation(result: Mask, reference: Mask, reach: int) -> float:
    """Return Dice of two masks that were dilated by a cube (square) of edge 2 `reach` + 1.

    That is what XRA-Diff's published code prints as O(1) and O(2), and as the 2D Dice with `reach` 1
    where the paper says "erosion". Larger than `overlap_within`, for the dilated rims overlap too.

    Raises:
        InputError: the shapes differ, or `reach` is negative.
    """
    size = 2 * _steps(reach) + 1
    padded = [np.pad(mask, reach) for mask in (result, reference)]
    grown = [ndimage.maximum_filter(mask, size=size, mode="constant") for mask in padded]
    return dice(grown[0], grown[1])


def dice_after_erosion(result: Mask, reference: Mask, reach: int = 1) -> float:
    """Return Dice of two masks that were eroded by a square (cube) of edge 2 `reach` + 1, outside counts as unset.

    XRA-Diff 2.7 as printed ("erosion on 3x3 neighborhood was performed before DSC was computed").
    Vessels up to 2 `reach` pixels wide vanish; 1 where both masks vanish.

    Raises:
        InputError: the shapes differ, or `reach` is negative.
    """
    size = 2 * _steps(reach) + 1
    shrunk = [ndimage.minimum_filter(mask, size=size, mode="constant") for mask in (result, reference)]
    return dice(shrunk[0], shrunk[1])


def _steps(reach: int) -> int:
    return int(check_range("reach of a tolerance", reach, 0, 100, unit="voxels"))
