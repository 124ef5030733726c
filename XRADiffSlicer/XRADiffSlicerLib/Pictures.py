"""Small pictures in the panel, as PNG bytes: the frame with its mask's outline, and the curve of a run's contrast.

Drawn with numpy, so that they look the same everywhere; their colors are readable on light and on dark forms.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

CURVE_COLOR, FRAME_COLOR, PHASE_COLOR = (61, 126, 191), (217, 130, 43), (128, 128, 128)
OUTLINE_COLOR = (255, 196, 0)
END_DIASTOLE_WRAP = 0.5  # a fall of the phase by more than this is the next beat


def thumbnailPng(image: np.ndarray, mask: np.ndarray | None, side: int) -> bytes:
    """Return a picture of `image` (rows, columns), its longer edge `side` pixels, with the outline of `mask`.

    :param mask: (rows, columns) of booleans, or None.
    """
    rows, columns = image.shape
    step = max(rows, columns) / side
    at = np.ix_(_centers(rows, step), _centers(columns, step))
    small = image[at].astype(np.float64)
    low, high = np.percentile(small, (1, 99))
    grey = np.clip((small - low) / max(high - low, 1e-9), 0, 1) * 255
    picture = np.repeat(grey[..., np.newaxis], 3, axis=2)
    if mask is not None:
        picture[_outline(_shrunk(mask, *grey.shape))] = OUTLINE_COLOR
    opaque = np.full((*grey.shape, 1), 255.0)
    return _png(np.concatenate([picture, opaque], axis=2))


def curvePng(
    curve: Sequence[float], phases: Sequence[float] | None, frame: int, width: int = 320, height: int = 36
) -> bytes:
    """Return the contrast of each frame as a curve, beats as thin upright lines, and the frame that is used.

    :param curve: contrast of each frame, 1 at the top.
    :param phases: share of the heart cycle of each frame; a line stands where a beat begins.
    :param frame: index of the frame that is marked.
    """
    picture = np.zeros((height, width, 4))
    values = np.clip(np.asarray(curve, dtype=np.float64), 0, 1)
    at = np.linspace(4, width - 5, len(values)) if len(values) > 1 else np.array([width / 2])
    column, row = np.arange(width), np.arange(height)[:, np.newaxis]
    for beat in _beats(phases):
        _paint(picture, (np.abs(column - at[beat]) < 0.6) * np.ones((height, 1)) * 0.6, PHASE_COLOR)
    _paint(picture, np.clip(1.5 - np.abs(column - at[frame]), 0, 1) * np.ones((height, 1)), FRAME_COLOR)
    line = height - 4 - np.interp(column, at, values) * (height - 8)
    across = np.hypot(1, np.gradient(line))
    inside = (column >= at[0]) & (column <= at[-1])
    _paint(picture, np.clip(1.4 - np.abs(row - line) / across, 0, 1) * inside, CURVE_COLOR)
    dot = np.hypot(column - at[frame], row - (height - 4 - values[frame] * (height - 8)))
    _paint(picture, np.clip(4 - dot, 0, 1), FRAME_COLOR)
    return _png(picture)


def _centers(count: int, step: float) -> np.ndarray:
    return np.minimum(np.arange(max(1, round(count / step))) * step + step / 2, count - 1).astype(int)


def _shrunk(mask: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """A pixel is set where any pixel that it stands for is: a thin vessel is not lost."""
    small = np.zeros((rows, columns), bool)
    row, column = np.nonzero(mask)
    small[row * rows // mask.shape[0], column * columns // mask.shape[1]] = True
    return small


def _outline(mask: np.ndarray) -> np.ndarray:
    """Pixels of `mask` with a neighbor outside of it."""
    padded = np.pad(mask, 1)
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    outline: np.ndarray = mask & ~inner
    return outline


def _beats(phases: Sequence[float] | None) -> list[int]:
    if phases is None:
        return []
    return [int(index) + 1 for index in np.flatnonzero(np.diff(phases) < -END_DIASTOLE_WRAP)]


def _paint(picture: np.ndarray, cover: np.ndarray, color: tuple[int, int, int]) -> None:
    """Lay `color` over the RGBA `picture` where `cover` (0 to 1) says."""
    before = picture[..., 3] / 255
    after = cover + before * (1 - cover)
    share = np.divide(cover, after, out=np.zeros_like(after), where=after > 0)[..., np.newaxis]
    picture[..., :3] = picture[..., :3] * (1 - share) + np.array(color) * share
    picture[..., 3] = after * 255


def _png(picture: np.ndarray) -> bytes:
    """PNG of (rows, columns, 4) values from 0 to 255, row 0 on top."""
    pixels = np.ascontiguousarray(np.rint(picture).astype(np.uint8)[::-1])
    image = vtk.vtkImageData()
    image.SetDimensions(picture.shape[1], picture.shape[0], 1)
    image.GetPointData().SetScalars(numpy_to_vtk(pixels.reshape(-1, 4), deep=True))
    writer = vtk.vtkPNGWriter()
    writer.SetInputData(image)
    writer.WriteToMemoryOn()
    writer.Write()
    return bytes(vtk_to_numpy(writer.GetResult()))
