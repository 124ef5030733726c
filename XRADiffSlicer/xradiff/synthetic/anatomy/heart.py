"""The heart that carries the coronary arteries: its epicardial surface and its long axis, in the mean frame.

The mean frame is that of the landmarks: patient LPS, mm, origin at the left ostium. The surface is an
ellipsoid fitted to the epicardial landmarks (2.5 mm rms), bent smoothly towards them.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from .landmarks import LANDMARKS, position_lps_mm

__all__ = ["APEX_LPS_MM", "BASE_LPS_MM", "EPICARDIAL", "ellipsoid_radius_mm", "outward", "to_epicardium"]

Array = NDArray[np.float64]
_NOT_EPICARDIAL = (
    "RCA ostium", "LM mid", "L1 proximal", "C1 proximal", "R1 proximal", "MR origin", "S1 mid", "S2 mid", "S3 mid",
)  # fmt: skip
EPICARDIAL = tuple(name for name in LANDMARKS if name not in _NOT_EPICARDIAL)
"""Landmarks that lie on the heart's surface; the others are at the aorta, below the atria or in the septum."""

CENTRE_LPS_MM = np.array([10.0, -32.7, -49.6])
_SEMI_AXES_MM = np.array([50.8, 61.8, 43.6])
_AXES = Rotation.from_matrix([[0.867, -0.466, 0.176], [0.490, 0.737, -0.465], [0.087, 0.489, 0.868]]).as_matrix()
_REACH_RAD = 0.4  # how far along the surface a landmark bends it
_STIFFNESS = 0.3  # 0 passes through every landmark, whose own mean is only known to 2-3 mm

BASE_LPS_MM = CENTRE_LPS_MM + 0.35 * _SEMI_AXES_MM[1] * _AXES[:, 1]
"""Middle of the atrioventricular plane."""
APEX_LPS_MM = CENTRE_LPS_MM - _SEMI_AXES_MM[1] * _AXES[:, 1]
"""The end of the long axis."""


def ellipsoid_radius_mm(directions: Array) -> Array:
    """Return the ellipsoid's distance (N,) from its centre along unit `directions` (N, 3)."""
    radius: Array = 1 / np.linalg.norm(directions @ _AXES / _SEMI_AXES_MM, axis=-1)
    return radius


def outward(points: Array) -> Array:
    """Return the unit outward normals (N, 3) of the ellipsoids through `points` (N, 3)."""
    gradient = (points - CENTRE_LPS_MM) @ _AXES / _SEMI_AXES_MM**2 @ _AXES.T
    return gradient / np.linalg.norm(gradient, axis=-1, keepdims=True)


def to_epicardium(points: Array) -> Array:
    """Return `points` (N, 3) moved along the rays from the heart's centre onto the epicardial surface."""
    offset = points - CENTRE_LPS_MM
    directions = offset / np.linalg.norm(offset, axis=-1, keepdims=True)
    nodes, weights = _bend()
    bend = _kernel(directions @ nodes.T) @ weights
    return CENTRE_LPS_MM + directions * (ellipsoid_radius_mm(directions) * np.exp(bend))[:, None]


@lru_cache
def _bend() -> tuple[Array, Array]:
    """Return the landmarks' directions (N, 3) and weights (N,) of the surface's bend (log of a factor)."""
    offset = np.array([position_lps_mm(name) for name in EPICARDIAL]) - CENTRE_LPS_MM
    distance = np.linalg.norm(offset, axis=1)
    nodes = offset / distance[:, None]
    residual = np.log(distance / ellipsoid_radius_mm(nodes))
    kernel = _kernel(nodes @ nodes.T)
    return nodes, np.linalg.solve(kernel + _STIFFNESS * np.eye(len(nodes)), residual)


def _kernel(cosines: Array) -> Array:
    return np.exp((np.minimum(cosines, 1) - 1) / _REACH_RAD**2)  # 1 - cos is half the squared angle
