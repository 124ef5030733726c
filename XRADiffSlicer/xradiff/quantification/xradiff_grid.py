"""The numbers as XRA-Diff's tables have them: on voxels of 1.7 mm, in voxel units."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..datatypes import SparseVolume
from ..errors import InputError
from .distances import point_distances
from .overlap import dice
from .tolerance import dice_after_dilation

__all__ = ["XRADIFF_SHAPE", "XRADIFF_SPACING_MM", "XRADiffScores", "psnr", "xradiff_scores"]

XRADIFF_SHAPE = (60, 60, 60)
XRADIFF_SPACING_MM = 0.8 * 128 / 60
"""128 voxels of 0.8 mm resized to 60."""


@dataclass(frozen=True)
class XRADiffScores:
    """XRA-Diff's 3D metrics (its tables 4, 6 and 8), as its code computes them.

    A voxel of its lattice (centred on the isocentre) is set where the centre of a set voxel of the
    volume lies in it: the paper's truth, a label resized to 60^3 and compared with > 0, is thick in
    the same way. The lattice is not cut to 60^3 (trees do not always fit into its 102 mm); only PSNR,
    which depends on the amount of empty space, is.

    Attributes:
        dice: eq. 7.
        chamfer_vox: HALF of eq. 8, between all set voxels, in voxels of 1.707 mm.
        overlap_1vox: O(1), eq. 9, Dice after both were dilated by 3^3 voxels.
        overlap_2vox: O(2), the same with 5^3 voxels.
        psnr_db: eq. 10 in the 60^3 cube; infinite where they agree. The paper takes soft volumes.
    """

    dice: float
    chamfer_vox: float
    overlap_1vox: float
    overlap_2vox: float
    psnr_db: float


def xradiff_scores(result: SparseVolume, truth: SparseVolume) -> XRADiffScores:
    """Return the scores of all voxels of `result` against all voxels of `truth`.

    Raises:
        InputError: a volume is empty.
    """
    if len(result.indices) == 0 or len(truth.indices) == 0:
        raise InputError("an empty volume cannot be compared; the result or the truth has no voxel")
    a, b = _lattice(result), _lattice(truth)
    low = np.minimum(a.min(axis=0), b.min(axis=0))
    shape = np.maximum(a.max(axis=0), b.max(axis=0)) - low + 1
    own, other = (_mask(indices - low, tuple(shape)) for indices in (a, b))
    return XRADiffScores(
        dice=dice(own, other),
        chamfer_vox=point_distances(a.astype(float), b.astype(float)).chamfer / 2,
        overlap_1vox=dice_after_dilation(own, other, 1),
        overlap_2vox=dice_after_dilation(own, other, 2),
        psnr_db=psnr(_mask(a + 30, XRADIFF_SHAPE), _mask(b + 30, XRADIFF_SHAPE)),
    )


def psnr(result: NDArray[np.generic], reference: NDArray[np.generic]) -> float:
    """Return 10 log10(max(result)^2 / mean squared error) in dB (XRA-Diff eq. 10); infinite where they agree.

    -inf where the result is zero everywhere and the reference is not.

    Raises:
        InputError: the shapes differ.
    """
    if result.shape != reference.shape:
        raise InputError(f"cannot compare arrays of different shapes, {result.shape} and {reference.shape}")
    peak = float(result.max())
    error = float(np.mean((result.astype(float) - reference.astype(float)) ** 2))
    if error == 0:
        return math.inf
    return 10 * math.log10(peak**2 / error) if peak else -math.inf


def _lattice(volume: SparseVolume) -> NDArray[np.int64]:
    """Return the lattice voxels (K, 3) that hold a voxel centre; -1 and 0 meet at the isocentre."""
    cells = np.floor(volume.points_lps_mm() / XRADIFF_SPACING_MM).astype(np.int64)
    return np.unique(cells, axis=0)


def _mask(indices: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return the mask of the `indices` (K, 3) that lie inside `shape`."""
    mask = np.zeros(shape, dtype=bool)
    inside = np.all((indices >= 0) & (indices < shape), axis=1)
    mask[tuple(indices[inside].T)] = True
    return mask
