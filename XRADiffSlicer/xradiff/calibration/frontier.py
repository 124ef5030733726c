"""Frontier points: where the outline of a silhouette touches an epipolar plane.

The plane is tangent to the vessel there, so both views show the same point of its surface (Cipolla,
Astrom and Giblin 1995, "Motion from the frontier of curved surfaces"). Not only the two extreme planes
count: every bend, tip and crotch that turns back along the epipolar coordinate gives one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import find_peaks

from ..geometry import Camera
from .frame import PairFrame
from .outline import Outline

__all__ = ["FrontierPoints", "frontier_points"]

Array = NDArray[np.float64]
_PROMINENCE_MM = 0.8  # turns that are less deep than this are noise of the segmentation
_FULL_WEIGHT_MM = 4.0


@dataclass(frozen=True, eq=False)
class FrontierPoints:
    """Turning points of one mask's outline along the epipolar coordinate.

    Attributes:
        pixels: (N, 2) positions (row, column).
        across_mm: (N,) epipolar coordinate s.
        kinds: (N,) 0..3: bit 0 set for a local minimum of s, bit 1 where the vessel lies towards larger s.
        weights: (N,) in (0, 1], by how deep the turn is.
        half_widths_mm: (N,) half the vessel's width there, at the depth of the frame's origin.
    """

    pixels: Array
    across_mm: Array
    kinds: NDArray[np.int64]
    weights: Array
    half_widths_mm: Array

    def __len__(self) -> int:
        return len(self.pixels)


def frontier_points(outline: Outline, frame: PairFrame, camera: Camera) -> FrontierPoints:
    """Return the frontier points of `outline`, seen by `camera`, one of the two cameras of `frame`."""
    pixels, across, kinds, weights = [np.zeros((0, 2))], [np.zeros(0)], [np.zeros(0, int)], [np.zeros(0)]
    for curve, on_border in zip(outline.curves, outline.on_border, strict=True):
        s = frame.coordinate_mm(camera, curve)
        towards = frame.coordinate_mm(camera, curve + _left_hand(curve)) > s
        for sign, minimum in ((1.0, 0), (-1.0, 1)):
            peaks, depth = _turns(sign * s)
            seen = ~on_border[peaks]
            peaks, depth = peaks[seen], depth[seen]
            pixels.append(curve[peaks])
            across.append(s[peaks])
            kinds.append(minimum + 2 * towards[peaks])
            weights.append(np.minimum(depth / _FULL_WEIGHT_MM, 1.0))
    places = np.concatenate(pixels)
    widths = outline.half_widths_px(places) * camera.pixel_size_mm(camera.depth(frame.origin))
    return FrontierPoints(places, np.concatenate(across), np.concatenate(kinds), np.concatenate(weights), widths)


def _turns(s: Array) -> tuple[NDArray[np.intp], Array]:
    """Return the local maxima (indices) of the periodic sequence `s` and their prominence in mm."""
    start = int(np.argmin(s))
    rolled = np.append(np.roll(s, -start), s[start])
    peaks, found = find_peaks(rolled, prominence=_PROMINENCE_MM)
    return (peaks + start) % len(s), found["prominences"]


def _left_hand(curve: Array) -> Array:
    """Return unit vectors (N, 2) from the closed `curve` to its left hand: towards the vessel."""
    tangent = np.roll(curve, -1, axis=0) - np.roll(curve, 1, axis=0)
    left = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
    unit: Array = left / np.maximum(np.linalg.norm(left, axis=1, keepdims=True), 1e-12)
    return unit
