"""Images that are vessel masks already -> boolean masks; everything else is refused with a reason."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..datatypes import AngiogramView
from ..errors import InputError

__all__ = ["binary_mask", "with_masks"]

MOST_FOREGROUND = 0.5
HIGHEST_LABEL = 30
BLURRED_EDGE = 0.10


def with_masks(views: Sequence[AngiogramView]) -> tuple[AngiogramView, ...]:
    """Return the views with the mask that their pixels are, unless they have one.

    Raises:
        InputError: a view is a grey angiogram, empty or all foreground.
    """
    return tuple(
        view.with_mask(binary_mask(view.pixels if view.mask is None else view.mask, view.name)) for view in views
    )


def binary_mask(pixels: NDArray[np.generic], name: str = "the mask") -> NDArray[np.bool_]:
    """Return the vessel pixels (rows, columns) of an image that is a mask.

    Accepted are two grey levels (the higher is the vessel), label maps (integers from 0 to 30, all
    but 0 are vessel), and two levels with a blurred edge (resampled or JPEG), cut half-way.

    Raises:
        InputError: not finite, a grey angiogram, no vessel pixel, or more than half of the image vessel.
    """
    if np.issubdtype(pixels.dtype, np.floating) and not np.isfinite(pixels).all():
        raise InputError(f"{name} holds values that are not finite numbers")
    low, high = float(pixels.min()), float(pixels.max())
    if low == high:
        what = "empty" if high == 0 else "one single value everywhere"
        raise InputError(f"{name} is {what}: a mask needs vessel pixels on a background of 0")
    labels = np.issubdtype(pixels.dtype, np.integer) and low == 0 and high <= HIGHEST_LABEL
    scaled = (pixels.astype(np.float64) - low) / (high - low)
    mask: NDArray[np.bool_] = scaled > (0 if labels else 0.5)
    if not labels:
        between = np.count_nonzero((scaled > 0.1) & (scaled < 0.9))
        if between > BLURRED_EDGE * pixels.size or between > 2 * np.count_nonzero(mask):
            raise InputError(
                f"{name} is a grey image, not a vessel mask ({between / pixels.size:.0%} of its pixels lie between "
                "the two levels); segment the vessels first and give the mask"
            )
    if mask.mean() > MOST_FOREGROUND:
        raise InputError(
            f"{name} marks {mask.mean():.0%} of the image as vessel; at most {MOST_FOREGROUND:.0%} is accepted "
            "(is it inverted? vessels must be bright)"
        )
    return mask
