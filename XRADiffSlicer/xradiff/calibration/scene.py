"""Several views with their masks' outlines, displaced and compared together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ..geometry import Camera, view_separation_deg
from .closed_form import Gaps, ShiftSolution, solve_shifts
from .evidence import Consistency, PairEvidence, compare, mean_consistency
from .outline import Outline

__all__ = ["LEAST_SEPARATION_DEG", "Scene", "usable_pairs"]

Array = NDArray[np.float64]
LEAST_SEPARATION_DEG = 15.0
_GATES_MM = (1.5, 1.0, 0.7)


@dataclass(frozen=True, eq=False)
class Scene:
    """Views to be made consistent.

    Attributes:
        outlines: one a view.
        cameras: one a view, as first stated.
        pairs: the pairs of views that are compared.
        landmarks: gaps between landmarks the user gave, at the stated poses.
    """

    outlines: tuple[Outline, ...]
    cameras: tuple[Camera, ...]
    pairs: tuple[tuple[int, int], ...]
    landmarks: tuple[Gaps, ...] = ()

    def moved(self, shifts_mm: Array) -> tuple[Camera, ...]:
        """Return the cameras when the patient of view k is displaced by a further shifts_mm[k] (V, 3)."""
        return tuple(replace(c, source=c.source - t) for c, t in zip(self.cameras, shifts_mm, strict=True))

    def evidence(self, shifts_mm: Array) -> dict[tuple[int, int], PairEvidence]:
        """Return the comparison of every pair at these displacements."""
        cameras = self.moved(shifts_mm)
        return {(i, j): compare(self.outlines[i], self.outlines[j], cameras[i], cameras[j]) for i, j in self.pairs}

    def consistency(self, shifts_mm: Array) -> Consistency:
        """Return the mean consistency over the pairs."""
        return mean_consistency([e.consistency for e in self.evidence(shifts_mm).values()])

    def refine(self, start_mm: Array, gates_mm: Sequence[float] = _GATES_MM) -> tuple[Array, ShiftSolution | None]:
        """Match and solve with ever narrower gates; return displacements (V, 3) and the last solution.

        The solution is None where no frontier point finds a partner and there are no landmarks.
        """
        shifts, solution = start_mm, None
        for gate in gates_mm:
            gaps = [e.gaps(gate, pair) for pair, e in self.evidence(shifts).items()]
            gaps += [_displaced(marks, shifts) for marks in self.landmarks]
            if sum(len(g.gaps_mm) for g in gaps) == 0:
                return start_mm, None
            solution = solve_shifts(gaps, len(self.cameras), scale_mm=gate / 3, present_mm=shifts)
            shifts = shifts + solution.shifts_mm
        return shifts, solution

    def only(self, pair: tuple[int, int]) -> Scene:
        """Return the scene of two of the views, its landmarks included."""
        i, j = pair
        marks = tuple(replace(g, first=0, second=1) for g in self.landmarks if (g.first, g.second) == pair)
        return Scene((self.outlines[i], self.outlines[j]), (self.cameras[i], self.cameras[j]), ((0, 1),), marks)


def usable_pairs(cameras: Sequence[Camera]) -> tuple[tuple[int, int], ...]:
    """Return the pairs of views at least 15 degrees apart; closer ones have no stable direction n."""
    every = combinations(range(len(cameras)), 2)
    return tuple((i, j) for i, j in every if view_separation_deg(cameras[i], cameras[j]) >= LEAST_SEPARATION_DEG)


def _displaced(gaps: Gaps, shifts_mm: Array) -> Gaps:
    """Return gaps stated at zero displacement as they are at `shifts_mm` (V, 3)."""
    closed = gaps.normals @ (shifts_mm[gaps.second] - shifts_mm[gaps.first])
    return replace(gaps, gaps_mm=gaps.gaps_mm - closed)
