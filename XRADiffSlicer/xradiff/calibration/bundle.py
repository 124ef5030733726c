"""Bundle adjustment: angles, roll, shift, SOD and SID of all views but the first, with priors.

min sum_ik rho(|pi_k(X_i; theta_k) - x_ik|) + sum (change / prior)^2, rho the soft L1 loss. The points X_i are
not unknowns: they are triangulated anew for every trial of the poses (variable projection).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from ..datatypes import Acquisition
from ..geometry import Camera, triangulate
from ..geometry.camera import camera_from

__all__ = ["Track", "adjust"]

Array = NDArray[np.float64]
_FREE_ROLL_AND_SCALE = 8  # correspondences
# primary, secondary, roll (deg), shift x, y, z, SOD, SID (mm): prior SD, then the largest change
_PRIOR = np.array([1.0, 1.0, 0.5, 10.0, 10.0, 10.0, 10.0, 10.0])
_LIMIT = np.array([8.0, 8.0, 4.0, 40.0, 40.0, 40.0, 60.0, 60.0])
_ALWAYS = np.array([True, True, False, True, True, True, False, False])


@dataclass(frozen=True, eq=False)
class Track:
    """Corresponding pixels: `pixels[k]` (N, 2) in view `views[k]`, weights (N,)."""

    views: tuple[int, ...]
    pixels: tuple[Array, ...]
    weights: Array


def adjust(
    acquisitions: Sequence[Acquisition],
    shapes: Sequence[tuple[int, int]],
    tracks: Sequence[Track],
    start_mm: Array,
) -> tuple[Acquisition, ...]:
    """Return the acquisitions (view 0 unchanged) that fit `tracks` best.

    Args:
        acquisitions: as first stated; priors are about them.
        shapes: (rows, columns) of each image.
        tracks: correspondences; roll, SOD and SID are freed with 8 or more.
        start_mm: (V, 3) first guess of the further displacements.
    """
    moved = len(acquisitions) - 1
    enough = sum(len(track.weights) for track in tracks) >= _FREE_ROLL_AND_SCALE
    free = np.tile(np.full(8, True) if enough else _ALWAYS, moved)
    prior, limit = np.tile(_PRIOR, moved)[free], np.tile(_LIMIT, moved)[free]

    def poses(values: Array) -> list[Acquisition]:
        change = np.zeros(8 * moved)
        change[free] = values
        return [acquisitions[0]] + [
            _changed(acquisition, part)
            for acquisition, part in zip(acquisitions[1:], change.reshape(-1, 8), strict=True)
        ]

    def residuals(values: Array) -> Array:
        cameras = [camera_from(pose, shape) for pose, shape in zip(poses(values), shapes, strict=True)]
        return np.concatenate([values / prior, *(_reprojection(track, cameras) for track in tracks)])

    start = np.zeros((moved, 8))
    start[:, 3:6] = np.asarray(start_mm)[1:]
    first = np.clip(start.ravel()[free], -0.99 * limit, 0.99 * limit)
    fit = least_squares(residuals, first, bounds=(-limit, limit), x_scale=prior, loss=_loss(len(prior)), max_nfev=60)
    return tuple(poses(fit.x))


def _changed(acquisition: Acquisition, change: Array) -> Acquisition:
    """Return the acquisition changed by (primary, secondary, roll, shift x, y, z, SOD, SID)."""
    values = [float(value) for value in change]
    return replace(
        acquisition,
        primary_deg=float(np.clip(acquisition.primary_deg + values[0], -180, 180)),
        secondary_deg=float(np.clip(acquisition.secondary_deg + values[1], -90, 90)),
        roll_deg=acquisition.roll_deg + values[2],
        sod_mm=acquisition.sod_mm + values[6],
        sid_mm=acquisition.sid_mm + values[7],
    ).shifted(values[3:6])


def _reprojection(track: Track, cameras: Sequence[Camera]) -> Array:
    """Return the weighted distances in px, row and column, of the triangulated points to their pixels."""
    seen = [cameras[view] for view in track.views]
    points = triangulate(seen, track.pixels)
    off = [camera.project(points) - pixels for camera, pixels in zip(seen, track.pixels, strict=True)]
    weighted: Array = (np.stack(off) * np.sqrt(track.weights)[:, None]).ravel()
    return weighted


def _loss(plain: int) -> Callable[[Array], Array]:
    """Return soft L1 for reprojection residuals and plain squares for the first `plain` ones (the priors)."""

    def rho(squared: Array) -> Array:
        values = np.stack([squared, np.ones_like(squared), np.zeros_like(squared)])
        z = 1 + squared[plain:]
        values[:, plain:] = 2 * (np.sqrt(z) - 1), z**-0.5, -0.5 * z**-1.5
        return values

    return rho
