"""How vessels wind: smooth waves across the course, mostly along the heart's surface. Our own model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["wound"]

Array = NDArray[np.float64]
_WAVES = 2
_WAVELENGTH_MM = (16.0, 45.0)
_SLOPE = 0.2  # of one wave of a vessel with tortuosity 1; 2.2 gives bends of 45 deg
_INWARD = 0.35  # out of the surface, relative to along it
_RAMP_MM = 12.0  # a vessel leaves straight


def wound(curve: Array, normals: Array, rng: np.random.Generator, tortuosity: float) -> Array:
    """Return `curve` (N, 3) in mm with windings; its first point stays.

    Args:
        curve: points of the straight course, evenly spaced.
        normals: (N, 3) unit normals of the surface it runs on.
        rng: the only source of chance.
        tortuosity: 0 leaves it as it is, 1 is usual, from about 2 there are bends of 45 deg.
    """
    steps = np.linalg.norm(np.diff(curve, axis=0), axis=1)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    tangents = np.gradient(curve, axis=0)
    across = np.cross(normals, tangents)
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-9)
    ramp = 1 - np.exp(-((along / _RAMP_MM) ** 2))
    return curve + ramp[:, None] * (
        _waves(along, rng, tortuosity)[:, None] * across + _INWARD * _waves(along, rng, tortuosity)[:, None] * normals
    )


def _waves(along_mm: Array, rng: np.random.Generator, tortuosity: float) -> Array:
    """Return the displacement (N,) in mm."""
    result = np.zeros_like(along_mm)
    for _ in range(_WAVES):
        wavelength = rng.uniform(*_WAVELENGTH_MM)
        height = tortuosity * _SLOPE * wavelength / (2 * np.pi) * rng.uniform(0.5, 1.3)
        result += height * np.sin(2 * np.pi * along_mm / wavelength + rng.uniform(0, 2 * np.pi))
    return result
