"""Which pixels of a run show the patient: inside shutter and collimator, not under burned-in text.

From the tags (display shutter (0018,1600), collimator (0018,1700)) and from the frames themselves: a border is
dark or never changes, text is bright, thin and never changes. Quantum noise changes every other pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pydicom
from numpy.typing import NDArray
from scipy import ndimage

from .header_values import numbers_of, text_in
from .run import AngiogramRun

__all__ = ["Opening", "inside_polygon", "opening_of"]

Mask = NDArray[np.bool_]
_SAMPLES = 8  # frames that are looked at
_DARK = 0.04  # of the grey range: what a border may be
_STILL = 0.2  # of what noise changes in the middle pixel: what compression may change
_MOST_STILL = 0.8
_TEXT_STEP = 0.25  # of the grey range: text above its surroundings
_TEXT_PX = 7  # strokes are thinner
_SOFT_EDGE_PX = 3
_MOST_VERTICES = 1000


@dataclass(frozen=True, eq=False)
class Opening:
    """Pixels that can be used.

    Attributes:
        inside: (rows, columns) inside shutter and collimator.
        text: (rows, columns) burned-in text or graphics, with a margin.
    """

    inside: Mask
    text: Mask

    @property
    def usable(self) -> Mask:
        """Pixels (rows, columns) that show the patient."""
        return self.inside & ~self.text


def opening_of(run: AngiogramRun) -> Opening:
    """Return which pixels of `run` show the patient; up to 8 frames are decoded.

    Raises:
        InputError: a frame cannot be decoded.
    """
    picked = np.unique(np.linspace(0, len(run) - 1, _SAMPLES).round().astype(int))
    low, high = _extremes(run, [int(index) for index in picked])
    span = max(float(high.max()) - float(low.min()), 1.0)
    still = _still(high - low)
    inside = _inside_shutters(run.source.header, run.shape)
    border = _at_the_edge((high <= low.min() + _DARK * span) | (still & (high < 2**run.bits - 1)) | ~inside) & inside
    if border.any():
        border = ndimage.binary_dilation(border, iterations=_SOFT_EDGE_PX)
    text = _text(high, still, span)
    inside = inside & ~border
    if not (inside & ~text).any():
        inside = _inside_shutters(run.source.header, run.shape)  # a frame of one grey value has no border
    return Opening(inside, text & inside)


def _extremes(run: AngiogramRun, picked: list[int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the lowest and the highest value (rows, columns) of each pixel in the picked frames."""
    low = high = run.frame(picked[0]).astype(np.float32)
    for index in picked[1:]:
        frame = run.frame(index).astype(np.float32)
        low, high = np.minimum(low, frame), np.maximum(high, frame)
    return low, high


def _still(change: NDArray[np.float32]) -> Mask:
    """Return the pixels (rows, columns) that never change while most others do."""
    usual = float(np.median(change[change > 0])) if (change > 0).any() else 0.0
    still: Mask = change <= _STILL * usual
    return still if still.mean() < _MOST_STILL else np.zeros(change.shape, bool)


def _at_the_edge(mask: Mask) -> Mask:
    """Return the parts of `mask` that touch the image's edge."""
    labels, _ = ndimage.label(np.pad(mask, 1, constant_values=True))
    reached: Mask = (labels == labels[0, 0])[1:-1, 1:-1]
    return reached


def _text(high: NDArray[np.float32], still: Mask, span: float) -> Mask:
    """Return thin marks that never change and are brighter than the changing pixels around, with a margin of two."""
    if not still.any():
        return still
    share = ndimage.uniform_filter((~still).astype(np.float32), 2 * _TEXT_PX + 1)
    around = ndimage.uniform_filter(np.where(still, 0, high), 2 * _TEXT_PX + 1)
    marks = still & (share > 0.1) & (high * share > around + _TEXT_STEP * span * share)
    marks &= ~ndimage.binary_opening(marks, np.ones((_TEXT_PX, _TEXT_PX), bool))
    text: Mask = ndimage.binary_dilation(marks, iterations=2) if marks.any() else marks
    return text


def _inside_shutters(header: pydicom.Dataset, shape: tuple[int, int]) -> Mask:
    """Return the pixels inside every shutter and collimator of the header; all of them where it has none."""
    inside = np.ones(shape, bool)
    for kind in ("Shutter", "Collimator"):
        for form in text_in(header, f"{kind}Shape").upper().split("\\"):
            found = _inside(header, kind, form, shape)
            inside &= found if found.any() else True  # a shutter that shuts everything is a wrong tag
    return inside


def _inside(header: pydicom.Dataset, kind: str, form: str, shape: tuple[int, int]) -> Mask:
    """Return the pixels inside one shutter; DICOM counts rows and columns from 1."""
    row, column = np.ogrid[1 : shape[0] + 1, 1 : shape[1] + 1]
    everything = np.ones(shape, bool)
    if form == "RECTANGULAR":
        words = ("LeftVertical", "RightVertical", "UpperHorizontal", "LowerHorizontal")
        edges = [numbers_of(header.get(f"{kind}{word}Edge"))[:1] for word in words]
        if all(edges):
            left, right, upper, lower = (edge[0] for edge in edges)
            return (column > left) & (column < right) & (row > upper) & (row < lower)
    if form == "CIRCULAR":
        centre = numbers_of(header.get(f"CenterOfCircular{kind}"))
        radius = numbers_of(header.get(f"RadiusOfCircular{kind}"))
        if len(centre) == 2 and radius:
            return (row - centre[0]) ** 2 + (column - centre[1]) ** 2 <= radius[0] ** 2
    if form == "POLYGONAL":
        flat = numbers_of(header.get(f"VerticesOfThePolygonal{kind}"))
        if 6 <= len(flat) <= 2 * _MOST_VERTICES and len(flat) % 2 == 0:
            return inside_polygon(np.reshape(flat, (-1, 2)), shape)
    return everything


def inside_polygon(vertices: NDArray[np.float64], shape: tuple[int, int]) -> Mask:
    """Return the pixels inside a polygon of (row, column) vertices, counted from 1, by the even-odd rule."""
    row, column = np.ogrid[1 : shape[0] + 1, 1 : shape[1] + 1]
    inside = np.zeros(shape, bool)
    for (r0, c0), (r1, c1) in zip(vertices, np.roll(vertices, -1, axis=0), strict=True):
        if r0 != r1:
            inside ^= ((r0 > row) != (r1 > row)) & (column < (c1 - c0) * (row - r0) / (r1 - r0) + c0)
    return inside
