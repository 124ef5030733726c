"""What one sees of a vessel's wall from inside: rays in the planes across a middle line.

The label's 0 and 1, interpolated between voxels, keep their volume, so that the integral along a ray gives the
wall to a fraction of a voxel. A threshold on a distance map, in contrast, loses volume in thin vessels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["RAYS", "STEP_MM", "Line", "Wall", "frames_across", "rays_in", "resampled"]

Array = NDArray[np.float64]
RAYS = 24
STEP_MM = 0.5
_DEPTHS = 28


@dataclass(frozen=True, eq=False)
class Line:
    """One branch's middle line.

    Attributes:
        points_mm: (N, 3) along the label's own axes (index times spacing), mm.
        radii_mm: (N,) area-equivalent radius.
        parent: number of the line it leaves, -1 for the first.
    """

    points_mm: Array
    radii_mm: Array
    parent: int = -1


class Wall:
    """A label asked for the distance of its wall.

    Args:
        inside: (I, J, K) label; voxel (0, 0, 0) lies at 0 mm.
        spacing_mm: voxel edges.
    """

    def __init__(self, inside: NDArray[np.bool_], spacing_mm: tuple[float, float, float]) -> None:
        self.spacing = np.asarray(spacing_mm)
        self._values = np.pad(inside, 1).astype(np.float32)

    def distance_mm(self, points: Array, rays: Array, reach_mm: Array) -> Array:
        """Return the distance (N, R) of the wall from `points` (N, 3) along `rays` (N, R, 3).

        It is area-true: half its square is the integral of the label's value times the distance, up to
        `reach_mm` (N,). What lies behind the first fall of the value (a neighbouring vessel) does not count.
        """
        away = reach_mm[:, None] * (np.arange(_DEPTHS) + 0.5) / _DEPTHS
        sampled = points[:, None, None] + rays[:, :, None] * away[:, None, :, None]
        where = (sampled / self.spacing + 1).reshape(-1, 3).T
        value = ndimage.map_coordinates(self._values, where, order=1, mode="constant").reshape(sampled.shape[:3])
        value = np.minimum.accumulate(value, axis=2)
        distance: Array = np.sqrt(
            2 * np.maximum((value * away[:, None]).sum(axis=2), 0) * (reach_mm / _DEPTHS)[:, None]
        )
        return distance


def frames_across(points: Array) -> Array:
    """Return two unit vectors (N, 2, 3) across the line at each point; they turn as little as possible."""
    smooth = ndimage.gaussian_filter1d(points, 1.5, axis=0, mode="nearest")
    along = np.gradient(smooth, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1), 1e-12)[:, None]
    frames = np.empty((len(points), 2, 3))
    first = np.eye(3)[np.argmin(np.abs(along[0]))]
    for number, direction in enumerate(along):
        first = first - (first @ direction) * direction
        first = first / max(float(np.linalg.norm(first)), 1e-12)
        frames[number] = first, np.cross(direction, first)
    return frames


def rays_in(frames: Array) -> Array:
    """Return the unit directions (N, RAYS, 3) of evenly spread rays in the planes of `frames` (N, 2, 3)."""
    angle = np.arange(RAYS) * 2 * np.pi / RAYS
    rays: Array = np.einsum("ar,nax->nrx", np.stack([np.cos(angle), np.sin(angle)]), frames)
    return rays


def resampled(line: Line) -> Line:
    """Return the line with evenly spread points, `STEP_MM` apart or a little less."""
    along = np.insert(np.cumsum(np.linalg.norm(np.diff(line.points_mm, axis=0), axis=1)), 0, 0.0)
    wanted = np.linspace(0, along[-1], max(2, int(np.ceil(along[-1] / STEP_MM)) + 1))
    points = np.stack([np.interp(wanted, along, line.points_mm[:, axis]) for axis in range(3)], axis=1)
    return Line(points, np.interp(wanted, along, line.radii_mm), line.parent)
