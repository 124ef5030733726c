"""Vessel masks as a segmentation would give them, from the silhouettes of synthetic trees.

The kinds of damage are those seen in automatic segmentations; their sizes are our own choice.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..checks import check_finite_vector, check_range
from ..errors import InputError
from .mask_damage import (
    inside_distance_px,
    with_catheter,
    with_false_piece,
    with_other_thickness,
    with_spur,
    without_disc,
    without_end,
)

__all__ = ["CorruptionOptions", "corrupt_mask"]

Mask = NDArray[np.bool_]
Pair = tuple[float, float]
_COUNTS = ("missing_ends", "breaks", "spurs", "blobs", "lines")
_AMOUNTS = ("thickness_px", "variation_px", "edge_px")
_LENGTHS = ("end_px", "gap_px", "spur_px", "blob_px", "line_px")
_MM_PER_FRENCH = 1 / 3


@dataclass(frozen=True)
class CorruptionOptions:
    """How much damage is done. Lengths in px, drawn uniformly from (least, most), fit images of 512 x 512.

    Attributes:
        strength: 0 (the mask stays as it is) to 1; scales the chances of all kinds and the thickness errors.
        missing_ends: distal ends cut off, each by `end_px` along the vessel; 0 to 100.
        breaks: gaps through a vessel: discs wider than the vessel by `gap_px`; 0 to 100.
        spurs: false lines 2 px wide that leave a vessel's edge, `spur_px` long; 0 to 100.
        blobs: false spots apart from the tree, `blob_px` in diameter; 0 to 100.
        lines: false curved lines apart from the tree, `line_px` long, 2 to 3 px wide; 0 to 100.
        catheter: chance, 0 to 1, that a catheter is taken for a vessel, from the border to the proximal end.
        catheter_french: its size, in French (1/3 mm).
        pixel_mm: size of a pixel at the isocentre, for the catheter.
        thickness_px: SD of the outward shift of all edges, 0 to 5 px; below 0 vessels get thinner.
        variation_px: SD of what varies slowly (over some 30 px) along the vessels, 0 to 5 px.
        edge_px: SD of the roughness of edges, 0 to 5 px.

    Raises:
        InputError: a value out of its range.
    """

    strength: float = 1.0
    missing_ends: int = 2
    breaks: int = 3
    spurs: int = 6
    blobs: int = 2
    lines: int = 1
    catheter: float = 0.5
    catheter_french: Pair = (5.0, 7.0)
    pixel_mm: float = 0.215
    thickness_px: float = 0.6
    variation_px: float = 0.4
    edge_px: float = 0.4
    end_px: Pair = (10.0, 50.0)
    gap_px: Pair = (2.0, 8.0)
    spur_px: Pair = (4.0, 14.0)
    blob_px: Pair = (4.0, 12.0)
    line_px: Pair = (15.0, 60.0)

    def __post_init__(self) -> None:
        check_range("strength of corruption", self.strength, 0, 1)
        check_range("chance of a catheter", self.catheter, 0, 1)
        check_range("size of a pixel", self.pixel_mm, 0.02, 5, unit="mm")
        for name in _COUNTS:
            if check_range(f"number of {name}", getattr(self, name), 0, 100) % 1:
                raise InputError(f"number of {name} must be a whole number, got {getattr(self, name)}")
        for name in _AMOUNTS:
            check_range(name, getattr(self, name), 0, 5, unit="px")
        for name in (*_LENGTHS, "catheter_french"):
            low, high = check_finite_vector(f"{name} (least, most)", getattr(self, name), 2)
            if not 0 < low <= high <= 1000:
                raise InputError(f"{name} must be (least, most) above 0, at most 1000, got ({low:g}, {high:g})")
            object.__setattr__(self, name, (low, high))

    @classmethod
    def only(cls, **kinds: Any) -> CorruptionOptions:
        """Return options that do nothing but `kinds` (fields by name).

        Raises:
            InputError: a value out of its range.
        """
        nothing = dict.fromkeys((*_COUNTS, *_AMOUNTS, "catheter"), 0)
        return cls(**(nothing | kinds))

    def parameters(self) -> dict[str, object]:
        """Return the fields ready for JSON; `CorruptionOptions(**parameters)` is the way back."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}


