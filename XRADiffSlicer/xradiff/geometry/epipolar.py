"""Relations between views: epipolar lines, gaps between rays, triangulation, angle between views."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError
from .camera import Camera

__all__ = [
    "WIDE_DEG",
    "epipolar_line",
    "epipolar_normal",
    "line_in_image",
    "ray_gap_mm",
    "triangulate",
    "view_separation_deg",
    "wide_pairs",
]

Array = NDArray[np.float64]

WIDE_DEG = 25.0
"""Views that are closer together leave the depth of a point uncertain."""


def view_separation_deg(a: Camera, b: Camera) -> float:
    """Return the angle in [0, 90] between the two viewing lines (opposite views count as 0)."""
    return float(np.rad2deg(np.arctan2(np.linalg.norm(np.cross(a.d, b.d)), abs(a.d @ b.d))))


def wide_pairs(cameras: Sequence[Camera]) -> tuple[tuple[int, int], ...]:
    """Return the pairs (i, j), i < j, of views at least WIDE_DEG apart: two of them tell a point's depth."""
    every = combinations(range(len(cameras)), 2)
    return tuple((i, j) for i, j in every if view_separation_deg(cameras[i], cameras[j]) >= WIDE_DEG)


def epipolar_normal(a: Camera, b: Camera) -> Array:
    """Return the unit vector (3,) n = d_A x d_B / |d_A x d_B|, across the epipolar planes.

    Raises:
        InputError: the viewing directions are parallel.
    """
    normal = np.cross(a.d, b.d)
    length = float(np.linalg.norm(normal))
    if length < 1e-9:
        raise InputError("the two views look along the same line; their epipolar planes are undefined")
    unit: Array = normal / length
    return unit


def epipolar_line(a: Camera, b: Camera, pixel_a: ArrayLike) -> Array:
    """Return the line (..., 3) in view B on which pixel(s) `pixel_a` (..., 2) of view A must lie.

    The line (l_r, l_c, l_0) holds the pixels (row, column) with l_r row + l_c column + l_0 = 0 and
    has l_r^2 + l_c^2 = 1, so that the left side is a pixel's signed distance in px.
    """
    rays = a.ray_directions(pixel_a)
    plane = np.cross(b.source - a.source, rays)
    # A detector point C + s_r (row - row0) v + s_c (column - column0) u lies in the plane through S_B.
    l_row = b.pixel_spacing_mm[0] * (plane @ b.v)
    l_column = b.pixel_spacing_mm[1] * (plane @ b.u)
    row0, column0 = b.principal_point
    constant = b.sid_mm * (plane @ b.d) - l_row * row0 - l_column * column0
    line = np.stack([l_row, l_column, constant], axis=-1)
    unit: Array = line / np.hypot(l_row, l_column)[..., None]
    return unit


def line_in_image(line: ArrayLike, shape: tuple[int, int]) -> Array | None:
    """Return the two ends (2, 2) of the part of a line that lies in an image, None where it passes the image.

    Args:
        line: (3,) as `epipolar_line` gives it.
        shape: rows and columns; the image reaches half a pixel beyond the centres of its outer pixels.

    Returns:
        (row, column) of both ends, by growing column (by growing row where the line is upright).
    """
    normal, constant = np.asarray(line, dtype=np.float64)[:2], float(np.asarray(line)[2])
    along, foot = np.array([-normal[1], normal[0]]), -constant * normal
    along = along if (along[1], along[0]) > (0, 0) else -along
    low, high = -np.inf, np.inf
    for axis in (0, 1):
        if abs(along[axis]) < 1e-12:
            if not -0.5 <= foot[axis] <= shape[axis] - 0.5:
                return None
            continue
        ends = sorted((edge - foot[axis]) / along[axis] for edge in (-0.5, shape[axis] - 0.5))
        low, high = max(low, ends[0]), min(high, ends[1])
    return foot + np.outer([low, high], along) if low < high else None


def ray_gap_mm(a: Camera, b: Camera, pixel_a: ArrayLike, pixel_b: ArrayLike) -> Array:
    """Return the signed shortest distance (...) in mm between the rays of pixels (..., 2) of A and B.

    Zero means that the two pixels can show the same point. The sign is that of a displacement of
    ray B along ray_A x ray_B.
    """
    rays_a, rays_b = a.ray_directions(pixel_a), b.ray_directions(pixel_b)
    normal = np.cross(rays_a, rays_b)
    length = np.linalg.norm(normal, axis=-1, keepdims=True)[..., 0]
    return (normal @ (b.source - a.source)) / np.where(length > 0, length, np.nan)


def triangulate(cameras: Sequence[Camera], pixels: Sequence[ArrayLike]) -> Array:
    """Return the points (..., 3) in LPS mm closest (least squares) to the rays of all views.

    Args:
        cameras: two or more views.
        pixels: one array (..., 2) of (row, column) a view.

    Raises:
        InputError: fewer than two views, or all rays parallel.
    """
    if len(cameras) < 2 or len(cameras) != len(pixels):
        raise InputError(f"triangulation needs pixels in two or more views, got {len(pixels)}")
    normal_matrix, right_side = np.zeros((3, 3)), np.zeros(3)
    for camera, pixel in zip(cameras, pixels, strict=True):
        rays = camera.ray_directions(pixel)
        across = np.eye(3) - rays[..., :, None] * rays[..., None, :]
        normal_matrix = normal_matrix + across
        right_side = right_side + across @ camera.source
    if np.min(np.linalg.eigvalsh(normal_matrix)) < 1e-9:
        raise InputError("the rays are parallel; they have no single closest point")
    return np.linalg.solve(normal_matrix, right_side[..., None])[..., 0].astype(np.float64)
