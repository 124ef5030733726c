"""Contrast agent along the vessels in time: a bolus that enters at the ostium, travels and washes out."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...checks import check_range
from ..tubes import TubeTree

__all__ = ["Bolus", "cone_distance_mm", "concentration"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Bolus:
    """One injection; our own simple model, not fitted to measured curves.

    Attributes:
        start_ms: when contrast agent enters the ostium, from the first frame.
        duration_ms: how long it is injected.
        speed_mm_s: how fast the front travels along the vessels.
        rise_ms: from 0 to full concentration where the front passes.
        washout_ms: time constant of the decay after the injection.
    """

    start_ms: float = 150.0
    duration_ms: float = 1400.0
    speed_mm_s: float = 180.0
    rise_ms: float = 250.0
    washout_ms: float = 500.0

    def __post_init__(self) -> None:
        for field in fields(self):
            open_minimum = field.name != "start_ms"
            check_range(f"bolus {field.name}", getattr(self, field.name), 0, 1e6, open_minimum=open_minimum)


def cone_distance_mm(tree: TubeTree) -> Array:
    """Return the distance (M,) in mm along the vessels from the ostium to the middle of each round cone.

    The first tube begins at the ostium; each further tube where its first point lies nearest to a tube
    before it. The order of cones is that of `tubes.cones`.
    """
    points, distances, middles = np.zeros((0, 3)), np.zeros(0), []
    for tube in tree.tubes:
        steps = np.linalg.norm(np.diff(tube.points_lps_mm, axis=0), axis=1)
        start = 0.0
        if len(points):
            start = float(distances[np.argmin(np.linalg.norm(points - tube.points_lps_mm[0], axis=1))])
        along = start + np.concatenate([[0.0], np.cumsum(steps)])
        middles.append((along[:-1] + along[1:]) / 2)
        points, distances = np.concatenate([points, tube.points_lps_mm]), np.concatenate([distances, along])
    return np.concatenate(middles)


def concentration(bolus: Bolus, time_ms: float, distance_mm: ArrayLike) -> Array:
    """Return the concentration (...) in [0, 1] at `time_ms` at distances (...) from the ostium."""
    since = time_ms - bolus.start_ms - np.asarray(distance_mm, dtype=float) / bolus.speed_mm_s * 1000
    share = np.clip(since / bolus.rise_ms, 0, 1)
    rising = share * share * (3 - 2 * share)
    falling: Array = rising * np.exp(-np.maximum(since - bolus.duration_ms, 0) / bolus.washout_ms)
    return falling
