"""XRA-Diff's motion test (2.7): the second image shifted and scaled at random, its geometry left as it was."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..datatypes import AngiogramView

__all__ = ["PixelMap", "with_image_motion"]

PixelMap = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Where pixels (N, 2), row and column, of the second image go."""


def with_image_motion(
    views: Sequence[AngiogramView], amount: float, generator: np.random.Generator
) -> tuple[tuple[AngiogramView, ...], PixelMap]:
    """Return the views with the second one's mask moved, and where its pixels went.

    Args:
        views: with masks.
        amount: 1 is the paper's range, 20 px along each axis and a factor 0.8 to 1.2; 0 is none.
        generator: the only source of chance; a draw for 0.5 is half as large as one for 1 from the same state.
    """
    if amount == 0:
        return tuple(views), lambda pixels: pixels
    from ..synthetic.motion import ImageMotion, draw_image_motion

    drawn = draw_image_motion(generator)
    row, column = (amount * value for value in drawn.shift_px)
    motion = ImageMotion((row, column), 1 + amount * (drawn.scale - 1))
    second = views[1]
    mask = motion.moved(second.vessel_mask())
    centre = (np.asarray(second.shape) - 1) / 2
    moved = (views[0], second.with_mask(mask), *views[2:])
    return moved, lambda pixels: centre + motion.scale * (pixels - centre) + motion.shift_px
