"""Search for the shift between two views, from frontier points alone.

A frontier point of view A may belong to any of the same kind and width in view B; each such pair says
exactly which shift along n would close the gap between its rays. True pairs agree, false ones are spread
over the range: votes are counted with a kernel, for a few trial shifts along m (which scale the image and
so smear the votes), and the highest peaks are refined in closed form and judged by their consistency.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .evidence import PairEvidence, affinity
from .frame import ray_normals

__all__ = ["RANGE_MM", "Peak", "VoteCurve", "vote"]

Array = NDArray[np.float64]
RANGE_MM = 25.0
_STEP_MM = 0.1
_KERNEL_MM = 0.5
_TRIALS_M_MM = (-14.0, -7.0, 0.0, 7.0, 14.0)
_TRIAL_SD_MM = 20.0
_PEAKS_PER_TRIAL = 8
_PEAKS = 10
_DISTINCT_MM = 0.4


@dataclass(frozen=True)
class Peak:
    """A candidate shift: n tau + m mu, and its share of votes."""

    share: float
    along_n_mm: float
    along_m_mm: float


@dataclass(frozen=True, eq=False)
class VoteCurve:
    """Shares of votes (T,) for shifts (T,) along n in mm (the best over the trial shifts along m)."""

    shift_mm: Array
    share: Array


def vote(evidence: PairEvidence) -> tuple[VoteCurve, list[Peak]]:
    """Return the vote over shifts of view B within +-25 mm along n and its highest peaks, best first."""
    tau = np.linspace(-RANGE_MM, RANGE_MM, round(2 * RANGE_MM / _STEP_MM) + 1)
    weights = affinity(evidence.first, evidence.second)
    i, j = np.nonzero(weights)
    frame = evidence.frame
    normals, gaps = ray_normals(frame.a, frame.b, evidence.first.pixels[i], evidence.second.pixels[j])
    total = max(float(evidence.first.weights.sum() + evidence.second.weights.sum()), 1e-9)
    envelope, peaks = np.zeros_like(tau), []
    for mu in _TRIALS_M_MM:
        needed = (gaps - mu * (normals @ frame.m)) / (normals @ frame.n)
        votes = weights[i, j][:, None] * np.exp(-0.5 * ((needed[:, None] - tau) / _KERNEL_MM) ** 2)
        share = sum(_best_of(votes, index, size) for index, size in zip((i, j), weights.shape, strict=True))
        share = share / total * np.exp(-0.5 * (mu / _TRIAL_SD_MM) ** 2)
        envelope = np.maximum(envelope, share)
        peaks += [Peak(float(share[k]), float(tau[k]), mu) for k in _local_maxima(share)]
    return VoteCurve(tau, envelope), _distinct(peaks)


def _best_of(votes: Array, index: NDArray[np.intp], size: int) -> Array:
    """Return the sum (T,) over frontier points of the best vote that each one casts."""
    best = np.zeros((size, votes.shape[1]))
    np.maximum.at(best, index, votes)
    total: Array = best.sum(axis=0)
    return total


def _local_maxima(share: Array) -> NDArray[np.intp]:
    """Return the indices of the highest local maxima, best first."""
    inner = np.flatnonzero((share[1:-1] >= share[:-2]) & (share[1:-1] > share[2:])) + 1
    return inner[np.argsort(-share[inner], kind="stable")][:_PEAKS_PER_TRIAL]


def _distinct(peaks: Sequence[Peak]) -> list[Peak]:
    """Return the highest peaks, without near repetitions."""
    kept: list[Peak] = []
    for peak in sorted(peaks, key=lambda p: -p.share):
        repeated = any(
            abs(peak.along_n_mm - other.along_n_mm) < _DISTINCT_MM and peak.along_m_mm == other.along_m_mm
            for other in kept
        )
        if not repeated and len(kept) < _PEAKS:
            kept.append(peak)
    return kept
