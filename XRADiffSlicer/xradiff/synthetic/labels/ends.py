"""Where a middle line ends: as far out as its tube needs to hold the vessel's volume.

A tube ends in half a ball around its last point. Whether the vessel's end is round, blunt or ragged, the last point
is put where that half ball (2/3 of the radius long as a cylinder) makes the volume right.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .rays import RAYS, STEP_MM, Line, Wall, frames_across, rays_in

__all__ = ["with_true_ends"]

Array = NDArray[np.float64]
ROUGH_RADII = 1.25  # a voxel path wanders in its last radius and reaches the vessel's outermost voxel
FITTED_RADII = 0.25  # a line that was fitted before ends in the middle of the end's half ball
_HEADING_MM = 1.5  # the heading is that of the last radius, or of so much in thin vessels
_FINE_MM = 0.1
_LEAST_POINTS = 3


def with_true_ends(line: Line, wall: Wall, *, rough: bool) -> Line:
    """Return the line with its free ends moved: the last point, and the first of a line without parent.

    Args:
        line: points about `STEP_MM` apart.
        wall: the label.
        rough: the line still ends where its voxel path ended.
    """
    back = ROUGH_RADII if rough else FITTED_RADII
    line = _with_true_end(line, wall, back)
    return line if line.parent >= 0 else _turned(_with_true_end(_turned(line), wall, back))


def _turned(line: Line) -> Line:
    """Return the line from its end to its begin."""
    return Line(line.points_mm[::-1], line.radii_mm[::-1], line.parent)


def _with_true_end(line: Line, wall: Wall, back: float) -> Line:
    """Return the line with its last `back` radii replaced by a straight way of the right length."""
    steps = np.linalg.norm(np.diff(line.points_mm, axis=0), axis=1)
    to_end = np.insert(np.cumsum(steps[::-1]), 0, 0.0)[::-1]
    near = float(np.median(line.radii_mm[to_end < max(4.0, to_end[0] / 4)]))
    kept = to_end >= back * near
    window = kept & (to_end <= back * near + max(near, _HEADING_MM))
    if window.sum() < _LEAST_POINTS:
        return line
    points, radii = line.points_mm[kept], line.radii_mm[kept]
    radius = float(np.median(line.radii_mm[window]))
    heading = points[-1] - line.points_mm[window][0]
    heading /= np.linalg.norm(heading)
    length = _length_ahead(wall, points[-1], heading, radius, back * near + 2.5 * radius) - 2 / 3 * radius
    if length <= 0:
        return Line(points, radii, line.parent)
    count = max(1, round(length / STEP_MM))
    more = points[-1] + np.linspace(0, length, count + 1)[1:, None] * heading
    ahead = np.full(count, radii[-2:].mean())
    return Line(np.concatenate([points, more]), np.concatenate([radii, ahead]), line.parent)


def _length_ahead(wall: Wall, start: Array, heading: Array, radius: float, reach_mm: float) -> float:
    """Return the length of the cylinder of `radius` that holds what lies ahead of `start`, up to `reach_mm`."""
    along = np.arange(0, reach_mm, _FINE_MM)
    rays = rays_in(frames_across(np.stack([np.zeros(3), heading]))[:1])
    rays = np.broadcast_to(rays, (len(along), RAYS, 3))
    points = start + along[:, None] * heading
    reach = np.full(len(along), 1.5 * radius + 2 * wall.spacing.min())
    area = (wall.distance_mm(points, rays, reach) ** 2).mean(axis=1) / radius**2
    return float(np.minimum.accumulate(np.minimum(area, 1.0)).sum() * _FINE_MM)
