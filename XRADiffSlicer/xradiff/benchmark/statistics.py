"""Mean over cases with its bootstrapped confidence interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..checks import check_range

__all__ = ["Interval", "bootstrap_mean"]

RESAMPLES = 2000
SEED = 0
CHUNK = 2_000_000  # numbers drawn at once


@dataclass(frozen=True)
class Interval:
    """A mean over cases.

    Attributes:
        mean: of the finite values, NaN where there is none.
        low: lower end of the interval; the mean itself for a single case.
        high: upper end.
        count: finite values.
        missing: values that are infinite or NaN, left out of the mean.
    """

    mean: float
    low: float
    high: float
    count: int
    missing: int


def bootstrap_mean(values: Sequence[float], level: float = 0.95) -> Interval:
    """Return the mean and its percentile bootstrap interval (Efron 1979, doi:10.1214/aos/1176344552).

    2000 resamples over cases from a fixed seed: the same values give the same interval. With few
    cases (below about 10) such intervals are too narrow.

    Raises:
        InputError: a level outside (0, 1].
    """
    check_range("confidence level", level, 0, 1, open_minimum=True)
    given = np.asarray(values, dtype=float)
    finite = given[np.isfinite(given)]
    missing = given.size - finite.size
    if finite.size == 0:
        return Interval(math.nan, math.nan, math.nan, 0, missing)
    rng, means = np.random.default_rng(SEED), []
    rows = max(1, CHUNK // finite.size)
    for begin in range(0, RESAMPLES, rows):
        count = min(rows, RESAMPLES - begin)
        means.append(finite[rng.integers(finite.size, size=(count, finite.size))].mean(axis=1))
    low, high = np.quantile(np.concatenate(means), [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(finite.mean()), float(low), float(high), int(finite.size), missing)
