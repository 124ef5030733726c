"""What calibration did and how sure it is, for people and as JSON."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ..datatypes import AngiogramView
from .evidence import Consistency
from .search import VoteCurve

__all__ = ["CalibrationReport", "PairSearch", "ViewCorrection"]

EXACT_MM = 0.12
"""Matched points of simultaneous views lie so far apart (median), since outlines are traced to a part of a pixel."""
LEAST_MM, MOST_MM = 0.1, 1.0
"""Less does not matter; more gave no better results (see README.md)."""
SPREAD = 1.48 / 2
"""Median of gaps -> standard deviation of what lies half-way between them."""
STANDARD_DEVIATIONS = 3.0


@dataclass(frozen=True)
class ViewCorrection:
    """The change made to one view.

    Attributes:
        view_name: the view's name.
        shift_lps_mm: displacement of the patient in this view that was added, LPS.
        shift_along_n_mm: its part across the epipolar planes shared with the reference view.
        shift_px: its size in the image, at the middle of the tree.
        sigma_mm: standard deviation of the estimate along n, m and b (prior 10 mm included).
        undetermined: which of n, m, b the views cannot tell.
        changes: further changes by name (bundle mode): primary_deg, secondary_deg, roll_deg, sod_mm, sid_mm.
        accepted: whether the view was changed.
        reason: why, in one sentence.
    """

    view_name: str
    shift_lps_mm: tuple[float, float, float]
    shift_along_n_mm: float
    shift_px: float
    sigma_mm: dict[str, float]
    undetermined: tuple[str, ...]
    changes: dict[str, float]
    accepted: bool
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes by name, ready for JSON."""
        return {
            "view_name": self.view_name,
            "shift_lps_mm": [round(value, 4) for value in self.shift_lps_mm],
            "shift_along_n_mm": round(self.shift_along_n_mm, 4),
            "shift_px": round(self.shift_px, 3),
            "sigma_mm": {name: round(value, 4) for name, value in self.sigma_mm.items()},
            "undetermined": list(self.undetermined),
            "changes": {name: round(value, 5) for name, value in self.changes.items()},
            "accepted": self.accepted,
            "reason": self.reason,
        }


@dataclass(frozen=True, eq=False)
class PairSearch:
    """The search between two views: votes (T,) for shifts (T,) along n, for a plot."""

    view_names: tuple[str, str]
    curve: VoteCurve

    def to_dict(self) -> dict[str, Any]:
        """Return names and curve, ready for JSON."""
        return {
            "views": list(self.view_names),
            "shift_mm": [round(float(value), 3) for value in self.curve.shift_mm],
            "share": [round(float(value), 5) for value in self.curve.share],
        }


@dataclass(frozen=True, eq=False)
class CalibrationReport:
    """The corrected views and the evidence.

    Attributes:
        views: same order as given; view 0 is the reference and never changes.
        mode: off, auto, shift or bundle.
        corrections: one for each view but the first.
        consistency_before, consistency_after: None when mode is off.
        searches: votes of the searched pairs of views.
        notes: what was used, one sentence each.
        warnings: what a reader should mind, one sentence each.
        matched_gap_mm: median distance of matched points after calibration, of the view that fits worst; not a number
            where hardly any match, or nothing was asked.
    """

    views: tuple[AngiogramView, ...]
    mode: str
    corrections: tuple[ViewCorrection, ...] = ()
    consistency_before: Consistency | None = None
    consistency_after: Consistency | None = None
    searches: tuple[PairSearch, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    matched_gap_mm: float = float("nan")

    @property
    def tolerance_mm(self) -> float:
        """How far to widen the masks where they are intersected, 0 to 1 mm: three standard deviations of what is left.

        That is the spread of the gaps between matched points of the view that fits worst, beyond that of simultaneous
        views, and the uncertainty of the shift across the epipolar planes where a view was moved. A heart that beat
        changed its shape, which no shift corrects; some of its points lie farther apart (see README.md).
        """
        gap_mm = 0.0 if math.isnan(self.matched_gap_mm) else self.matched_gap_mm
        variance = SPREAD**2 * max(gap_mm**2 - EXACT_MM**2, 0.0)
        variance += max((one.sigma_mm["n"] ** 2 for one in self.corrections if one.accepted), default=0.0)
        tolerance_mm = min(STANDARD_DEVIATIONS * variance**0.5, MOST_MM)
        return round(tolerance_mm, 2) if tolerance_mm >= LEAST_MM else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the pixels, ready for JSON."""
        before, after = self.consistency_before, self.consistency_after
        return {
            "mode": self.mode,
            "views": [view.name for view in self.views],
            "corrections": [correction.to_dict() for correction in self.corrections],
            "consistency_before": before.to_dict() if before else None,
            "consistency_after": after.to_dict() if after else None,
            "matched_gap_mm": None if math.isnan(self.matched_gap_mm) else round(self.matched_gap_mm, 3),
            "tolerance_mm": self.tolerance_mm,
            "searches": [search.to_dict() for search in self.searches],
            "notes": [*self.notes, *self.warnings],
        }
