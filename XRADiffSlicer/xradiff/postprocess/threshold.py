"""Soft values -> kept voxels: adaptive (XRA-Diff eq. 4) and fixed threshold."""

from __future__ import annotations

import math

import numpy as np

from ..datatypes import SparseVolume
from ..errors import InputError
from .config import PostprocessConfig

__all__ = ["adaptive_threshold", "apply_threshold"]


def adaptive_threshold(volume: SparseVolume, quantile: float = 0.99) -> float:
    """Return th_delta, the delta-quantile of the values of the whole grid (XRA-Diff eq. 4).

    The zeros that a sparse volume does not store count too. As printed, eq. 4 keeps the fraction
    delta = 0.99 of the voxels; what is meant, and done here, is that delta is rejected and
    1 - delta kept: at most floor((1 - delta) * grid size) voxels, more only where values tie at the
    threshold. Where fewer voxels are positive, the threshold is the smallest positive value.

    Raises:
        InputError: no positive value, or the quantile leaves less than one voxel.
    """
    positive = volume.values[volume.values > 0]
    if positive.size == 0:
        raise InputError("the volume has no positive value; there is nothing to threshold")
    allowed = math.floor((1 - quantile) * volume.grid.size + 1e-6)
    if allowed < 1:
        raise InputError(
            f"quantile {quantile:g} leaves less than one of {volume.grid.size} voxels; choose a smaller one"
        )
    count = min(allowed, positive.size)
    return float(np.partition(positive, positive.size - count)[positive.size - count])


def apply_threshold(volume: SparseVolume, config: PostprocessConfig) -> SparseVolume:
    """Return the positive voxels of at least the fixed or the adaptive threshold, values unchanged."""
    if config.threshold_mode == "adaptive":
        threshold = adaptive_threshold(volume, config.quantile)
    else:
        # A float32 value that was written as 0.7 counts as 0.7.
        threshold = float(np.float32(config.threshold))
    return volume.where(volume.values >= threshold)
