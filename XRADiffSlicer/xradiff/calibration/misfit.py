"""Masks that fit one another badly, whatever the shift -> a sentence on it: a wrong angle, or another heart phase."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .evidence import Consistency

__all__ = ["MISFIT_MM", "misfit"]

MISFIT_MM = 0.3
"""Median distance of matched points; generated views that belong together have less (see README.md)."""


def misfit(names: Sequence[str], after: Mapping[tuple[int, int], Consistency]) -> tuple[str, ...]:
    """Return a sentence where the masks still fit badly after calibration, else nothing.

    Of three or more views it names the one without which the others fit, where that is one.

    Args:
        names: of the views.
        after: how well each pair of views fits.
    """
    gaps = {pair: consistency.matched_gap_mm for pair, consistency in after.items()}
    gap_mm = float(np.mean(list(gaps.values())))
    if gap_mm <= MISFIT_MM:
        return ()
    told = f"the masks fit one another badly: matched points lie {gap_mm:.2f} mm apart (median; {MISFIT_MM:g} or less "
    told += "where views belong together)"
    without = {
        view: [gap for pair, gap in gaps.items() if view not in pair] for view in range(len(names)) if len(names) > 2
    }
    fitting = [view for view, rest in without.items() if rest and float(np.mean(rest)) <= MISFIT_MM]
    if len(fitting) == 1:
        told += f", but without {names[fitting[0]]} the others fit"
    return (f"{told}; an angle may be wrong, or the heart in another phase",)
