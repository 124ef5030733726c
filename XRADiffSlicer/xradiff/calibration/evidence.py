"""What two masks say about the poses of their views: matched frontier points, coverage, crossing counts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry import Camera
from .closed_form import Gaps
from .frame import PairFrame, pair_frame, ray_normals
from .frontier import FrontierPoints, frontier_points
from .outline import Outline

__all__ = ["Consistency", "Matches", "PairEvidence", "affinity", "compare", "mean_consistency"]

Array = NDArray[np.float64]
_AGREE_MM = 0.25  # kernel of the agreement between matched frontier points
_WIDTH_SD = 0.35  # of the logarithm of the ratio of the vessel's widths in two views
_LEAST_AFFINITY = 0.05
_LARGEST_GAP_MM = 5.0
_FARTHEST_MATCH_MM = 3.0
_FEWEST_MATCHES = 4
_COVERAGE_SCALE = 0.1
_BIN_MM = 0.25


@dataclass(frozen=True)
class Consistency:
    """How well two silhouettes fit together (means over pairs when there are more views).

    Attributes:
        coverage: share (0 to 1) of the vessels' extent across the epipolar planes whose plane also meets the
            other mask, mean of both directions.
        crossing_overlap: sum over planes of the smaller count of vessels that cross it, divided by the sum of
            the larger (0 to 1); overlapping vessels keep it below 1.
        agreement: share (0 to 1) of the frontier points' weight that has a partner within about 0.25 mm.
        frontier_gap_mm: weighted mean distance of a frontier point to the nearest of its kind (at most 5 mm).
        matched_gap_mm: weighted median distance of frontier points that are each other's nearest, of those less than
            3 mm apart; not a number where there are fewer than four.
    """

    coverage: float
    crossing_overlap: float
    agreement: float
    frontier_gap_mm: float
    matched_gap_mm: float

    @property
    def score(self) -> float:
        """One number to rank poses with, 0 to 1: agreement x overlap^2 x exp(-(1 - coverage) / 0.1)."""
        blame = float(np.exp(-(1 - self.coverage) / _COVERAGE_SCALE))
        return self.agreement * self.crossing_overlap**2 * blame

    def to_dict(self) -> dict[str, float | None]:
        """Return the numbers by name, ready for JSON; None for what is not a number."""
        names = ("coverage", "crossing_overlap", "agreement", "frontier_gap_mm", "matched_gap_mm", "score")
        found = {name: round(float(getattr(self, name)), 5) for name in names}
        return {name: None if math.isnan(value) else value for name, value in found.items()}


@dataclass(frozen=True, eq=False)
class Matches:
    """Frontier points that are each other's nearest of the same kind: (P,) indices, gaps and weights."""

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    gaps_mm: Array
    weights: Array


@dataclass(frozen=True, eq=False)
class PairEvidence:
    """Two views compared at their present poses."""

    frame: PairFrame
    first: FrontierPoints
    second: FrontierPoints
    matches: Matches
    consistency: Consistency

    def correspondences(self, gate_mm: float) -> tuple[Array, Array, Array]:
        """Return pixels in A (P, 2), pixels in B (P, 2) and weights (P,) of matches closer than `gate_mm`."""
        kept = np.abs(self.matches.gaps_mm) < gate_mm
        i, j = self.matches.first[kept], self.matches.second[kept]
        return self.first.pixels[i], self.second.pixels[j], self.matches.weights[kept]

    def gaps(self, gate_mm: float, pair: tuple[int, int]) -> Gaps:
        """Return the matches closer than `gate_mm` as gaps between views `pair`."""
        pixels_a, pixels_b, weights = self.correspondences(gate_mm)
        return Gaps(*pair, *ray_normals(self.frame.a, self.frame.b, pixels_a, pixels_b), weights)


def compare(outline_a: Outline, outline_b: Outline, a: Camera, b: Camera) -> PairEvidence:
    """Return what the masks say about cameras `a` and `b`.

    Raises:
        InputError: the two views look along the same line.
    """
    frame = pair_frame(a, b, outline_a.centre, outline_b.centre)
    first, second = frontier_points(outline_a, frame, a), frontier_points(outline_b, frame, b)
    _, gaps = ray_normals(a, b, first.pixels[:, None], second.pixels[None])
    size = np.where(affinity(first, second) > 0, np.abs(gaps), np.inf)
    matches = _mutual_nearest(size, gaps, affinity(first, second))
    counts = _crossing_counts(outline_a, outline_b, frame)
    return PairEvidence(frame, first, second, matches, _consistency(first, second, size, matches, counts))


