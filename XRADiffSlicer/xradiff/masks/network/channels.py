"""Frames of a run -> what the network is shown of one of them: depths, ridges, the frames beside it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import interpolate

from ..frame_depth import LightFrames, background_of, frame_depth
from ..ridges import FLAT_MM, RADII_MM, ridge_strength

__all__ = ["CHANNELS", "network_channels", "resampled"]

Image = NDArray[np.float32]
CHANNELS = 7


def network_channels(frames: LightFrames, frame: int, curve: Sequence[float], spacing_mm: float) -> tuple[Image, str]:
    """Return what the network is shown of a frame (7, rows, columns), in pixels of `spacing_mm`, and a note.

    0     how much darker the frame is than its surroundings
    1     how much darker it is than the background of the run; 0 where that is not known
    2     how strongly each pixel lies on a line, in 1, else in 0
    3, 4  as 1 (else 0), of the frame before and the one after; 0 where there is none
    5     how well the background is known: 0, 0.5 or 1
    6     pixels that show the patient

    Depths are in units of the image's usual difference, compressed as asinh(x) / 2; ridges as asinh(x / 3) / 2.

    Args:
        frames: the frames.
        frame: index of the frame.
        curve: (N,) opacification of each frame, 1 in the best one.
        spacing_mm: the network's pixel in the patient.

    Raises:
        InputError: a frame cannot be decoded.
    """
    shape = tuple(max(1, round(size * frames.pixel_mm / spacing_mm)) for size in frames.usable.shape)
    usable = resampled(frames.usable.astype(np.float32), shape) > 0.99
    usable = usable if usable.any() else np.ones_like(usable)

    @cache
    def light(index: int) -> Image:
        return resampled(frames.light(index), shape)

    background = background_of(light, frames.count, frame, curve)

    def depth_of(index: int, before: Image | None) -> Image:
        return frame_depth(light(index), before, usable, FLAT_MM / spacing_mm)

    plain = depth_of(frame, None)
    depth = plain if background.light is None else depth_of(frame, background.light)
    made = np.zeros((CHANNELS, *plain.shape), np.float32)
    made[0] = _levelled(plain, usable)
    made[1] = 0 if background.light is None else _levelled(depth, usable)
    made[2] = np.arcsinh(ridge_strength(depth, usable, [radius / spacing_mm for radius in RADII_MM]) / 3) / 2
    for place, index in ((3, frame - 1), (4, frame + 1)):
        if 0 <= index < frames.count:
            made[place] = _levelled(depth_of(index, background.light), usable)
    made[5], made[6] = background.certainty, usable
    return made, background.note


def resampled(image: Image, shape: Sequence[int]) -> Image:
    """Return `image` (rows, columns) with another `shape`; means over pixels where it gets smaller."""
    given = torch.from_numpy(np.ascontiguousarray(image))[None, None]
    made: Image = interpolate(given, size=tuple(shape), mode="bilinear", antialias=True)[0, 0].numpy()
    return made


def _levelled(depth: Image, usable: NDArray[np.bool_]) -> Image:
    """Return depths in units of their usual size, large ones compressed."""
    usual = 1.4826 * float(np.median(np.abs(depth[usable]))) if usable.any() else 1.0
    levelled: Image = np.arcsinh(depth / max(usual, 1e-6)) / 2
    return levelled
