"""Rough middle lines -> lines in the middle of their vessels, with radii, from what rays see of the wall.

A few rounds of: measure the wall in the planes across, shift to the middle, let branches begin on their
parents, put the ends where they belong. Rays that leave through the mouth of another branch tell nothing
about the own wall and are left out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from .ends import with_true_ends
from .rays import RAYS, Line, Wall, frames_across, rays_in, resampled

__all__ = ["fit_lines"]

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
_ROUNDS = 3
_ALONG = 1.6  # sections are averaged over this many points along the line (SD)
_SHIFT_ALONG = 1.0  # so are shifts
_BEHIND = 1.1  # a ray is open if this many radii from the middle another branch's vessel lies
_LEAST_CLOSED = 0.5  # share of the rays that must meet the own wall
_LEAST_RADIUS_MM = 0.15
_LEAST_SHARE = 0.4  # of the branch's median radius; a section below it lies in a gap of the label
_FIRST = 10  # a branch is as wide inside its parent as in its first measured points


def fit_lines(wall: Wall, lines: list[Line]) -> list[Line]:
    """Return `lines` (rough points and radii, parents before children) fitted to the label."""
    for number in range(_ROUNDS):
        lines = [_fitted(wall, lines, index) for index in range(len(lines))]
        lines = [_begun_on_parent(line, lines) for line in lines]
        lines = [with_true_ends(line, wall, rough=number == 0) for line in lines]
    return lines


def _fitted(wall: Wall, lines: list[Line], index: int) -> Line:
    """Return one line after one round of measuring and recentring."""
    line = resampled(lines[index])
    frames = frames_across(line.points_mm)
    rays = rays_in(frames)
    distance = wall.distance_mm(line.points_mm, rays, 1.7 * line.radii_mm + 2 * wall.spacing.max())
    distance = np.sqrt(ndimage.gaussian_filter1d(distance**2, _ALONG, axis=0, mode="nearest"))
    behind = line.points_mm[:, None] + rays * _BEHIND * line.radii_mm[:, None, None]
    closed = ~_in_others(behind, lines, index)
    radius, shift = _circle(distance, closed)
    usable = (closed.mean(axis=1) >= _LEAST_CLOSED) & (radius > _LEAST_RADIUS_MM)
    if usable.any():
        usable &= radius > _LEAST_SHARE * np.median(radius[usable])
    if not usable.any():
        return line
    shift = np.clip(shift, -0.5 * radius[:, None], 0.5 * radius[:, None]) * usable[:, None]
    offset = (shift[:, :, None] * frames).sum(axis=1)
    offset = ndimage.gaussian_filter1d(offset, _SHIFT_ALONG, axis=0, mode="nearest")
    return Line(line.points_mm + offset, _filled(radius, usable), line.parent)


def _in_others(points: Array, lines: list[Line], index: int) -> Flags:
    """Tell which points (N, R, 3) lie inside the vessel of another line.

    With a fourth coordinate sqrt(R^2 - r^2) the nearest neighbour is that of least distance^2 - r^2.
    """
    others = [line for other, line in enumerate(lines) if other != index]
    if not others:
        return np.zeros(points.shape[:2], dtype=bool)
    centres = np.concatenate([line.points_mm for line in others])
    radii = np.concatenate([line.radii_mm for line in others])
    largest = radii.max()
    lifted = np.column_stack([centres, np.sqrt(np.maximum(largest**2 - radii**2, 0))])
    asked = np.concatenate([points, np.zeros((*points.shape[:2], 1))], axis=2)
    distance, _ = cKDTree(lifted).query(asked, distance_upper_bound=largest * 1.001)
    return np.asarray(distance < largest)


def _circle(distance: Array, closed: Flags) -> tuple[Array, Array]:
    """Return the area-equivalent radius (N,) and the shift (N, 2) to the middle of walls (N, RAYS).

    To first order a circle seen from a point off its middle by s has the distance r + s . e along the ray e.
    Open rays count with the fitted distance.
    """
    angle = np.arange(RAYS) * 2 * np.pi / RAYS
    basis = np.stack([np.ones(RAYS), np.cos(angle), np.sin(angle)], axis=1)
    weights = closed.astype(float)
    left = np.einsum("nr,ra,rb->nab", weights, basis, basis) + np.diag([1e-6, 1.0, 1.0])
    right = np.einsum("nr,nr,ra->na", weights, distance, basis)
    fit = np.linalg.solve(left, right[..., None])[..., 0]
    complete = np.where(closed, distance, fit @ basis.T)
    return np.sqrt((complete**2).mean(axis=1)), fit[:, 1:]


def _filled(radius: Array, usable: Flags) -> Array:
    """Return the radii (N,) with those that could not be measured interpolated along the line."""
    place, known = np.arange(len(radius)), radius[usable]
    if not usable[0]:
        known[0] = np.median(known[:_FIRST])
    filled: Array = np.interp(place, place[usable], known)
    return filled


def _begun_on_parent(line: Line, lines: list[Line]) -> Line:
    """Return the line with its part inside the parent replaced by a straight way from the parent's middle line."""
    if line.parent < 0:
        return line
    parent = lines[line.parent]
    distance, nearest = cKDTree(parent.points_mm).query(line.points_mm)
    outside = np.flatnonzero(distance > parent.radii_mm[nearest])
    first = max(1, int(outside[0])) if len(outside) else 1
    begin = parent.points_mm[nearest[0]]
    share = np.linspace(0, 1, first + 1)[:-1, None]
    inner = begin + share * (line.points_mm[first] - begin)
    return Line(np.concatenate([inner, line.points_mm[first:]]), line.radii_mm, line.parent)