def affinity(first: FrontierPoints, second: FrontierPoints) -> Array:
    """Return (N, M) weights of possible correspondences: 0 for different kinds or very different widths."""
    ratio = np.log(first.half_widths_mm[:, None] / second.half_widths_mm[None])
    alike = np.exp(-0.5 * (ratio / _WIDTH_SD) ** 2)
    alike *= (first.kinds[:, None] == second.kinds[None]) & (alike > _LEAST_AFFINITY)
    weights: Array = alike * np.sqrt(first.weights[:, None] * second.weights[None])
    return weights


def mean_consistency(parts: list[Consistency]) -> Consistency:
    """Return the mean of each number over pairs of views (at least one)."""
    names = ("coverage", "crossing_overlap", "agreement", "frontier_gap_mm", "matched_gap_mm")
    return Consistency(*(float(np.mean([getattr(part, name) for part in parts])) for name in names))


def _mutual_nearest(size: Array, gaps: Array, weights: Array) -> Matches:
    """Match rows and columns of `size` (N, M) that choose each other; infinite entries never match."""
    if size.size == 0:
        none = np.zeros(0, dtype=np.intp)
        return Matches(none, none, np.zeros(0), np.zeros(0))
    nearest = size.argmin(axis=1)
    mutual = size.argmin(axis=0)[nearest] == np.arange(len(size))
    i = np.flatnonzero(mutual & np.isfinite(size.min(axis=1)))
    j = nearest[i]
    return Matches(i, j, gaps[i, j], weights[i, j])


def _consistency(
    first: FrontierPoints, second: FrontierPoints, size: Array, matches: Matches, counts: tuple[Array, Array]
) -> Consistency:
    """Return the numbers of `Consistency` from the parts of a comparison."""
    weights = np.concatenate([first.weights, second.weights])
    total = max(float(weights.sum()), 1e-9)
    kernel = np.exp(-0.5 * (matches.gaps_mm / _AGREE_MM) ** 2)
    nearest = np.concatenate([size.min(axis=1, initial=np.inf), size.min(axis=0, initial=np.inf)])
    gap = float((weights * np.minimum(nearest, _LARGEST_GAP_MM)).sum()) / total
    one, two = counts
    covered = [(x * (y > 0)).sum() / max(x.sum(), 1e-9) for x, y in ((one, two), (two, one))]
    overlap = np.minimum(one, two).sum() / max(np.maximum(one, two).sum(), 1e-9)
    agreement = 2 * float((matches.weights * kernel).sum()) / total
    matched = _weighted_median(np.abs(matches.gaps_mm), matches.weights)
    return Consistency(float(np.mean(covered)), float(overlap), agreement, gap, matched)


def _weighted_median(gaps_mm: Array, weights: Array) -> float:
    """Return the weighted median of the gaps (P,) that may be matches at all."""
    near = gaps_mm < _FARTHEST_MATCH_MM
    if near.sum() < _FEWEST_MATCHES:
        return float("nan")
    order = np.argsort(gaps_mm[near])
    shares = np.cumsum(weights[near][order])
    return float(gaps_mm[near][order][np.searchsorted(shares, 0.5 * shares[-1])])


def _crossing_counts(outline_a: Outline, outline_b: Outline, frame: PairFrame) -> tuple[Array, Array]:
    """Return how many vessels (T,) cross each epipolar plane, planes 0.25 mm apart, in both views.

    Half the number of times that the outline crosses the plane.
    """
    along = [
        [frame.coordinate_mm(camera, curve) for curve in outline.curves]
        for outline, camera in ((outline_a, frame.a), (outline_b, frame.b))
    ]
    every = np.concatenate([np.zeros(1), *along[0], *along[1]])
    low, planes = every.min() - _BIN_MM, int(np.ceil(np.ptp(every) / _BIN_MM)) + 3
    return _counts(along[0], low, planes), _counts(along[1], low, planes)


def _counts(curves: list[Array], low: float, planes: int) -> Array:
    """Return the crossings of planes low + k 0.25 mm, k = 0 .. planes - 1, by closed curves of s."""
    change = np.zeros(planes + 1)
    for s in curves:
        ends = np.sort(np.stack([s, np.roll(s, -1)]), axis=0)
        cell = np.ceil((ends - low) / _BIN_MM).astype(int)
        np.add.at(change, cell[0], 0.5)
        np.add.at(change, cell[1], -0.5)
    counts: Array = np.cumsum(change)[:-1]
    return counts
