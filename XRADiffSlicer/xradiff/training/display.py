"""What happens to a run between detector and file, drawn: the patient breathes, wires, sharpening, another curve."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.interpolate import CubicSpline

from ..synthetic.acquisition import SimulatedRun
from ..synthetic.acquisition.angiogram import LOG_RANGE

__all__ = ["displayed"]

Image = NDArray[np.float32]
_BREATHING, _WIRES, _SHARPENED, _CURVED = 0.5, 0.3, 0.3, 0.4  # how often
_BREATH_PX_PER_512 = 8.0  # most


def displayed(run: SimulatedRun, rng: np.random.Generator) -> SimulatedRun:
    """Return the run as a file would hold it; vessel masks move with the patient."""
    top = 2**run.bits - 1
    shares = run.frames.astype(np.float32) / top
    masks = run.masks
    if rng.random() < _WIRES:
        dark = _wires(run.masks.shape[1:], rng)
        shares = np.maximum(shares - dark / LOG_RANGE, 0) if run.relationship == "LOG" else shares * np.exp(-dark)
    if rng.random() < _BREATHING:
        shares, masks = _shifted(shares, masks, rng)
    if rng.random() < _SHARPENED:
        size = float(rng.uniform(0.8, 3.0))
        amount = float(rng.uniform(0.2, 1.0))
        shares = shares + amount * (shares - ndimage.gaussian_filter(shares, (0, size, size), truncate=3))
    if rng.random() < _CURVED:
        shares = np.clip(shares, 0, 1) ** float(np.exp(rng.uniform(np.log(0.6), np.log(1.6))))
    frames = np.rint(np.clip(shares, 0, 1) * top).astype(np.uint16)
    return replace(run, frames=frames, masks=masks)


def _shifted(shares: Image, masks: NDArray[np.bool_], rng: np.random.Generator) -> tuple[Image, NDArray[np.bool_]]:
    """Return frames and masks (N, rows, columns) displaced by whole pixels, as breathing or a moved table would."""
    count, rows, columns = shares.shape
    most = _BREATH_PX_PER_512 * rows / 512
    way = np.cumsum(rng.normal(size=(count, 2)), axis=0)
    way -= way[0]
    way = np.rint(way / max(1e-6, np.abs(way).max()) * rng.uniform(0, most)).astype(int)
    opening = shares.max(axis=0) > 0  # the collimator stays
    moved, moved_masks = np.empty_like(shares), np.empty_like(masks)
    for index, (down, right) in enumerate(way):
        pad = [(max(down, 0), max(-down, 0)), (max(right, 0), max(-right, 0))]
        part = (slice(max(-down, 0), max(-down, 0) + rows), slice(max(-right, 0), max(-right, 0) + columns))
        moved[index] = np.pad(shares[index], pad, mode="edge")[part] * opening
        moved_masks[index] = np.pad(masks[index], pad)[part] & opening
    return moved, moved_masks


def _wires(shape: tuple[int, ...], rng: np.random.Generator) -> Image:
    """Return the attenuation (rows, columns) of one to three thin curved lines that are no vessels."""
    dark = np.zeros(shape, np.float32)
    for _ in range(int(rng.integers(1, 4))):
        ends = rng.uniform(-0.1, 1.1, size=(4, 2)) * shape
        if rng.random() < 0.5:
            ends = ends[0] + (ends - ends[0]) * rng.uniform(0.1, 0.5)
        points = CubicSpline(np.arange(4), ends)(np.linspace(0, 3, 6 * max(shape)))
        inside = ((points >= 0) & (points <= np.subtract(shape, 1))).all(axis=1)
        line = np.zeros(shape, bool)
        line[tuple(np.rint(points[inside]).astype(int).T)] = True
        width = float(rng.uniform(0.4, 2.0)) * max(shape) / 512
        profile = ndimage.gaussian_filter(line.astype(np.float32), width)
        dark += rng.uniform(0.03, 0.3) * profile / max(float(profile.max()), 1e-6)
    return dark