def corrupt_mask(
    mask: Mask,
    rng: np.random.Generator,
    options: CorruptionOptions | None = None,
    proximal_px: tuple[float, float] | None = None,
) -> Mask:
    """Return a damaged copy of a vessel mask (rows, columns).

    Args:
        mask: vessel mask with at least one pixel.
        rng: the only source of chance.
        options: how much damage.
        proximal_px: (row, column) of the proximal end, where a catheter arrives; the thickest place when not
            given.

    Raises:
        InputError: the mask is empty, or the proximal end does not lie in the image.
    """
    options = options or CorruptionOptions()
    if mask.ndim != 2 or not mask.any():
        raise InputError(f"a mask to corrupt must be 2-D with at least one vessel pixel, got shape {mask.shape}")
    proximal = None if proximal_px is None else np.array(check_finite_vector("proximal end", proximal_px, 2))
    if proximal is not None and not ((proximal >= 0) & (proximal <= np.subtract(mask.shape, 1))).all():
        raise InputError(f"the proximal end must lie in the image of {mask.shape}, got {proximal_px}")
    if options.strength == 0:
        return mask.copy()
    depth = inside_distance_px(mask)
    if proximal is None:
        proximal = np.array(np.unravel_index(np.argmax(depth), mask.shape), dtype=float)
    result = _with_false_parts(_without_parts(mask, depth, rng, options), mask, proximal, rng, options)
    shifts = [getattr(options, name) * options.strength for name in _AMOUNTS]
    return with_other_thickness(result, rng, *shifts) if any(shifts) else result


def _without_parts(
    mask: Mask, depth: NDArray[np.float64], rng: np.random.Generator, options: CorruptionOptions
) -> Mask:
    """Return a copy of the mask without some ends and with gaps."""
    result = mask.copy()
    for _ in range(_drawn(options.missing_ends, rng, options)):
        result = without_end(result, depth, rng, rng.uniform(*options.end_px))
    for _ in range(_drawn(options.breaks, rng, options)):
        pixels = np.argwhere(result)
        if len(pixels):
            centre = pixels[rng.integers(len(pixels))]
            result = without_disc(result, centre, depth[tuple(centre)] + rng.uniform(*options.gap_px))
    return result


def _with_false_parts(
    mask: Mask, whole: Mask, proximal: NDArray[np.float64], rng: np.random.Generator, options: CorruptionOptions
) -> Mask:
    """Return the mask with spurs, a catheter, blobs and lines; these keep clear of the `whole` mask as well."""
    result = mask
    edge = np.argwhere(whole & ~ndimage.binary_erosion(whole))
    for _ in range(_drawn(options.spurs, rng, options)):
        result = with_spur(result, edge[rng.integers(len(edge))], rng, rng.uniform(*options.spur_px))
    if options.catheter and rng.random() < options.catheter * options.strength:
        width_mm = rng.uniform(*options.catheter_french) * _MM_PER_FRENCH
        result = with_catheter(result, whole, proximal, rng, width_mm / options.pixel_mm)
    for _ in range(_drawn(options.blobs, rng, options)):
        width = rng.uniform(*options.blob_px)
        result = with_false_piece(result, whole, rng, 0.8 * width, 0.5 * width)
    for _ in range(_drawn(options.lines, rng, options)):
        result = with_false_piece(result, whole, rng, rng.uniform(*options.line_px), rng.uniform(1.0, 1.5))
    return result


def _drawn(count: int, rng: np.random.Generator, options: CorruptionOptions) -> int:
    """Return how many of `count` happen at this strength."""
    return count if options.strength == 1 else int(rng.binomial(count, options.strength))
