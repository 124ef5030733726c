"""Heart phase from the images alone: how far the vessels move up and down in the image, and with what period.

In every C-arm view the image's rows run from cranial to caudal, more or less, and the coronary arteries descend
with the atrioventricular plane in systole. So the onset of each descent is the end of diastole, which stands for
the R wave.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["descent_px", "onsets_ms"]

Array = NDArray[np.float64]
_RATES_HZ = np.arange(0.65, 3.4, 0.01)  # 39 to 204 beats a minute
_HARMONICS = 3
_FEWEST_BEATS = 1.25
_LEAST_FIT = 0.7  # share of the motion that a period must explain
_LEAST_PX = 0.5  # of motion, from top to bottom
_ONSET = 0.15  # of the fastest descent


def descent_px(maps: NDArray[np.float32]) -> Array:
    """Return how far the vessels have moved down (N,) since the first of `maps` (N, rows, columns), in their pixels.

    The shift from each map to the next is the place of the highest correlation of the two.
    """
    smooth = [ndimage.gaussian_filter(each, 1.0) for each in maps]
    size = [2 * length for length in maps.shape[1:]]
    spectra = [np.fft.rfft2(each, size) for each in smooth]
    steps = [_shift(np.fft.irfft2(np.conj(a) * b, size)) for a, b in pairwise(spectra)]
    return np.concatenate([[0.0], np.cumsum(steps)])


def onsets_ms(times_ms: Array, descent: Array) -> Array | None:
    """Return when the descents begin (P,), over the time from the first to the last of `times_ms` (N,) and beyond.

    A period with three harmonics and a drift (breathing, table) is fitted to `descent` (N,).
    None where the vessels do not move in a period or too little of it was seen.
    """
    if len(times_ms) < 3 * _HARMONICS or np.ptp(descent) < _LEAST_PX:
        return None
    seconds = (times_ms - times_ms[0]) / 1000
    rates = _RATES_HZ[_RATES_HZ * seconds[-1] >= _FEWEST_BEATS]
    fits = [_fit(seconds, descent, rate) for rate in rates]
    if not fits or max(fit for fit, _ in fits) < _LEAST_FIT:
        return None
    explained = np.array([fit for fit, _ in fits])
    good = explained >= explained.max() - 0.05  # half of the rate explains as much: the highest one is meant
    last = len(rates) - 1 - int(np.argmax(good[::-1]))
    first = last - int(np.argmin(np.append(good[: last + 1][::-1], False)))
    best = first + 1 + int(np.argmax(explained[first + 1 : last + 1]))
    rate = float(rates[best])
    onset = _onset(fits[best][1])
    count = int(np.ceil(seconds[-1] * rate)) + 2
    onsets: Array = times_ms[0] + (onset - 1 + np.arange(count)) / rate * 1000
    return onsets


def _shift(correlation: Array) -> float:
    """Return the row of the highest correlation, between pixels by a parabola; wrapped rows are negative."""
    rows = correlation.max(axis=1)
    peak = int(np.argmax(rows))
    before, here, after = rows[peak - 1], rows[peak], rows[(peak + 1) % len(rows)]
    bend = before - 2 * here + after
    place = peak + (0.5 * (before - after) / bend if bend < 0 else 0.0)
    return float(place - len(rows) if place > len(rows) / 2 else place)


def _basis(seconds: Array, rate: float) -> Array:
    angles = 2 * np.pi * rate * seconds[:, None] * np.arange(1, _HARMONICS + 1)
    return np.concatenate([np.cos(angles), np.sin(angles)], axis=1)


def _fit(seconds: Array, descent: Array, rate: float) -> tuple[float, Array]:
    """Return the share of the variance that a period explains beyond a drift, and its coefficients."""
    drift = np.stack([np.ones_like(seconds), seconds], axis=1)
    design = np.concatenate([_basis(seconds, rate), drift], axis=1)
    weights = np.linalg.lstsq(design, descent, rcond=None)[0]
    left = ((descent - design @ weights) ** 2).sum()
    level = ((descent - drift @ np.linalg.lstsq(drift, descent, rcond=None)[0]) ** 2).sum()
    return float(1 - left / max(level, 1e-12)), weights[: 2 * _HARMONICS]


def _onset(weights: Array) -> float:
    """Return the share of the period, in [0, 1), at which the descent begins that becomes the fastest one."""
    share = np.arange(200) / 200
    speed = np.gradient(np.tile(_basis(share, 1.0) @ weights, 3))[200:400]
    fastest = int(np.argmax(speed))
    back = np.roll(speed[::-1], fastest + 1)  # from the fastest one backwards in time
    steps = int(np.argmax(back < _ONSET * speed[fastest]))
    return float(share[(fastest - steps) % 200])
