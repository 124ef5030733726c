"""A grey frame of a run -> how much darker each pixel is than without contrast agent.

The background is what the run shows before contrast agent arrives (ribs, spine and a resting catheter are in it);
where there are no such frames, what each pixel shows while no vessel lies there; of a single frame, nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["Background", "LightFrames", "background_of", "frame_depth", "smoothed"]

Image = NDArray[np.float32]
_EMPTY = 0.25  # of the best frame's contrast: below, no vessel is seen
_FILLED = 0.6
_MOST = 7  # frames that are averaged
_CLEAR = 0.75  # quantile over the run: what a pixel shows without a vessel
_FEWEST = 5  # frames, for that


@dataclass(frozen=True, eq=False)
class LightFrames:
    """Frames of one view.

    Attributes:
        light: gives the logarithm of intensity (rows, columns) of a frame.
        count: number of frames.
        usable: (rows, columns) pixels that show the patient.
        pixel_mm: size of a pixel in the patient.
    """

    light: Callable[[int], Image]
    count: int
    usable: NDArray[np.bool_]
    pixel_mm: float


@dataclass(frozen=True, eq=False)
class Background:
    """What a run shows without vessels.

    Attributes:
        light: (rows, columns) logarithm of intensity; None where it is not known.
        certainty: 1 from frames before contrast agent, 0.5 from the whole run, 0 where it is not known.
        note: one sentence about it.
    """

    light: Image | None
    certainty: float
    note: str


def background_of(light: Callable[[int], Image], count: int, frame: int, curve: Sequence[float]) -> Background:
    """Return what a run shows without vessels.

    Args:
        light: gives the logarithm of intensity (rows, columns) of a frame; called for up to 7 frames.
        count: number of frames.
        frame: the one that is segmented.
        curve: opacification of each frame, 1 in the best one.

    Raises:
        InputError: from `light`.
    """
    opacity = np.asarray(curve, dtype=float)
    rising = opacity[: frame + 1] >= _EMPTY
    first = int(np.argmax(rising)) if rising.any() else frame
    before = list(range(max(0, first - _MOST), first)) if opacity[frame] >= _FILLED else []
    if before:
        median = np.median([light(index) for index in before], axis=0).astype(np.float32)
        return Background(median, 1.0, f"{len(before)} frames before contrast agent were taken as background")
    others = [int(index) for index in np.unique(np.linspace(0, count - 1, _MOST).round()) if index != frame]
    if len(others) + 1 < _FEWEST:
        note = "too few frames to tell the background from the vessels; what is still and thin may be marked"
        return Background(None, 0.0, note)
    clear = np.quantile([light(index) for index in [*others, frame]], _CLEAR, axis=0).astype(np.float32)
    note = "contrast agent is there from the first frame on; the background was taken from the whole run"
    return Background(clear, 0.5, note)


def frame_depth(light: Image, background: Image | None, usable: NDArray[np.bool_], flat_px: float) -> Image:
    """Return how much darker (rows, columns) a frame is than its background, without what changes slowly.

    Args:
        light: logarithm of the frame's intensity.
        background: that of the background, None where it is not known.
        usable: pixels that show the patient; others are 0.
        flat_px: SD in pixels of what counts as slow.
    """
    depth = -light if background is None else background - light
    depth = depth - np.median(depth[usable])
    weight = usable.astype(np.float32)
    for _ in range(2):  # the second time without the vessels, which would lift their own background
        depth = np.where(usable, depth - smoothed(depth, weight, flat_px), 0).astype(np.float32)
        noise = 1.4826 * float(np.median(np.abs(depth[usable])))
        weight = (usable & (depth < 2 * noise)).astype(np.float32)
    return depth


def smoothed(image: Image, weight: Image, sigma_px: float) -> Image:
    """Return the weighted Gaussian mean (rows, columns) of `image`; computed at a smaller size where it is wide."""
    step = max(1, int(sigma_px / 4))
    total, share = (_coarse(each, step) for each in (image * weight, weight))
    total, share = (ndimage.gaussian_filter(each, sigma_px / step) for each in (total, share))
    mean = (total / np.maximum(share, 1e-3)).astype(np.float32)
    fine: Image = ndimage.zoom(mean, step, order=1, grid_mode=True, mode="nearest") if step > 1 else mean
    return fine[: image.shape[0], : image.shape[1]]


def _coarse(image: Image, step: int) -> Image:
    rows, columns = (-(-size // step) * step for size in image.shape)
    padded = np.pad(image, [(0, rows - image.shape[0]), (0, columns - image.shape[1])], mode="edge")
    coarse: Image = padded.reshape(rows // step, step, columns // step, step).mean(axis=(1, 3), dtype=np.float32)
    return coarse
