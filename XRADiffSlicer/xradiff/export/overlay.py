"""The reprojected result drawn over a view's frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..datatypes import AngiogramView

__all__ = ["AGREE_RGB", "MASK_ONLY_RGB", "RESULT_ONLY_RGB", "frame_picture", "overlay_picture", "write_png"]

Picture = NDArray[np.uint8]
# Okabe and Ito's colours, which differ in lightness too: told apart with any colour vision and in grey.
AGREE_RGB, MASK_ONLY_RGB, RESULT_ONLY_RGB = (86, 180, 233), (213, 94, 0), (240, 228, 66)
OPACITY = {AGREE_RGB: 0.55, MASK_ONLY_RGB: 0.85, RESULT_ONLY_RGB: 0.70}
OUTLINE_RGB = (255, 255, 255)
SMALLEST_SIDE = 900


def overlay_picture(view: AngiogramView, drawn: NDArray[np.bool_]) -> Picture:
    """Return (H, W, 3) uint8: grey frame, agreement, mask only, result only, white outline of the mask.

    Small images are enlarged by a whole number, so that the outline is finer than a pixel.

    Args:
        view: with its mask.
        drawn: (rows, columns) silhouette of the result in this view.
    """
    mask = view.vessel_mask()
    picture = np.repeat(_grey_frame(view.pixels)[..., None], 3, axis=2)
    areas = ((AGREE_RGB, drawn & mask), (MASK_ONLY_RGB, mask & ~drawn), (RESULT_ONLY_RGB, drawn & ~mask))
    for colour, area in areas:
        opacity = OPACITY[colour]
        picture[area] = (1 - opacity) * picture[area] + opacity * np.asarray(colour)
    factor = max(1, round(SMALLEST_SIDE / min(mask.shape)))
    picture = picture.repeat(factor, axis=0).repeat(factor, axis=1)
    mask = mask.repeat(factor, axis=0).repeat(factor, axis=1)
    outline = mask & ~ndimage.binary_erosion(mask, structure=np.ones((3, 3), dtype=bool), border_value=1)
    picture[outline] = 0.35 * picture[outline] + 0.65 * np.asarray(OUTLINE_RGB)
    return np.rint(picture).astype(np.uint8)


def frame_picture(view: AngiogramView) -> Picture:
    """Return (H, 2 W, 3) uint8: the grey frame alone, and beside it with the outline of its mask."""
    mask = view.vessel_mask()
    grey = np.repeat(np.rint(_grey_frame(view.pixels)).astype(np.uint8)[..., None], 3, axis=2)
    outlined = grey.copy()
    outlined[mask & ~ndimage.binary_erosion(mask)] = RESULT_ONLY_RGB
    return np.concatenate([grey, outlined], axis=1)


def _grey_frame(pixels: NDArray[np.generic]) -> NDArray[np.float64]:
    """Return the frame stretched from its 0.5th to its 99.5th percentile to [20, 235]; flat masks darker."""
    values = pixels.astype(np.float64)
    if len(np.unique(values[:: max(1, len(values) // 64)])) <= 2:  # the frame is itself a mask
        low, high = float(values.min()), float(values.max())
        return 34 + 56 * (values - low) / max(high - low, 1e-12)
    low, high = (float(level) for level in np.percentile(values, [0.5, 99.5]))
    stretched: NDArray[np.float64] = 20 + 215 * np.clip((values - low) / max(high - low, 1e-12), 0, 1)
    return stretched


def write_png(path: Path, picture: Picture) -> None:
    """Write (H, W, 3) uint8 as PNG.

    Raises:
        OSError: the file cannot be written.
    """
    import SimpleITK as sitk

    try:
        sitk.WriteImage(sitk.GetImageFromArray(picture, isVector=True), str(path), useCompression=True)
    except RuntimeError:
        raise OSError(f"{path.name} could not be written") from None
