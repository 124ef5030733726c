"""How well masks fit one another after calibration, view by view -> a sentence where they fit badly: a wrong angle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .evidence import Consistency

__all__ = ["MISFIT_MM", "misfit", "worst_gap_mm"]

MISFIT_MM = 0.3
"""Median distance of matched points; most generated views that belong together have less (see README.md)."""

Pair = tuple[int, int]


def worst_gap_mm(after: Mapping[Pair, Consistency]) -> float:
    """Return the largest over the views of the mean matched gap of a view's pairs; not a number without matches."""
    views = {view for pair in after for view in pair}
    found = [_mean([fit.matched_gap_mm for pair, fit in after.items() if view in pair]) for view in views]
    return float(np.nanmax(found)) if np.isfinite(found).any() else float("nan")


def misfit(names: Sequence[str], after: Mapping[Pair, Consistency]) -> tuple[str, ...]:
    """Return a sentence where the masks of a view still fit badly after calibration, else nothing.

    Of three or more views it names the one without which the others fit, where that is one.

    Args:
        names: of the views.
        after: how well each pair of views fits.
    """
    gap_mm = worst_gap_mm(after)
    if not gap_mm > MISFIT_MM:
        return ()
    told = f"the masks fit one another badly: matched points lie {gap_mm:.2f} mm apart"
    told += f" (median; mostly {MISFIT_MM:g} or less where views belong together)"
    rests = {view: {p: fit for p, fit in after.items() if view not in p} for view in range(len(names))}
    fitting = [view for view, rest in rests.items() if rest and worst_gap_mm(rest) <= MISFIT_MM]
    if len(fitting) == 1:
        told += f", but without {names[fitting[0]]} the others fit"
    return (f"{told}; an angle may be wrong, or the heart in another phase",)


def _mean(gaps_mm: Sequence[float]) -> float:
    """Return the mean of the gaps that are numbers."""
    known = [gap for gap in gaps_mm if np.isfinite(gap)]
    return float(np.mean(known)) if known else float("nan")
