"""Disease: focal and diffuse stenoses, ectasia, total occlusions.

How many lesions a vessel has and how long they are is not published for a population: the defaults follow
the lesions that are treated (54.8 +- 9.2 % diameter stenosis, 12.8 mm balloons) and are our own choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .options import AnatomyOptions

__all__ = ["MAINS", "Lesion", "draw_lesions", "narrowed"]

Array = NDArray[np.float64]
MAINS = ("LAD", "LCX", "RCA")
_OSTIAL, _AT_BRANCH = 0.1, 0.3  # shares of focal stenoses
_FREE_MM = 5.0


@dataclass(frozen=True)
class Lesion:
    """One lesion.

    Attributes:
        kind: "stenosis", "diffuse", "ectasia", "occlusion" or "occlusion with collaterals".
        branch: vessel.
        centre_mm: middle, along the vessel from its begin.
        length_mm: length.
        diameter_percent: change of the diameter at the worst place: 60 is a 60 % stenosis, -80 a vessel 1.8 times
            as wide.
        skew: where in its length the worst place lies, 0 to 1.
    """

    kind: str
    branch: str
    centre_mm: float
    length_mm: float
    diameter_percent: float
    skew: float = 0.5


def draw_lesions(
    lengths_mm: Mapping[str, float],
    origins_mm: Mapping[str, list[float]],
    rng: np.random.Generator,
    options: AnatomyOptions,
) -> tuple[Lesion, ...]:
    """Return the lesions of one tree.

    Args:
        lengths_mm: length of every vessel.
        origins_mm: where branches leave each vessel, mm along it; 30 % of the focal stenoses lie at one.
        rng: the only source of chance.
        options: how often.
    """
    found: list[Lesion] = []
    mains = [name for name in MAINS if lengths_mm.get(name, 0) > 30]
    for name in mains:
        for _ in range(min(2, int(rng.poisson(options.stenoses)))):
            found.append(_focal(name, lengths_mm[name], origins_mm.get(name, []), rng, options))
        if rng.random() < options.diffuse:
            found.append(_long("diffuse", name, lengths_mm[name], rng.uniform(30, 60), rng.uniform(20, 40), rng))
        if rng.random() < options.ectasia:
            found.append(_long("ectasia", name, lengths_mm[name], rng.uniform(10, 30), rng.uniform(-100, -50), rng))
    if mains and rng.random() < options.occlusion:
        name = str(rng.choice(mains))
        kind = "occlusion with collaterals" if rng.random() < options.collaterals else "occlusion"
        found.append(_long(kind, name, lengths_mm[name], rng.uniform(5, 15), 100.0, rng))
    return tuple(found)


def narrowed(arclength_mm: Array, diameters_mm: Array, lesions: list[Lesion]) -> Array:
    """Return the diameters (N,) with the lesions of this vessel; 0 where it is occluded."""
    factor = np.ones_like(diameters_mm)
    for lesion in lesions:
        share = (arclength_mm - lesion.centre_mm) / lesion.length_mm + 0.5
        if lesion.kind.startswith("occlusion"):
            factor[(share >= 0) & (share <= 1)] = 0.0
            continue
        rise = np.where(share < lesion.skew, share / lesion.skew, (1 - share) / (1 - lesion.skew))
        if lesion.kind == "stenosis":
            bump = np.sin(np.pi / 2 * np.clip(rise, 0, 1)) ** 2
        else:  # a plateau with soft ends
            bump = np.sin(np.pi / 2 * np.clip(4 * np.minimum(share, 1 - share), 0, 1)) ** 2
        factor *= 1 - lesion.diameter_percent / 100 * bump
    return diameters_mm * factor


def _focal(
    name: str, length_mm: float, origins_mm: list[float], rng: np.random.Generator, options: AnatomyOptions
) -> Lesion:
    length = rng.uniform(*options.stenosis_length_mm)
    place = rng.random()
    if place < _OSTIAL:
        centre = 0.4 * length
    elif place < _OSTIAL + _AT_BRANCH and origins_mm:
        centre = float(rng.choice(origins_mm))
    else:
        centre = rng.uniform(0.05, 0.8) * length_mm
    percent = rng.uniform(*options.stenosis_percent)
    return Lesion("stenosis", name, float(centre), float(length), float(percent), float(rng.uniform(0.3, 0.7)))


def _long(
    kind: str, name: str, vessel_mm: float, length_mm: float, percent: float, rng: np.random.Generator
) -> Lesion:
    length = min(length_mm, 0.6 * vessel_mm)
    low = _FREE_MM + length / 2
    return Lesion(kind, name, float(rng.uniform(low, max(low, 0.9 * vessel_mm - length / 2))), length, float(percent))
