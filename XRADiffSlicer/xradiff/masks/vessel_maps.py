"""Grey frames of a run -> how much each pixel looks like a contrast-filled vessel, at a small size, all frames.

A ridge filter without weights: the largest curvature across a dark line at two scales (the largest eigenvalue of
the scaled Hessian of the logarithm of the grey values; Lindeberg 1998, doi:10.1023/A:1008097225773). What stays
dark in the same place through most of the run (ribs, spine, a resting catheter) is taken away.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..memory import check_memory
from ..views import AngiogramRun

__all__ = ["GreyScale", "light_of", "vessel_maps"]

Maps = NDArray[np.float32]
MAP_PX = 192  # longest side of a map
_SCALES_PX = (1.2, 2.4)
_DARKEST, _LOG_RANGE = 0.01, 3.0
_STATIC = 0.2  # quantile over the run that counts as static


def vessel_maps(
    run: AngiogramRun, usable: NDArray[np.bool_], frames: Sequence[int] | None = None, *, bright: bool = False
) -> Maps:
    """Return maps (N, rows, columns), 0 or more, of dark (or bright) lines that move or pass.

    Every frame is decoded once.

    Args:
        run: the run.
        usable: (rows, columns) pixels that show the patient, see `views.opening_of`.
        frames: which frames; all of them when not given. Of one or two nothing counts as static.
        bright: bright lines instead of dark ones.

    Raises:
        InputError: a frame cannot be decoded, or the maps do not fit into memory.
    """
    chosen = range(len(run)) if frames is None else frames
    factor = max(1, -(-max(run.shape) // MAP_PX))
    shape = tuple(size // factor for size in run.shape)
    check_memory(12.0 * len(chosen) * np.prod(shape), f"looking for contrast in {run.name}", "use a shorter run")
    counted = _reduced(usable.astype(np.float32), factor)
    inside = ndimage.binary_erosion(counted > 0.99, iterations=round(3 * _SCALES_PX[-1]))
    maps = np.zeros((len(chosen), *shape), np.float32)
    for place, index in enumerate(chosen):
        light = _filled(_reduced(light_of(run.frame(index), run) * usable, factor), counted)
        maps[place] = _ridges(-light if bright else light) * inside
    if len(maps) > 2:
        maps -= np.quantile(maps, _STATIC, axis=0).astype(np.float32)
    return np.maximum(maps, 0, out=maps)


class GreyScale(Protocol):
    """What grey values mean: bits of a pixel, intensity relationship ("LOG" or another), subtracted or not."""

    @property
    def bits(self) -> int: ...
    @property
    def relationship(self) -> str: ...
    @property
    def subtracted(self) -> bool: ...


def light_of(frame: NDArray[np.unsignedinteger], run: GreyScale) -> Maps:
    """Return the logarithm of the intensity (rows, columns): a line is as deep in a bright place as in a dark one.

    Grey values that are logarithms already (or differences of them) are taken to span e^3.
    """
    share = frame.astype(np.float32) / (2**run.bits - 1)
    light: Maps = _LOG_RANGE * share if run.subtracted or run.relationship == "LOG" else np.log(share + _DARKEST)
    return light


def _reduced(image: Maps, factor: int) -> Maps:
    """Return means (rows // factor, columns // factor) of blocks."""
    rows, columns = (size // factor * factor for size in image.shape)
    blocks = image[:rows, :columns].reshape(rows // factor, factor, columns // factor, factor)
    reduced: Maps = blocks.mean(axis=(1, 3), dtype=np.float32)
    return reduced


def _filled(total: Maps, counted: Maps) -> Maps:
    """Return means over usable pixels, and their middle value where there are none."""
    used = counted > 0.5
    mean = np.divide(total, counted, out=np.zeros_like(total), where=used)
    return np.where(used, mean, np.median(mean[used]) if used.any() else 0).astype(np.float32)


def _ridges(light: Maps) -> Maps:
    level = light - np.median(light)  # a cut-off kernel of second order answers to a level, too
    strongest = np.zeros_like(level)
    for scale in _SCALES_PX:
        rr, rc, cc = (ndimage.gaussian_filter(level, scale, order) for order in ((2, 0), (1, 1), (0, 2)))
        across = (rr + cc) / 2 + np.sqrt(((rr - cc) / 2) ** 2 + rc**2)
        strongest = np.maximum(strongest, scale**2 * across)
    return strongest
