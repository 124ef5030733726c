"""The displacements of all views: search pair by pair, pool in closed form, refine together, judge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry.epipolar import epipolar_normal
from ..progress import Progress
from .closed_form import PRIOR_MM, Gaps, ShiftSolution, held_back, solve_shifts
from .evidence import Consistency
from .frame import ray_normals
from .scene import Scene
from .search import VoteCurve, vote

__all__ = ["ShiftEstimate", "estimate_shifts"]

Array = NDArray[np.float64]
_POOL_GATE_MM = 1.0
_RIVAL_MM = 1.0  # another peak counts as a rival when it lies this far away
_RIVAL_SHARE = 0.9
_GAP_SD_MM = 0.25  # least SD of a gap when the uncertainty is stated; false matches hide in smaller ones


@dataclass(frozen=True, eq=False)
class ShiftEstimate:
    """The most consistent displacements found.

    Attributes:
        shifts_mm: (V, 3) further displacement of the patient in each view, LPS; view 0 stays. Of two views, what they
            hardly tell is held back, see `held_back`.
        covariance: (3 (V - 1), 3 (V - 1)) in mm^2 of what the masks tell, with a prior of 10 mm along each axis.
        consistency: at these displacements.
        agreement: of the frontier points before anything was held back: whether the masks have enough in common.
        curves: the vote of each searched pair of views.
        warnings: what a reader should mind, one sentence each.
    """

    shifts_mm: Array
    covariance: Array
    consistency: Consistency
    agreement: float
    curves: dict[tuple[int, int], VoteCurve]
    warnings: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Candidate:
    """A refined displacement of every view and what the masks say about it."""

    shifts_mm: Array
    solution: ShiftSolution | None
    consistency: Consistency


def estimate_shifts(scene: Scene, progress: Progress) -> ShiftEstimate:
    """Return the displacements that make the views of `scene` (at least one pair) most consistent."""
    found, curves, warnings = {}, {}, []
    for count, pair in enumerate(scene.pairs):
        progress(0.8 * count / len(scene.pairs), f"searching the shift between views {pair[0]} and {pair[1]}")
        candidates, curve = _pair_candidates(scene.only(pair))
        found[pair] = candidates[0]
        if curve is not None:
            curves[pair] = curve
        warnings += _rivals(candidates, pair)
    best = found[scene.pairs[0]]
    if len(scene.cameras) > 2:
        progress(0.8, "combining the pairs of views")
        best = _combined(scene, found)
    covariance = _stated_covariance(best.solution, len(scene.cameras))
    held = _held(scene, best) if len(scene.cameras) == 2 else best
    agreement = best.consistency.agreement
    return ShiftEstimate(held.shifts_mm, covariance, held.consistency, agreement, curves, tuple(warnings))


def _pair_candidates(scene: Scene) -> tuple[list[_Candidate], VoteCurve | None]:
    """Return the candidates for two views, best first, and the vote (None where landmarks decide)."""
    zero = np.zeros((2, 3))
    if scene.landmarks:
        start = solve_shifts(scene.landmarks, 2).shifts_mm
        return [_refined(scene, start)], None
    evidence = scene.evidence(zero)[0, 1]
    curve, peaks = vote(evidence)
    frame = evidence.frame
    starts = [np.stack([zero[0], p.along_n_mm * frame.n + p.along_m_mm * frame.m]) for p in peaks] or [zero]
    candidates = [_refined(scene, start) for start in starts]
    return sorted(candidates, key=lambda c: -c.consistency.score), curve


def _refined(scene: Scene, start_mm: Array) -> _Candidate:
    """Return the candidate that refinement reaches from `start_mm` (V, 3)."""
    shifts, solution = scene.refine(start_mm)
    return _Candidate(shifts, solution, scene.consistency(shifts))


def _held(scene: Scene, found: _Candidate) -> _Candidate:
    """Return the candidate for two views without what they can hardly tell."""
    if found.solution is None:
        return found
    n = epipolar_normal(*scene.cameras)
    shifts = np.stack([np.zeros(3), held_back(found.shifts_mm[1], found.solution.covariance, n)])
    return _Candidate(shifts, found.solution, scene.consistency(shifts))


def _combined(scene: Scene, found: dict[tuple[int, int], _Candidate]) -> _Candidate:
    """Return the best joint displacements from the pairs' own; each pair may be the one that erred."""
    pooled = [_pair_gaps(scene, pair, candidate) for pair, candidate in found.items()]
    choices = [pooled] + [pooled[:k] + pooled[k + 1 :] for k in range(len(pooled)) if len(pooled) > 1]
    candidates = []
    for choice in choices:
        if sum(len(gaps.gaps_mm) for gaps in choice):
            candidates.append(_refined(scene, solve_shifts(choice, len(scene.cameras)).shifts_mm))
    if not candidates:
        return _refined(scene, np.zeros((len(scene.cameras), 3)))
    return max(candidates, key=lambda c: c.consistency.score)


def _pair_gaps(scene: Scene, pair: tuple[int, int], candidate: _Candidate) -> Gaps:
    """Return the pair's matched points as gaps at the poses first stated."""
    evidence = scene.only(pair).evidence(candidate.shifts_mm)[0, 1]
    pixels_a, pixels_b, weights = evidence.correspondences(_POOL_GATE_MM)
    cameras = scene.cameras[pair[0]], scene.cameras[pair[1]]
    return Gaps(*pair, *ray_normals(*cameras, pixels_a, pixels_b), weights)


def _rivals(candidates: list[_Candidate], pair: tuple[int, int]) -> list[str]:
    """Return a note when a clearly different shift explains the masks of two views nearly as well."""
    best = candidates[0]
    for other in candidates[1:]:
        apart = float(np.linalg.norm(other.shifts_mm - best.shifts_mm))
        if apart > _RIVAL_MM and other.consistency.score > _RIVAL_SHARE * best.consistency.score:
            what = f"a shift {apart:.1f} mm away explains the masks nearly as well"
            return [f"views {pair[0]} and {pair[1]}: {what}; corresponding landmarks would settle it"]
    return []


def _stated_covariance(solution: ShiftSolution | None, n_views: int) -> Array:
    """Return the covariance with gaps no surer than 0.25 mm, between the solution's and the prior."""
    size = 3 * (n_views - 1)
    if solution is None:
        return np.eye(size) * PRIOR_MM**2
    information = np.linalg.inv(solution.covariance) - np.eye(size) / PRIOR_MM**2
    weaker = (solution.gap_sd_mm / max(solution.gap_sd_mm, _GAP_SD_MM)) ** 2
    return np.asarray(np.linalg.inv(weaker * information + np.eye(size) / PRIOR_MM**2), dtype=float)
