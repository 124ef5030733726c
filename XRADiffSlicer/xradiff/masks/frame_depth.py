"""A grey frame of a run -> how much darker each pixel is than without contrast agent.

The background is what the run shows before contrast agent arrives (ribs, spine and a resting catheter are in it);
where there are no such frames, what each pixel shows while no vessel lies there; of a single frame, nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..views import AngiogramRun
from .vessel_maps import light_of

__all__ = ["background_of", "frame_depth", "smoothed"]

Image = NDArray[np.float32]
_EMPTY = 0.25  # of the best frame's contrast: below, no vessel is seen
_FILLED = 0.6
_MOST = 7  # frames that are averaged
_CLEAR = 0.75  # quantile over the run: what a pixel shows without a vessel
_FEWEST = 5  # frames, for that


def background_of(run: AngiogramRun, frame: int, curve: Sequence[float]) -> tuple[Image | None, str]:
    """Return the light (rows, columns; a logarithm) that the run shows without vessels, and a sentence about it.

    Args:
        run: the run; up to 7 of its frames are decoded.
        frame: the one that is segmented.
        curve: opacification of each frame, 1 in the best one.

    Raises:
        InputError: a frame cannot be decoded.
    """
    opacity = np.asarray(curve, dtype=float)
    rising = opacity[: frame + 1] >= _EMPTY
    first = int(np.argmax(rising)) if rising.any() else frame
    before = list(range(max(0, first - _MOST), first)) if opacity[frame] >= _FILLED else []
    if before:
        light = np.median([light_of(run.frame(index), run) for index in before], axis=0)
        return light.astype(np.float32), f"{len(before)} frames before contrast agent were taken as background"
    others = [int(index) for index in np.unique(np.linspace(0, len(run) - 1, _MOST).round()) if index != frame]
    if len(others) + 1 < _FEWEST:
        return None, "too few frames to tell the background from the vessels; what is still and thin may be marked"
    light = np.quantile([light_of(run.frame(index), run) for index in [*others, frame]], _CLEAR, axis=0)
    return light.astype(np.float32), (
        "contrast agent is there from the first frame on; the background was taken from the whole run"
    )


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
