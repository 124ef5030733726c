"""A grey frame -> its vessels, without weights: ridges at several scales, then the edge at a share of their depth.

Ridges: the largest curvature across a dark line at scales of vessels (Lindeberg 1998, doi:10.1023/A:1008097225773),
against the noise of the frame. A pixel near a ridge is vessel as far as it is as dark as the ridge itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .config import SegmentationConfig
from .frame_depth import LightFrames, background_of, frame_depth
from .likely import Likely

__all__ = ["RADII_MM", "FLAT_MM", "ridge_strength", "ridge_vessels"]

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]
RADII_MM = (0.45, 0.8, 1.4, 2.2)
"""Of the vessels that are looked for, in the patient."""
FLAT_MM = 8.0
"""What changes over more than this is no vessel."""
_BLUR_MM = 0.2
_REACH_MM = 1.6  # how far from its ridge a vessel's edge may lie
_SOFT = 0.06  # share of the ridge's depth over which the edge probability changes


def ridge_vessels(frames: LightFrames, frame: int, curve: Sequence[float], config: SegmentationConfig) -> Likely:
    """Return what the ridges of a frame say.

    Args:
        frames: the view.
        frame: index of the frame.
        curve: (N,) opacification of each frame, 1 in the best one.
        config: settings.

    Raises:
        InputError: a frame cannot be decoded.
    """
    background = background_of(frames.light, frames.count, frame, curve)
    depth = frame_depth(frames.light(frame), background.light, frames.usable, FLAT_MM / frames.pixel_mm)
    strength = ridge_strength(depth, frames.usable, [radius / frames.pixel_mm for radius in RADII_MM])
    probability = _probability(depth, strength, frames.usable, config, frames.pixel_mm)
    return Likely(probability, probability > 0.5, strength >= config.high, (background.note,))


def ridge_strength(depth: Image, usable: Mask, radii_px: Sequence[float]) -> Image:
    """Return how strongly each pixel (rows, columns) lies on a line, in SD of the noise; the best of all radii.

    The noise of a scale is the middle size of its responses, most of which are no vessel.
    """
    best = np.zeros_like(depth)
    for radius in radii_px:
        scale = max(0.8, radius / np.sqrt(2))
        inside = ndimage.binary_erosion(usable, iterations=round(2 * scale))
        rr, rc, cc = (ndimage.gaussian_filter(depth, scale, order) for order in ((2, 0), (1, 1), (0, 2)))
        across = np.where(inside, -(rr + cc) / 2 + np.sqrt(((rr - cc) / 2) ** 2 + rc**2), 0)
        along = np.where(inside, -(rr + cc) / 2 - np.sqrt(((rr - cc) / 2) ** 2 + rc**2), 0)
        noise = 1.4826 * float(np.median(np.abs(along[inside]))) if inside.any() else 1.0
        best = np.maximum(best, across / max(noise, 1e-9))
    return best.astype(np.float32)


def _probability(depth: Image, strength: Image, usable: Mask, config: SegmentationConfig, pixel_mm: float) -> Image:
    """Return ridge belief times edge belief: a pixel half as dark as the ridge beside it is at the edge."""
    smooth = ndimage.gaussian_filter(depth, max(0.5, _BLUR_MM / pixel_mm))
    reach = max(1, round(_REACH_MM / pixel_mm))
    disc = np.hypot(*np.mgrid[-reach : reach + 1, -reach : reach + 1]) <= reach
    ridge = np.where(strength >= config.low, np.maximum(smooth, 0), 0)
    middle = ndimage.maximum_filter(ridge, footprint=disc)
    share = np.divide(smooth, middle, out=np.zeros_like(smooth), where=middle > 0)
    near = ndimage.maximum_filter(np.where(strength >= config.low, strength, 0), footprint=disc)
    belief = near / (near + config.low / 2)
    with np.errstate(over="ignore"):
        edge = 1 / (1 + np.exp(-(share - config.edge) / _SOFT))
    return np.where(usable, np.clip(belief * edge, 0, 1), 0).astype(np.float32)
