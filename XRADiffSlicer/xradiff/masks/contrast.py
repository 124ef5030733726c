"""How much contrast agent each frame of a run shows: a curve over time, from vessel maps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..errors import InputError
from ..views import AngiogramRun
from .vessel_maps import vessel_maps

__all__ = ["check_contrast", "check_polarity", "contrast_curve"]

Array = NDArray[np.float64]
_SHARE = 0.08  # of the pixels: about what a filled tree covers
_RISE = 2.0  # the best frame against the emptiest ones: contrast agent came or went
_SPARSE, _SPARSE_SHARE = (
    11.0,
    0.01,
)  # the darkest 1 % against all in the best frame: 7 in noise, 17 and more in vessels
_PICKED = 12


def contrast_curve(maps: NDArray[np.float32]) -> Array:
    """Return the opacification (N,) of each frame, 1 in the best one, from its `maps` (N, rows, columns).

    It is the mean of the 8 % of a map's pixels that look most like a vessel, wherever they are, so that the heart's
    motion does not matter; three frames are averaged.
    """
    curve = ndimage.uniform_filter1d(_darkest(maps.reshape(len(maps), -1), _SHARE), 3, mode="nearest")
    filled: Array = curve / max(float(curve.max()), 1e-12)
    return filled


def check_contrast(maps: NDArray[np.float32], curve: Array, name: str) -> None:
    """Check that some frame shows contrast agent: that lines come and go, or stand out from the noise.

    Args:
        maps: (N, rows, columns) the run's vessel maps.
        curve: (N,) their opacification.
        name: what messages call the run.

    Raises:
        InputError: they do neither.
    """
    best = maps[int(np.argmax(curve))].ravel()[maps.any(axis=0).ravel()]
    rise = float(curve.max()) / max(float(np.quantile(curve, 0.1)), 1e-12)
    if not best.any() or (rise < _RISE and _sparseness(best) < _SPARSE):
        raise InputError(
            f"no frame of {name} shows contrast agent: no dark vessels appear or stand out from the noise in "
            f"{len(maps)} frames; choose a run with an injection"
        )


def check_polarity(run: AngiogramRun, usable: NDArray[np.bool_], maps: NDArray[np.float32]) -> None:
    """Check that contrast agent is dark: that moving or passing dark lines are deeper than bright ones.

    Args:
        run: the run; up to 12 of its frames are decoded again.
        usable: (rows, columns) pixels that show the patient.
        maps: (N, rows, columns) its vessel maps.

    Raises:
        InputError: bright lines stand out more, as they do when the file is wrong about its polarity.
    """
    picked = [int(index) for index in np.unique(np.linspace(0, len(run) - 1, _PICKED).round())]
    bright = vessel_maps(run, usable, picked, bright=True).reshape(len(picked), -1)
    depths = _darkest(bright, _SPARSE_SHARE)
    best = int(np.argmax(depths))
    dark = _darkest(maps[picked].reshape(len(picked), -1), _SPARSE_SHARE).max()
    if depths[best] > dark and _sparseness(bright[best, bright.any(axis=0)]) >= _SPARSE:
        raise InputError(
            f"the vessels of {run.name} are bright in frame {picked[best]}: what the file says of its polarity is "
            f"wrong; read the run with inverted={not run.inverted}"
        )


def _darkest(flat: NDArray[np.float32], share: float) -> Array:
    """Return the mean (N,) of the highest `share` of the values of each row (N, M)."""
    count = max(1, round(share * flat.shape[1]))
    mean: Array = np.partition(flat, -count, axis=1)[:, -count:].mean(axis=1, dtype=np.float64)
    return mean


def _sparseness(values: NDArray[np.float32]) -> float:
    return float(_darkest(values[None], _SPARSE_SHARE)[0] / max(float(values.mean()), 1e-12))
