"""Overlap of a result with a reference: Dice, coverage, precision; boolean arrays of any dimension."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError

__all__ = ["coverage", "dice", "precision"]

Mask = NDArray[np.bool_]


def dice(result: Mask, reference: Mask) -> float:
    """Return 2 |A and B| / (|A| + |B|) = 2 TP / (2 TP + FP + FN) (XRA-Diff eq. 7); 1 where both are empty.

    Raises:
        InputError: the shapes differ.
    """
    both, total = _shared(result, reference), _size(result) + _size(reference)
    return 2 * both / total if total else 1.0


def coverage(result: Mask, reference: Mask) -> float:
    """Return |A and B| / |B|: the fraction of the reference that the result covers (recall, sensitivity).

    1 where the reference is empty.

    Raises:
        InputError: the shapes differ.
    """
    both, total = _shared(result, reference), _size(reference)
    return both / total if total else 1.0


def precision(result: Mask, reference: Mask) -> float:
    """Return |A and B| / |A|: the fraction of the result that lies on the reference; 1 where it is empty.

    Raises:
        InputError: the shapes differ.
    """
    return coverage(reference, result)


def _size(mask: Mask) -> int:
    return int(np.count_nonzero(mask))


def _shared(result: Mask, reference: Mask) -> int:
    if result.shape != reference.shape:
        raise InputError(f"cannot compare arrays of different shapes, {result.shape} and {reference.shape}")
    return int(np.count_nonzero(result.astype(bool) & reference.astype(bool)))
