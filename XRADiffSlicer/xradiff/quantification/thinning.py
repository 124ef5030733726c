"""Curve skeletons: topology-preserving 3D thinning, in whole layers and without loops over voxels.

Voxels of one of the eight classes of (x, y, z) parity are never neighbours, so all simple points of a
class can go at once (8-subfield thinning: Bertrand and Aktouf 1994, doi:10.1117/12.196098). That keeps
connected parts, tunnels and holes exactly. The thinning of scikit-image 0.26 (Lee's) does not: a straight bar
2 or 4 voxels wide vanishes in it.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..errors import InputError

__all__ = ["skeleton"]

Mask = NDArray[np.bool_]
_STEPS = np.array([step for step in itertools.product((-1, 0, 1), repeat=3) if any(step)])  # the 26 neighbours
_CITY = np.abs(_STEPS).sum(axis=1)
_GAPS = np.abs(_STEPS[:, None] - _STEPS[None])
_TOUCH_26 = (_GAPS.max(axis=-1) <= 1).astype(np.float32)
_TOUCH_6 = ((_GAPS.sum(axis=-1) <= 1) & (_CITY <= 2)[:, None] & (_CITY <= 2)[None]).astype(np.float32)
_BITS = 1 << np.arange(26)


def skeleton(mask: Mask) -> Mask:
    """Return the curve skeleton of a 3D mask: lines one voxel wide, a single voxel for a ball, same shape.

    Layer by layer, border voxels go that are simple (Bertrand and Malandain 1994,
    doi:10.1016/0167-8655(94)90046-9) and not the end of a line (exactly one neighbour of 26).

    Raises:
        InputError: the mask is not 3D.
    """
    if mask.ndim != 3:
        raise InputError(f"thinning needs a 3D mask, got shape {mask.shape}")
    result = np.zeros(mask.shape, dtype=bool)
    if not mask.any():
        return result
    box = ndimage.find_objects(mask.astype(np.int8))[0]
    work = np.pad(mask[box].astype(bool), 1)
    while _layer_removed(work):
        pass
    result[box] = work[1:-1, 1:-1, 1:-1]
    return result


def _layer_removed(work: Mask) -> bool:
    """Remove what can go of the border of `work` (in place); tell whether anything went."""
    border = np.argwhere(work & ~ndimage.binary_erosion(work))
    places: NDArray[np.intp] = np.asarray(np.ravel_multi_index(tuple(border.T), work.shape))
    beside: NDArray[np.int64] = _STEPS @ [work.shape[1] * work.shape[2], work.shape[2], 1]
    flat, gone = work.reshape(-1), 0
    inner = np.count_nonzero(flat[places[:, None] + beside], axis=1) > 1  # ends as the layer begins: no spurs
    places, classes = places[inner], (border[inner] & 1) @ [1, 2, 4]
    for number in range(8):
        own = places[classes == number]
        removable = own[_simple(flat[own[:, None] + beside])]
        flat[removable] = False
        gone += len(removable)
    return gone > 0


def _simple(around: Mask) -> Mask:
    """Tell which neighbourhoods (K, 26) allow their middle to go: topological numbers T26 = 1 and T6 = 1."""
    codes: NDArray[np.int64] = around.astype(np.int64) @ _BITS
    _, first, which = np.unique(codes, return_index=True, return_inverse=True)
    kinds = around[first]
    one_object: Mask = np.all(_flood(kinds, kinds, _TOUCH_26) == kinds, axis=1) & kinds.any(axis=1)
    outside, beside = ~kinds & (_CITY <= 2), ~kinds & (_CITY == 1)
    one_outside: Mask = np.all(_flood(outside, beside, _TOUCH_6)[:, _CITY == 1] == beside[:, _CITY == 1], axis=1)
    simple: Mask = (one_object & one_outside & beside.any(axis=1))[which]
    return simple


def _flood(room: Mask, seeds: Mask, touch: NDArray[np.float32]) -> Mask:
    """Return what of `room` (K, 26) is connected with the first seed of each row."""
    reached = seeds & (np.cumsum(seeds, axis=1) == 1)
    while True:
        grown = (reached.astype(np.float32) @ touch > 0) & room
        if np.array_equal(grown, reached):
            return reached
        reached = grown
