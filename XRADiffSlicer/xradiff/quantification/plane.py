"""How well a 2D vessel mask agrees with another: Dice and clDice, over the pixels that count."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from .overlap import dice

__all__ = ["centre_lines", "mask_agreement"]

Mask = NDArray[np.bool_]


def mask_agreement(found: Mask, truth: Mask, counted: Mask | None = None) -> tuple[float, float]:
    """Return Dice and clDice (Shit et al. 2021, doi:10.1109/CVPR46437.2021.01629, eq. 1 and 2) of two masks.

    Args:
        found: (rows, columns).
        truth: (rows, columns).
        counted: (rows, columns) pixels that count; all of them when not given.

    Raises:
        InputError: the shapes differ.
    """
    counted = np.ones_like(truth) if counted is None else counted
    overlap = dice(found & counted, truth & counted)
    own, other = centre_lines(found) & counted, centre_lines(truth & counted)
    if not own.any() and not other.any():
        return overlap, 1.0
    precision = (own & truth).sum() / max(1, own.sum())
    sensitivity = (other & found).sum() / max(1, other.sum())
    return overlap, float(2 * precision * sensitivity / max(1e-9, precision + sensitivity))


def centre_lines(mask: Mask) -> Mask:
    """Return lines one pixel wide (rows, columns) along the middle of a 2D mask."""
    thin: Mask = sitk.GetArrayFromImage(sitk.BinaryThinning(sitk.GetImageFromArray(mask.astype(np.uint8)))) > 0
    return thin
