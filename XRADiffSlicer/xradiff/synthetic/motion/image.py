"""Motion in the image: the second view shifted and scaled, as in the motion test of XRA-Diff.

The paper draws a shift from [-20, 20] px along both axes and factors s_x, s_y from [0.8, 1.2] for the second
image (20 px are 6 mm at 0.3 mm/px). Its code draws one factor for both axes, scales first, then shifts, and
fills what comes in over the border by reflection, which can put mirrored vessels there. Here: one factor, scaling
about the image's centre, then the shift; the border is "empty" (0) unless "reflect" is asked for, to repeat the
published numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...checks import check_choice, check_finite_vector, check_range
from ...errors import InputError

__all__ = ["ImageMotion", "ImageMotionOptions", "draw_image_motion"]

Pixel = TypeVar("Pixel", bound=np.generic)
BORDERS = ("empty", "reflect")


@dataclass(frozen=True)
class ImageMotion:
    """Scaling about the image's centre, then a shift.

    Attributes:
        shift_px: (rows down, columns to the right).
        scale: above 1 enlarges, 0.1 to 10.
        border: "empty" or "reflect", see the module's text.

    Raises:
        InputError: a value out of its range.
    """

    shift_px: tuple[float, float] = (0.0, 0.0)
    scale: float = 1.0
    border: str = "empty"

    def __post_init__(self) -> None:
        object.__setattr__(self, "shift_px", check_finite_vector("image shift [rows, columns]", self.shift_px, 2))
        check_range("image scale", self.scale, 0.1, 10)
        check_choice("border", self.border, BORDERS)

    def moved(self, image: NDArray[Pixel]) -> NDArray[Pixel]:
        """Return `image` (rows, columns), moved; same shape and type.

        Grey images are interpolated linearly. So are masks (bool), as 0 and 1, and cut at one half.

        Raises:
            InputError: the image has not two dimensions.
        """
        if image.ndim != 2:
            raise InputError(f"an image to move must be (rows, columns), got shape {image.shape}")
        centre = (np.asarray(image.shape) - 1) / 2
        origin = centre - (centre + self.shift_px) / self.scale  # output pixel (0, 0) in the input
        mode = "grid-constant" if self.border == "empty" else "mirror"
        source = image.astype(np.float32)
        moved = ndimage.affine_transform(source, np.full(2, 1 / self.scale), origin, order=1, mode=mode)
        if image.dtype == np.bool_:
            return (moved > 0.5).astype(image.dtype)
        return (np.rint(moved) if np.issubdtype(image.dtype, np.integer) else moved).astype(image.dtype)

    def parameters(self) -> dict[str, object]:
        """Return what defines the motion, ready for JSON."""
        return {"kind": "image", "shift_px": list(self.shift_px), "scale": self.scale, "border": self.border}


@dataclass(frozen=True)
class ImageMotionOptions:
    """Ranges of the drawn motion; the defaults are those of the XRA-Diff paper.

    Attributes:
        shift_px: largest shift along each axis, 0 to 1000 px.
        scale: largest change of the scale: factors lie in [1 - scale, 1 + scale]; 0 to 0.8.
        border: "empty" or "reflect".

    Raises:
        InputError: a value out of its range.
    """

    shift_px: float = 20.0
    scale: float = 0.2
    border: str = "empty"

    def __post_init__(self) -> None:
        check_range("largest image shift", self.shift_px, 0, 1000, unit="px")
        check_range("largest change of scale", self.scale, 0, 0.8)
        check_choice("border", self.border, BORDERS)


def draw_image_motion(rng: np.random.Generator, options: ImageMotionOptions | None = None) -> ImageMotion:
    """Return a random `ImageMotion`; `rng` is the only source of chance."""
    options = options or ImageMotionOptions()
    row, column = rng.uniform(-options.shift_px, options.shift_px, size=2)
    return ImageMotion(
        (float(row), float(column)), float(1 + rng.uniform(-options.scale, options.scale)), options.border
    )
