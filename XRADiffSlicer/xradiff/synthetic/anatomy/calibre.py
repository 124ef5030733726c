"""The diameter along a vessel: taper between branches, a step where a branch takes its share of the flow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, optimize

__all__ = ["EXPONENT", "diameters_mm", "left_over_mm"]

Array = NDArray[np.float64]
EXPONENT = 7 / 3
"""D_mother^k = D_main^k + D_branch^k: Huo and Kassab 2007 (doi:10.1529/biophysj.107.107326, exponent 7/3)."""
_STEP_LENGTH_MM = 1.5  # a step is spread over about this length, the polygon of confluence


def left_over_mm(mother_mm: float, branch_mm: float) -> float:
    """Return the diameter of the main vessel behind a branch; a branch never takes more than two thirds."""
    share = min((branch_mm / mother_mm) ** EXPONENT, 2 / 3)
    return float(mother_mm * (1 - share) ** (1 / EXPONENT))


def diameters_mm(
    arclength_mm: Array,
    start_mm: float,
    knots: Sequence[tuple[float, float]],
    branches: Sequence[tuple[int, float]],
) -> Array:
    """Return the diameter (N,) along a vessel.

    Args:
        arclength_mm: (N,) distance of each point from the vessel's begin, ascending, 0.5 mm apart or so.
        start_mm: diameter at the first point.
        knots: (share of the length, diameter) that are reached, in order; the last share is 1.
        branches: (point where a branch leaves, diameter of the branch).

    Between two knots the diameter falls by the bifurcation law at each branch and exponentially
    between them, at the rate that ends at the next knot. Where the branches alone would take more than that,
    they take less than the law says.
    """
    result = np.empty_like(arclength_mm)
    diameter, first = start_mm, 0
    for share, target in knots:
        stop = int(np.searchsorted(arclength_mm, share * arclength_mm[-1], side="right"))
        part = arclength_mm[first:stop] - arclength_mm[first]
        own = [(index - first, size) for index, size in branches if first <= index < stop]
        result[first:stop] = _between(part, diameter, min(target, diameter), own)
        diameter, first = float(result[stop - 1]), stop
    spacing = max(float(arclength_mm[-1]) / (len(arclength_mm) - 1), 1e-6)
    smooth: Array = ndimage.gaussian_filter1d(result, _STEP_LENGTH_MM / 2 / spacing, mode="nearest")
    return smooth


def _between(arclength_mm: Array, start_mm: float, end_mm: float, branches: list[tuple[int, float]]) -> Array:
    """Return the diameters from `start_mm` to exactly `end_mm`."""

    def profile(rate: float) -> Array:
        steps = np.zeros_like(arclength_mm)
        diameter = start_mm
        for index, size in sorted(branches):
            before = diameter * np.exp(-rate * arclength_mm[index] + steps[: index + 1].sum())
            steps[index] += np.log(left_over_mm(before, size) / before)
        return start_mm * np.exp(np.cumsum(steps) - rate * arclength_mm)

    level = profile(0.0)
    if level[-1] <= end_mm or arclength_mm[-1] == 0:  # the branches alone take all: share the fall out among them
        fall = np.log(level / start_mm)
        return start_mm * np.exp(fall * (np.log(end_mm / start_mm) / min(fall[-1], -1e-12)))
    rate = optimize.brentq(lambda value: profile(value)[-1] - end_mm, 0.0, 5.0 / arclength_mm[-1])
    return profile(float(rate))
