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
_BLOCK_PX = 16  # edge of the blocks whose noise is told apart: in dark places of an image it is higher
_LOOKED_AT = 24  # frames, for the noise
_ABOVE = 5.0  # times the usual value of a block: of noise alone 0.04 to 0.13 of a filled tree passes, of 4 times 0.3
_LEAST_NOISE = 0.25  # of the usual block, where pixels are saturated
_LEAST_SHARE = 0.003  # of the highest value, where there is no noise
_SHARE = 0.08  # of the pixels: about what a filled tree covers
_RISE = 2.0  # the best frame against the emptiest ones: contrast agent came or went
_SPARSE, _SPARSE_SHARE = 11.0, 0.01  # the darkest 1 % against all in the best frame: 7 in noise, 17 or more in vessels
_PICKED = 12


def contrast_curve(maps: NDArray[np.float32]) -> Array:
    """Return the opacification (N,) of each frame, 1 in the best one, from its `maps` (N, rows, columns).

    It is the area that looks like a vessel, wherever it is, so that the heart's motion does not matter and branches
    that contrast agent has not reached yet are missed: pixels count from 5 times the usual value around them and
    wholly from 10 times. Three frames are averaged.
    """
    least = _ABOVE * _usual(maps)
    area = np.array([np.clip(each / least - 1, 0, 1).mean(dtype=np.float64) for each in maps])
    curve = ndimage.uniform_filter1d(area, 3, mode="nearest")
    filled: Array = curve / max(float(curve.max()), 1e-12)
    return filled


def _usual(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the middle value (rows, columns) of `maps` (N, rows, columns) around each pixel: that of the noise."""
    picked = maps[np.unique(np.linspace(0, len(maps) - 1, _LOOKED_AT).round().astype(int))]
    rows, columns = maps.shape[1:]
    seen = np.where(picked.any(axis=0), picked, np.nan)
    seen = np.pad(seen, [(0, 0), (0, -rows % _BLOCK_PX), (0, -columns % _BLOCK_PX)], constant_values=np.nan)
    down, across = (size // _BLOCK_PX for size in seen.shape[1:])
    blocks = seen.reshape(-1, down, _BLOCK_PX, across, _BLOCK_PX).transpose(1, 3, 0, 2, 4).reshape(down * across, -1)
    held = ~np.isnan(blocks).all(axis=1)
    if not held.any():
        return np.ones((rows, columns), np.float32)
    values = np.full(len(blocks), np.nanmedian(blocks))
    values[held] = np.nanmedian(blocks[held], axis=1)
    calm = ndimage.median_filter(np.maximum(values, _LEAST_NOISE * values.mean()).reshape(down, across), 3)
    fine = ndimage.zoom(calm, _BLOCK_PX, order=1, grid_mode=True, mode="nearest")[:rows, :columns]
    return np.maximum(fine, _LEAST_SHARE * float(picked.max())).astype(np.float32)


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
    depth = ndimage.uniform_filter1d(_darkest(maps.reshape(len(maps), -1), _SHARE), 3, mode="nearest")
    rise = float(depth.max()) / max(float(np.quantile(depth, 0.1)), 1e-12)
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
