"""The rigid motion that best lays one set of points on another, for results whose place is not observable."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from ..errors import InputError

__all__ = ["RigidAlignment", "align_points"]

Array = NDArray[np.float64]
SCALES_MM = (8.0, 4.0, 2.0, 1.0)  # distances that begin to count less, from coarse to fine
MOST_POINTS = 4000
STEPS = 25  # at most, at each scale
STILL_MM = 0.01


@dataclass(frozen=True, eq=False)
class RigidAlignment:
    """p -> rotation p + translation_mm, LPS mm.

    Attributes:
        rotation: (3, 3) proper rotation.
        translation_mm: (3,).
    """

    rotation: Array
    translation_mm: Array

    @classmethod
    def none(cls) -> RigidAlignment:
        """Return the motion that leaves all points where they are."""
        return cls(np.eye(3), np.zeros(3))

    def apply(self, points_lps_mm: ArrayLike) -> Array:
        """Return the moved points (N, 3)."""
        moved: Array = np.asarray(points_lps_mm, dtype=float) @ self.rotation.T + self.translation_mm
        return moved

    def undo(self, points_lps_mm: ArrayLike) -> Array:
        """Return the points (N, 3) that `apply` moves onto these."""
        moved: Array = (np.asarray(points_lps_mm, dtype=float) - self.translation_mm) @ self.rotation
        return moved

    @property
    def angle_deg(self) -> float:
        """Angle of the rotation."""
        return float(np.rad2deg(np.arccos(np.clip((np.trace(self.rotation) - 1) / 2, -1, 1))))


def align_points(moving_lps_mm: Array, fixed_lps_mm: Array) -> RigidAlignment:
    """Return the rigid motion of `moving_lps_mm` (N, 3) onto `fixed_lps_mm` (M, 3).

    Iterative closest points (Besl and McKay 1992, doi:10.1109/34.121791) with pairs from both
    directions. False and missing branches have no partner; a pair at distance d therefore weighs
    1 / (1 + (d/s)^2)^2 (Geman-McClure), s falling from 8 to 1 mm. It begins once as given and once
    with the centroids on each other; of both ends and of no motion the one counts whose pairs fit
    best at 1 mm. Rotation and translation, no scale. Large sets are thinned to about 4000 points,
    always the same ones.

    Raises:
        InputError: fewer than 3 points in a set.
    """
    if len(moving_lps_mm) < 3 or len(fixed_lps_mm) < 3:
        raise InputError(f"an alignment needs 3 points or more, got {len(moving_lps_mm)} and {len(fixed_lps_mm)}")
    pairs = _Pairs(_thinned(moving_lps_mm), _thinned(fixed_lps_mm))
    still = RigidAlignment.none()
    onto = RigidAlignment(np.eye(3), pairs.fixed.mean(axis=0) - pairs.moving.mean(axis=0))
    candidates = [still, *(_refined(pairs, begin) for begin in (still, onto))]
    return min(candidates, key=lambda motion: pairs.misfit(motion, SCALES_MM[-1]))


class _Pairs:
    """Two point sets, and who is closest to whom after a motion."""

    def __init__(self, moving: Array, fixed: Array) -> None:
        self.moving, self.fixed = moving, fixed
        self._of_moving, self._of_fixed = cKDTree(moving), cKDTree(fixed)

    def closest(self, motion: RigidAlignment) -> tuple[Array, Array, Array, Array]:
        """Return sources and targets (P, 3), distances (P,), and weights (P,) that give both directions the same."""
        there, to_fixed = self._of_fixed.query(motion.apply(self.moving))
        back, to_moving = self._of_moving.query(motion.undo(self.fixed))
        sources = np.concatenate([self.moving, self.moving[to_moving]])
        targets = np.concatenate([self.fixed[to_fixed], self.fixed])
        equal = np.concatenate([np.full(len(there), 1 / len(there)), np.full(len(back), 1 / len(back))])
        return sources, targets, np.concatenate([there, back]), equal

    def misfit(self, motion: RigidAlignment, scale_mm: float) -> float:
        """Return the mean of d^2 / (s^2 + d^2) of both directions: 0 fits, 1 has nothing in common."""
        _, _, distance, equal = self.closest(motion)
        return float(np.sum(equal * distance**2 / (scale_mm**2 + distance**2)) / 2)


def _thinned(points: Array) -> Array:
    return points[:: max(1, -(-len(points) // MOST_POINTS))]


def _refined(pairs: _Pairs, motion: RigidAlignment) -> RigidAlignment:
    """Return where the iteration that begins with `motion` ends."""
    for scale_mm in SCALES_MM:
        for _ in range(STEPS):
            sources, targets, distance, equal = pairs.closest(motion)
            following = _best_motion(sources, targets, equal / (1 + (distance / scale_mm) ** 2) ** 2)
            step = np.abs(following.apply(pairs.moving) - motion.apply(pairs.moving)).max()
            motion = following
            if step < STILL_MM:
                break
    return motion


def _best_motion(sources: Array, targets: Array, weights: Array) -> RigidAlignment:
    """Weighted least squares over pairs (Kabsch 1976, doi:10.1107/S0567739476001873)."""
    a, b = np.average(sources, axis=0, weights=weights), np.average(targets, axis=0, weights=weights)
    u, _, vt = np.linalg.svd((weights[:, None] * (sources - a)).T @ (targets - b))
    flip = np.diag([1.0, 1.0, np.sign(np.linalg.det(vt.T @ u.T))])
    rotation = vt.T @ flip @ u.T
    return RigidAlignment(rotation, b - rotation @ a)
