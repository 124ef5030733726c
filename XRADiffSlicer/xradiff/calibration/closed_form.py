"""Closed form for the displacements of the patient between views, from gaps between corresponding rays.

For the rays of one point in views i and j with common normal n and gap g = n . (S_j - S_i), displacements
t_i and t_j close the gap when n . (t_j - t_i) = g; n does not depend on them. This is linear, so all
correspondences of all pairs of views are solved at once, with a prior and robust weights (IRLS). Without
the prior the equation has the spurious solution t_k = S_k - S_0: however many views there are, displacements
in proportion to it (a common scale of the tree) open no gap and only the prior limits them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Gaps", "ShiftSolution", "held_back", "solve_shifts"]

Array = NDArray[np.float64]
PRIOR_MM = 10.0  # SD of a displacement along each axis
_WITHIN, _LEAST_WITHIN_MM = 0.5, 0.3  # SD within the epipolar planes: of the displacement across them, and at least
_LEAST_GAP_MM = 0.1  # SD of a gap between the rays of one point, at best (half a pixel at the isocentre)
_ITERATIONS = 12


@dataclass(frozen=True, eq=False)
class Gaps:
    """Gaps between the rays of corresponding pixels in one pair of views.

    Attributes:
        first, second: index of the two views.
        normals: (N, 3) unit vectors along the rays' common perpendiculars, LPS.
        gaps_mm: (N,) signed gaps; positive where view `second` must be displaced along the normal.
        weights: (N,) above 0.
    """

    first: int
    second: int
    normals: Array
    gaps_mm: Array
    weights: Array


@dataclass(frozen=True, eq=False)
class ShiftSolution:
    """Displacements that close the gaps best.

    Attributes:
        shifts_mm: (V, 3) further displacement of the patient in each view, LPS; view 0 stays (zero).
        covariance: (3 (V - 1), 3 (V - 1)) of the displacements of views 1, 2, ... in mm^2, prior included.
        gap_sd_mm: robust SD of the gaps that remain.
    """

    shifts_mm: Array
    covariance: Array
    gap_sd_mm: float


def solve_shifts(
    gaps: Sequence[Gaps], n_views: int, *, scale_mm: float = 1.0, present_mm: Array | None = None
) -> ShiftSolution:
    """Return the most probable displacements of views 1, 2, ... given `gaps`.

    Args:
        gaps: correspondences, any number of pairs of views.
        n_views: number of views.
        scale_mm: a gap of this size counts half (w = 1 / (1 + (g / scale)^2)).
        present_mm: (V, 3) displacements that the cameras hold already; the prior is on the total.
    """
    rows = np.concatenate([_rows(g, n_views) for g in gaps])
    target = np.concatenate([g.gaps_mm for g in gaps])
    base = np.concatenate([g.weights for g in gaps])
    present = np.zeros(3 * (n_views - 1)) if present_mm is None else np.asarray(present_mm)[1:].ravel()
    shift, weights = np.zeros_like(present), base
    deviation = scale_mm / 2
    for _ in range(_ITERATIONS):
        damping = np.eye(len(shift)) * (deviation / PRIOR_MM) ** 2
        normal_matrix = rows.T @ (weights[:, None] * rows) + damping
        shift = np.linalg.solve(normal_matrix, rows.T @ (weights * target) - damping @ present)
        rest = target - rows @ shift
        weights = base / (1 + (rest / scale_mm) ** 2)
        deviation = _robust_sd(rest, weights)
    shifts = np.vstack([np.zeros(3), shift.reshape(-1, 3)])
    return ShiftSolution(shifts, np.linalg.inv(normal_matrix) * deviation**2, deviation)


def held_back(shift_mm: Array, covariance: Array, n: Array) -> Array:
    """Return the displacement (3,) of the second of two views with a closer prior on what two views hardly tell.

    Within the epipolar planes a displacement is told from a changed size of the image alone, and a heart that has
    changed its shape changes that, too. So it is believed to be about half as large as the one across the planes,
    which is seen well: a patient who did not breathe was not shifted along the planes either. (Breathing moves the
    heart by 4.9 mm towards the feet and by 1.3 mm forwards: Shechter et al. 2004, doi:10.1109/TMI.2004.828676.)

    Args:
        shift_mm: (3,) the most probable displacement with the prior of `solve_shifts`.
        covariance: (3, 3) that of the solution.
        n: (3,) unit vector across the epipolar planes.
    """
    within = np.eye(3) - np.outer(n, n)
    closer = max(_LEAST_WITHIN_MM, _WITHIN * abs(float(n @ shift_mm)))
    known = np.linalg.inv(covariance)
    held = np.linalg.solve(known + within * (1 / closer**2 - 1 / PRIOR_MM**2), known @ shift_mm)
    return np.asarray(held, dtype=float)


def _rows(gaps: Gaps, n_views: int) -> Array:
    """Return the coefficients (N, 3 (V - 1)) of n . (t_second - t_first), t_0 = 0 left out."""
    rows = np.zeros((len(gaps.gaps_mm), n_views, 3))
    rows[:, gaps.second] += gaps.normals
    rows[:, gaps.first] -= gaps.normals
    return rows[:, 1:].reshape(len(rows), 3 * (n_views - 1))  # also where a pair has no correspondence


def _robust_sd(rest: Array, weights: Array) -> float:
    """Return the weighted SD of the remaining gaps, at least 0.1 mm."""
    variance = float((weights * rest**2).sum() / max(weights.sum(), 1e-9))
    return max(_LEAST_GAP_MM, variance**0.5)
