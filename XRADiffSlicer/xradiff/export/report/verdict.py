"""Does the result fit? In words, by thresholds that the report states."""

from __future__ import annotations

from dataclasses import dataclass

from ...quantification import ReprojectionFit

__all__ = ["CRITERIA", "Verdict", "verdict"]

GOOD_COVERAGE, GOOD_MM = 0.95, 1.0
"""The true voxels of 0.5 mm of generated trees cover 96 to 97 % of exact masks (means; pixel_limits.py)."""
FAIR_COVERAGE, FAIR_MM = 0.90, 2.5
CRITERIA = (
    f"\u201cGood\u201d: coverage of at least {100 * GOOD_COVERAGE:.0f} % and HD95 of at most {GOOD_MM:g} mm "
    f"in every view; \u201cfair\u201d: at least {100 * FAIR_COVERAGE:.0f} % and at most {FAIR_MM:g} mm; "
    "\u201cpoor\u201d: neither."
)


@dataclass(frozen=True)
class Verdict:
    """One of "good", "fair", "poor", and what it means."""

    grade: str
    sentence: str


def verdict(fits: tuple[ReprojectionFit, ...]) -> Verdict:
    """Return how well the result fits its views, by the worst view.

    Precision has no part in it: on vessels a few pixels wide it measures the size of a voxel.
    """
    missing = [fit.view_name for fit in fits if fit.coverage < GOOD_COVERAGE]
    far = [fit.view_name for fit in fits if fit.hd95_mm > GOOD_MM]
    if not missing and not far:
        return Verdict("good", "The reconstructed tree agrees with the vessels in every view.")
    fair = all(fit.coverage >= FAIR_COVERAGE and fit.hd95_mm <= FAIR_MM for fit in fits)
    sentences = []
    if missing:
        sentences.append(f"Part of the vessels in {_names(missing)} is missing from the reconstructed tree.")
    if far:
        sentences.append(f"In {_names(far)}, tree and vessels lie more than {GOOD_MM:g} mm apart in places.")
    return Verdict("fair" if fair else "poor", " ".join(sentences))


def _names(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
