"""SYNTAX segment of each point (Sianos et al. 2005, EuroIntervention 1:219; numbers as in the SYNTAX score)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["segments_of"]

_FIXED = {
    "LM": "5", "RI": "12", "D1": "9", "D2": "10", "D3": "10a", "OM1": "12a", "OM2": "12b", "OM3": "14",
    "L-PL1": "14a", "L-PL2": "14b", "L-PDA": "15", "PDA": "4", "PL1": "16a", "PL2": "16b", "PL3": "16c",
}  # fmt: skip
_TWIGS = {"D1": "9a", "D2": "10a"}


def segments_of(name: str, points: int, origins: dict[str, int]) -> NDArray[np.str_]:
    """Return the segment (N,) of each point of a vessel; "" where the system has none (conus, septals...).

    Args:
        name: the vessel.
        points: how many it has.
        origins: point of this vessel where each of its branches leaves.

    The acute margin, where segment 2 ends, is taken to be at the first acute marginal. The middle LAD
    ends at the second diagonal, or half-way to the end where there is none.
    """
    if name == "RCA":
        margin = origins.get("AM1", points)
        crux = origins.get("PDA", points)
        return _runs(points, [("1", margin // 2), ("2", margin), ("3", crux), ("16", points)])
    if name == "LAD":
        septal = origins.get("S1", points // 5)
        middle = max(origins.get("D2", (septal + points) // 2), septal)
        return _runs(points, [("6", septal), ("7", middle), ("8", points)])
    if name == "LCX":
        marginal = min((origins[m] for m in ("OM1", "OM2", "OM3") if m in origins), default=points // 2)
        return _runs(points, [("11", marginal), ("13", points)])
    stem = name.rstrip("ab")
    return np.full(points, _FIXED.get(name, _TWIGS.get(stem, _FIXED.get(stem, ""))), dtype="<U3")


def _runs(points: int, ends: list[tuple[str, int]]) -> NDArray[np.str_]:
    result = np.full(points, ends[-1][0], dtype="<U3")
    start = 0
    for segment, end in ends:
        result[start : end + 1] = segment
        start = max(start, end + 1)
    return result
