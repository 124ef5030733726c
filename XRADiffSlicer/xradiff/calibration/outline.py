"""The outline of a vessel mask as closed, ordered, sub-pixel curves (marching squares, then smoothed)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..errors import InputError

__all__ = ["Outline", "trace_outline"]

Array = NDArray[np.float64]

_TOP, _RIGHT, _BOTTOM, _LEFT = range(4)
# Cell corners count 1 (top left), 2 (top right), 4 (bottom right), 8 (bottom left) where they are vessel.
# The outline enters and leaves each cell so that the vessel lies on its left; diagonal pixels are joined.
_STEPS = (
    (1, _LEFT, _TOP), (2, _TOP, _RIGHT), (4, _RIGHT, _BOTTOM), (8, _BOTTOM, _LEFT),
    (3, _LEFT, _RIGHT), (6, _TOP, _BOTTOM), (12, _RIGHT, _LEFT), (9, _BOTTOM, _TOP),
    (14, _TOP, _LEFT), (13, _RIGHT, _TOP), (11, _BOTTOM, _RIGHT), (7, _LEFT, _BOTTOM),
    (5, _RIGHT, _TOP), (5, _LEFT, _BOTTOM), (10, _TOP, _LEFT), (10, _BOTTOM, _RIGHT),
)  # fmt: skip
_SMOOTHING_PX = 1.5
_SHORTEST = 16  # outline points; a shorter curve is a speck or a pin-hole
_BORDER_PX = 2.0
_NEAR_PX = 9  # side of the square in which the vessel's width is looked for


@dataclass(frozen=True, eq=False)
class Outline:
    """Closed curves around a mask, the vessel on the left hand (as displayed).

    Attributes:
        curves: (N_i, 2) points (row, column) in pixels, about 0.7 px apart; the last joins the first.
        on_border: (N_i,) true where the curve follows the image border: the mask is cut off there.
        centre: (2,) middle (row, column) of the box around the mask.
        half_width_px: (rows, columns) half the width of the vessel near each pixel, 0 far from any vessel.
    """

    curves: tuple[Array, ...]
    on_border: tuple[NDArray[np.bool_], ...]
    centre: Array
    half_width_px: Array

    def half_widths_px(self, pixels: Array) -> Array:
        """Return half the vessel's width (N,) near `pixels` (N, 2), at least 1 px."""
        nearest = np.clip(np.rint(pixels).astype(int), 0, np.asarray(self.half_width_px.shape) - 1)
        widths: Array = np.maximum(self.half_width_px[tuple(nearest.T)], 1.0)
        return widths


def trace_outline(mask: NDArray[np.bool_]) -> Outline:
    """Return the outline of `mask` (rows, columns), half-way between vessel and background pixels.

    The staircase is smoothed along the curve (Gaussian, SD about 1.2 px), which keeps thin vessels whole.

    Raises:
        InputError: the mask holds no vessel pixel.
    """
    if not mask.any():
        raise InputError("a vessel mask must hold at least one pixel to calibrate with, got an empty mask")
    limits = np.asarray(mask.shape) - 1
    curves: list[Array] = []
    borders: list[NDArray[np.bool_]] = []
    for raw in _closed_curves(np.pad(mask, 1)):
        if len(raw) < _SHORTEST:
            continue
        points = raw - 1.0
        borders.append(np.any((points < _BORDER_PX) | (points > limits - _BORDER_PX), axis=1))
        curves.append(ndimage.gaussian_filter1d(points, _SMOOTHING_PX, axis=0, mode="wrap"))
    pixels = np.argwhere(mask)
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    half_width = ndimage.maximum_filter(depth, size=_NEAR_PX)
    return Outline(tuple(curves), tuple(borders), (pixels.min(axis=0) + pixels.max(axis=0)) / 2, half_width)


def _closed_curves(mask: NDArray[np.bool_]) -> list[Array]:
    """Return the ordered edge midpoints (N, 2) of every closed curve around `mask` (padded)."""
    starts, stops, width = *_edge_steps(mask), mask.shape[1]
    order = np.argsort(starts)
    follower = order[np.searchsorted(starts, stops, sorter=order)].tolist()
    curves = []
    free = [True] * len(starts)
    for first in range(len(starts)):
        walk, step = [], first
        while free[step]:
            free[step] = False
            walk.append(step)
            step = follower[step]
        if walk:
            curves.append(_midpoints(starts[walk], width))
    return curves


def _edge_steps(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the edge numbers (M,) where the outline enters a 2 x 2 cell, and where it leaves it."""
    inside = mask.astype(np.int64)
    code = inside[:-1, :-1] + 2 * inside[:-1, 1:] + 4 * inside[1:, 1:] + 8 * inside[1:, :-1]
    width = mask.shape[1]
    # Edge numbers: 2 * pixel for the edge to the right neighbour, 2 * pixel + 1 for the edge downwards.
    offset = np.array([0, 3, 2 * width, 1])
    starts, stops = [], []
    for value, enter, leave in _STEPS:
        row, column = np.nonzero(code == value)
        cell = 2 * (row * width + column)
        starts.append(cell + offset[enter])
        stops.append(cell + offset[leave])
    return np.concatenate(starts), np.concatenate(stops)


def _midpoints(edges: NDArray[np.int64], width: int) -> Array:
    """Return the midpoints (N, 2) (row, column) of numbered edges."""
    row, column = np.divmod(edges // 2, width)
    down = edges % 2
    points: Array = np.stack([row + 0.5 * down, column + 0.5 * (1 - down)], axis=1)
    return points
