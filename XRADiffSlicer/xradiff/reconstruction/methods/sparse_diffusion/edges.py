"""A mask's stairs of pixels -> edges finer than a pixel: distances averaged along the vessel, not across it.

The distance of a pixel to a mask's edge jumps with every stair. A vessel runs smoothly, so the mean over some pixels
along it errs a third less, while its width stays.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ....projection import bilinear

__all__ = ["averaged_along"]

NEAR_PX = 6.0
"""Only so near an edge distances are averaged; farther away a stair matters little."""
UNCLEAR, CLEAR = 0.3, 0.9
"""Clarity of the direction from which on is averaged, and from which on over the whole length."""
STRAIGHT = 0.7
"""Cosine of the sharpest turn between two pixels that is followed."""
LEAST_SIGMA_PX = 0.3

Array = NDArray[np.float32]


def averaged_along(distance_px: Array, tangent: Array, clarity: Array, sigma_px: float) -> Array:
    """Return the distances (rows, columns), averaged along the vessels with Gaussian weights.

    From each pixel steps of one pixel follow `tangent` both ways, two standard deviations far (line integral
    convolution, Cabral and Leedom 1993, doi:10.1145/166117.166151). Where the direction is unclear, as at crossings
    and ends, nothing changes.

    Args:
        distance_px: (rows, columns) signed distance to the edge in px.
        tangent: (rows, columns, 2) unit vector (row, column) along the vessel, of any sign.
        clarity: (rows, columns) how clear it is, 0 to 1.
        sigma_px: standard deviation of the weights in px where the direction is clear.
    """
    clear = np.clip((clarity - UNCLEAR) / (CLEAR - UNCLEAR), 0, 1)
    rows, columns = np.nonzero((np.abs(distance_px) < NEAR_PX) & (clear > 0))
    sigma = np.maximum(sigma_px * clear[rows, columns], LEAST_SIGMA_PX)
    total, weights = distance_px[rows, columns].copy(), np.ones(len(rows), dtype=np.float32)
    last = np.subtract(distance_px.shape, 1).astype(np.float32)
    for sign in (1, -1):
        place = np.stack([rows, columns], axis=1).astype(np.float32)
        direction = sign * tangent[rows, columns]
        for number in range(1, int(np.ceil(2 * sigma_px)) + 1):
            place = np.clip(place + direction, 0, last)
            weight = np.exp(-0.5 * (number / sigma) ** 2).astype(np.float32)
            total += weight * bilinear(distance_px, place[:, 0], place[:, 1])
            weights += weight
            direction = _followed(direction, tangent, place)
    answer = distance_px.copy()
    answer[rows, columns] = total / weights
    return answer


def _followed(direction: Array, tangent: Array, place: Array) -> Array:
    """Return the directions (N, 2) at places (N, 2): the tangent there, the way round that goes on."""
    nearest = np.rint(place).astype(np.int64)
    there = tangent[nearest[:, 0], nearest[:, 1]]
    cosine = (there * direction).sum(axis=1, keepdims=True)
    return np.where(np.abs(cosine) > STRAIGHT, np.sign(cosine) * there, direction).astype(np.float32)
