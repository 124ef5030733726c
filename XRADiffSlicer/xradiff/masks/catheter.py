"""A vessel mask -> the mask without the catheter, which enters from above and is long, smooth and of one width.

From above, because the aorta lies there: arteries that leave the image at the side or below are kept.
"""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["without_catheter"]

Mask = NDArray[np.bool_]
_LONG_MM = 25.0
_WIDTHS_MM = (1.0, 3.2)  # 4 F to 8 F, with blur
_EVEN = 0.22  # largest variation of the width (SD / mean)
_BENT = 1.5  # largest ratio of the way along the line to the way straight
_BORDER_MM = 4.0


def without_catheter(mask: Mask, usable: Mask, pixel_mm: float) -> tuple[Mask, bool]:
    """Return `mask` (rows, columns) without pieces between branchings that look like a catheter, and whether one did.

    Args:
        mask: vessel pixels.
        usable: pixels that show the patient; a catheter reaches their border in the upper half.
        pixel_mm: size of a pixel in the patient.
    """
    line = sitk.GetArrayFromImage(sitk.BinaryThinning(sitk.GetImageFromArray(mask.astype(np.uint8)))) > 0
    neighbours = ndimage.convolve(line.astype(np.uint8), np.ones((3, 3), np.uint8), mode="constant") - 1
    pieces, count = ndimage.label(line & (neighbours <= 2), np.ones((3, 3)))
    if not count:
        return mask, False
    to_edge = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1] * pixel_mm
    to_border = ndimage.distance_transform_edt(np.pad(usable, 1))[1:-1, 1:-1] * pixel_mm
    middle = float(np.argwhere(usable.any(axis=1)).mean())
    to_border[round(middle) :] = np.inf
    guilty = np.zeros(count + 1, bool)
    for number, box in enumerate(ndimage.find_objects(pieces), start=1):
        own = pieces[box] == number
        guilty[number] = _is_catheter(own, 2 * to_edge[box][own], to_border[box][own], pixel_mm)
    if not guilty.any():
        return mask, False
    nearest = ndimage.distance_transform_edt(pieces == 0, return_distances=False, return_indices=True)
    return mask & ~guilty[pieces[tuple(nearest)]], True


def _is_catheter(own: Mask, widths_mm: NDArray[np.float64], border_mm: NDArray[np.float64], pixel_mm: float) -> bool:
    """Judge one line (rows, columns) by its width (M,) and distance from the upper border (M,)."""
    straight = float(np.hypot(*np.ptp(np.argwhere(own), axis=0))) * pixel_mm
    width = float(np.median(widths_mm))
    inner = widths_mm[border_mm > _BORDER_MM]
    return bool(
        straight >= _LONG_MM
        and border_mm.min() <= _BORDER_MM
        and _WIDTHS_MM[0] <= width <= _WIDTHS_MM[1]
        and inner.size > 0
        and inner.std() <= _EVEN * inner.mean()
        and own.sum() * pixel_mm <= _BENT * straight
    )
