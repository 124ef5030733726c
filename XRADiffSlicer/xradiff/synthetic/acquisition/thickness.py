"""How much lumen each pixel's ray crosses: exact chords through round cones, joined where they overlap."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ...geometry import Camera
from ..tubes import TubeTree, cone_rows, cones

__all__ = ["lumen_chords", "path_length"]

Array = NDArray[np.float64]
_MARGIN_PX = 0.5  # the outline of `cone_rows` may lie a fraction of a pixel inside the true one


def path_length(tree: TubeTree, camera: Camera) -> NDArray[np.float32]:
    """Return the length in mm (rows, columns) of each pixel centre's ray inside the tree.

    Lumen that two tubes share (where a branch leaves) counts once; tubes that cross in the image but lie
    at different depths add.

    Raises:
        InputError: part of the tree is not in front of the source.
    """
    chords = lumen_chords(tree, camera)
    length: NDArray[np.float32] = (chords @ np.ones(chords.shape[1])).reshape(camera.shape).astype(np.float32)
    return length


def lumen_chords(tree: TubeTree, camera: Camera) -> Any:
    """Return the sparse (CSR) array (rows * columns, M) of the length in mm of each ray in each round cone.

    Where cones overlap the length belongs to the one that the ray enters first, so rows sum to the length
    in the union. Times a concentration of each cone (M,) it gives the contrast agent along each ray.

    Raises:
        InputError: part of the tree is not in front of the source.
    """
    ends, radii = cones(tree)
    rows = cone_rows(tree, camera, _MARGIN_PX)
    counts = rows.last - rows.first + 1
    cone, row = np.repeat(rows.cone, counts), np.repeat(rows.row, counts)
    column = np.arange(len(cone)) - np.repeat(np.cumsum(counts) - counts - rows.first, counts)
    rays = camera.ray_directions(np.stack([row, column], axis=1))
    enter, leave = _crossings(camera.source, rays, ends[cone], radii[cone])
    hit = leave > enter
    pixel, cone = (row * camera.shape[1] + column)[hit], cone[hit]
    order, length = _exclusive_lengths(pixel, enter[hit], leave[hit])
    shape = (camera.shape[0] * camera.shape[1], len(radii))
    return sparse.csr_array((length, (pixel[order], cone[order])), shape=shape)


def _exclusive_lengths(pixel: NDArray[np.int64], enter: Array, leave: Array) -> tuple[NDArray[np.int64], Array]:
    """Sort intervals by pixel and entry; return the order and what each adds to those before it in its pixel."""
    if not len(pixel):
        return np.zeros(0, dtype=np.int64), np.zeros(0)
    stride = leave.max() - enter.min() + 1  # one line for all pixels: their intervals lie apart on it
    begin, end = enter + pixel * stride, leave + pixel * stride
    order = np.argsort(begin)
    begin, end = begin[order], end[order]
    reached = np.concatenate([[-np.inf], np.maximum.accumulate(end)[:-1]])
    return order, np.maximum(end - np.maximum(begin, reached), 0)


def _crossings(source: Array, rays: Array, ends: Array, radii: Array) -> tuple[Array, Array]:
    """Return where rays (P, 3) enter and leave the convex hulls of two spheres (P, 2, 3), in mm from the source.

    The hull's surface consists of parts of both spheres and of the cone that wraps them; the crossings are
    the outermost of all points that lie on those parts. Rays that miss get enter > leave.
    """
    enter, leave = np.full(len(rays), np.inf), np.full(len(rays), -np.inf)
    roots = _side_roots(source, rays, ends, radii)
    for end in (0, 1):
        roots += _sphere_roots(source, rays, ends[:, end], radii[:, end])
    for root in roots:
        enter, leave = np.fmin(enter, root), np.fmax(leave, root)
    return enter, leave


def _sphere_roots(source: Array, rays: Array, centre: Array, radius: Array) -> list[Array]:
    """Return both distances at which rays cross spheres, NaN where they miss."""
    to_centre = centre - source
    middle = np.einsum("pd,pd->p", rays, to_centre)
    across = to_centre - middle[:, None] * rays  # no cancellation: the offset is a few mm
    square = radius**2 - np.einsum("pd,pd->p", across, across)
    half = np.sqrt(np.where(square >= 0, square, np.nan))
    return [middle - half, middle + half]


def _side_roots(source: Array, rays: Array, ends: Array, radii: Array) -> list[Array]:
    """Return both distances at which rays cross the side between two spheres, NaN where they do not.

    For p from the first centre, axis a, s = p.a, taper q = r0 - r1 and d = |a|^2 - q^2, the wrapping cone is
    d |p|^2 - s^2 + 2 s q r0 - |a|^2 r0^2 = 0, and the side is its part with 0 < s - q r0 < d. Along the ray
    p = offset + t ray this is k2 t^2 + 2 k1 t + k0 = 0.
    """
    first, taper = radii[:, 0], radii[:, 0] - radii[:, 1]
    axis = ends[:, 1] - ends[:, 0]
    middle = np.einsum("pd,pd->p", rays, ends[:, 0] - source)
    offset = middle[:, None] * rays + source - ends[:, 0]  # foot of the perpendicular from the first centre
    axis_axis, axis_ray = np.einsum("pd,pd->p", axis, axis), np.einsum("pd,pd->p", axis, rays)
    axis_offset = np.einsum("pd,pd->p", axis, offset)
    d = axis_axis - taper**2
    k2 = d - axis_ray**2
    k1 = -axis_ray * (axis_offset - taper * first)
    k0 = d * np.einsum("pd,pd->p", offset, offset) - axis_offset**2 + 2 * axis_offset * taper * first
    k0 -= axis_axis * first**2
    square = k1**2 - k0 * k2
    usable = (d > 0) & (np.abs(k2) > 1e-9 * axis_axis) & (square >= 0)
    root = np.sqrt(np.where(usable, square, np.nan))
    found = []
    for sign in (-1, 1):
        t = (sign * root - k1) / np.where(usable, k2, np.nan)
        along = axis_offset + t * axis_ray - first * taper
        found.append(np.where((along > 0) & (along < d), middle + t, np.nan))
    return found
