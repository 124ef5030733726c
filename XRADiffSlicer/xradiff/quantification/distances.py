"""Distances between two sets of points, pixels or voxels: Chamfer and HD95."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from ..errors import InputError

__all__ = ["SetDistances", "mask_distances", "point_distances", "surface_voxels"]


@dataclass(frozen=True)
class SetDistances:
    """Directed distances between sets A (the result) and B (the reference), in one unit.

    The distance of a point is that to the closest point of the other set. Where one set is empty
    all are infinite, where both are, zero.

    Attributes:
        mean_a_to_b: mean distance of the points of A to B.
        mean_b_to_a: mean distance of the points of B to A.
        p95_a_to_b: 95th percentile of the distances of the points of A to B.
        p95_b_to_a: 95th percentile of the distances of the points of B to A.
    """

    mean_a_to_b: float
    mean_b_to_a: float
    p95_a_to_b: float
    p95_b_to_a: float

    @property
    def chamfer(self) -> float:
        """Chamfer distance: the SUM of the two directed means (XRA-Diff eq. 8; its code halves it)."""
        return self.mean_a_to_b + self.mean_b_to_a

    @property
    def hd95(self) -> float:
        """95 % Hausdorff distance: the larger of the two directed 95th percentiles."""
        return max(self.p95_a_to_b, self.p95_b_to_a)


def point_distances(a: NDArray[np.floating], b: NDArray[np.floating]) -> SetDistances:
    """Return the distances between points `a` (N, D) and `b` (M, D), in their unit.

    Raises:
        InputError: the arrays do not hold points of the same dimension.
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise InputError(f"two arrays of points (N, D) are needed, got {a.shape} and {b.shape}")
    if len(a) == 0 or len(b) == 0:
        return _of_empty(len(a) == len(b))
    return _of(cKDTree(b).query(a)[0], cKDTree(a).query(b)[0])


def mask_distances(a: NDArray[np.bool_], b: NDArray[np.bool_], spacing: float | Sequence[float] = 1.0) -> SetDistances:
    """Return the distances between ALL set elements of two masks, in the unit of `spacing`.

    Pass `surface_voxels` of the masks to compare surfaces. By Euclidean distance transforms.

    Args:
        a: result, boolean, any dimension.
        b: reference of the same shape.
        spacing: distance of neighbours along the axes; one number stands for all.

    Raises:
        InputError: the shapes differ.
    """
    if a.shape != b.shape:
        raise InputError(f"cannot compare arrays of different shapes, {a.shape} and {b.shape}")
    if not a.any() or not b.any():
        return _of_empty(a.any() == b.any())
    box = ndimage.find_objects((a | b).astype(np.int8))[0]
    a, b = a[box].astype(bool), b[box].astype(bool)
    to_b = ndimage.distance_transform_edt(~b, sampling=spacing)
    to_a = ndimage.distance_transform_edt(~a, sampling=spacing)
    return _of(to_b[a], to_a[b])


def surface_voxels(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the set elements with an unset face neighbour; outside the array nothing is set."""
    surface: NDArray[np.bool_] = mask & ~ndimage.binary_erosion(mask)
    return surface


def _of(a_to_b: NDArray[np.float64], b_to_a: NDArray[np.float64]) -> SetDistances:
    percentile = (float(np.percentile(a_to_b, 95)), float(np.percentile(b_to_a, 95)))
    return SetDistances(float(a_to_b.mean()), float(b_to_a.mean()), *percentile)


def _of_empty(both: bool) -> SetDistances:
    return SetDistances(*([0.0 if both else math.inf] * 4))
