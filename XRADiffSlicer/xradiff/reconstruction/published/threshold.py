"""A network's values as probabilities by their order (XRA-Diff eq. 4): the greatest 1 % are the vessels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError

__all__ = ["PUBLISHED_QUANTILE", "probabilities"]

PUBLISHED_QUANTILE = 0.99
BELOW_HALF = np.nextafter(np.float32(0.5), np.float32(0))


def probabilities(sample: NDArray[np.float32], quantile: float) -> NDArray[np.float32]:
    """Return a sample as probabilities in [0, 1].

    The sample is scaled to 0..1 by its least and greatest value, as the authors do. What eq. 4 keeps,
    the values of at least th_delta, is then mapped linearly to 0.5..1 and the rest below 0.5, so that a
    threshold of 0.5 is eq. 4; where more values than that tie at the least one, none of those is kept. A
    quantile of 0 only clips the sample to 0..1.

    Raises:
        InputError: a value is not finite.
    """
    low, high = float(sample.min()), float(sample.max())
    if not np.isfinite(low + high):
        raise InputError("the network gave values that are not finite; its weights do not suit these views")
    if quantile == 0 or low == high:
        return np.clip(sample, 0, 1)
    level = max(float(np.quantile(sample, quantile, method="higher")), float(sample[sample > low].min()))
    below = 0.5 * (sample - low) / (level - low)
    above = 0.5 + 0.5 * (sample - level) / (high - level) if level < high else np.ones_like(sample)
    return np.where(sample >= level, above, np.minimum(below, BELOW_HALF)).astype(np.float32)
