"""The calibration section: what was corrected, on what evidence, and what cannot be known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from ..words import title_of
from .curve import curve_svg
from .html import bullets, facts, section, table, text

__all__ = ["calibration"]

TITLES = {
    "view_name": "View",
    "shift_lps_mm": "Shift, LPS (mm)",
    "shift_along_n_mm": "Along n (mm)",
    "shift_px": "In the image (px)",
    "sigma_mm": "Standard deviation (mm)",
    "undetermined": "Cannot be determined",
    "changes": "Other changes",
    "accepted": "Applied",
}
MODES = {
    "off": "The views were used as recorded, without calibration.",
    "auto": "Shifts between the views were searched for automatically.",
    "shift": "Shifts between the views were searched for.",
    "bundle": "Shifts, angles and distances were adjusted together.",
}
AXES = (
    "n: across the epipolar planes, where a shift shows most; b: along the line between the X-ray sources, "
    "which no epipolar plane shows; m: across n and b, mostly a change of size."
)
SHOWN = {
    "mode",
    "corrections",
    "consistency_before",
    "consistency_after",
    "searches",
    "curve",
    "notes",
    "views",
}


def calibration(report: Mapping[str, object]) -> str:
    """Return the section for a `CalibrationReport.to_dict()`; any key may be missing, others are listed."""
    if not report:
        return section("calibration", "Calibration", f"<p>{MODES['off']}</p>")
    mode = str(report.get("mode", ""))
    corrections = _mappings(report.get("corrections"))
    rest = {key: value for key, value in report.items() if key not in SHOWN and value not in ([], {}, "", None)}
    return section(
        "calibration",
        "Calibration",
        f"<p>{text(MODES.get(mode, f'Mode: {mode}'))}</p>" if mode else "",
        _corrections(corrections),
        _before_and_after(report.get("consistency_before"), report.get("consistency_after")),
        _curves(report, corrections),
        facts(rest),
        bullets(_sentences(report.get("notes"))),
    )


def _corrections(corrections: Sequence[Mapping[str, object]]) -> str:
    """Return the table of corrections without empty columns, the reasons below it."""
    keys = [key for key in dict.fromkeys(key for row in corrections for key in row) if key != "reason"]
    keys = [key for key in keys if any(row.get(key) not in (None, [], {}, "") for row in corrections)]
    if not keys:
        return ""
    rows = [[text(row.get(key)) for key in keys] for row in corrections]
    reasons = [f"{row.get('view_name', '')}: {row['reason']}" for row in corrections if row.get("reason")]
    axes = AXES if "sigma_mm" in keys or "undetermined" in keys else ""
    titles = [TITLES.get(key, title_of(str(key))) for key in keys]
    note = f'<p class="note">{axes}</p>' if axes else ""
    return "<h3>Corrections</h3>" + table(titles, rows, numbers_from=len(keys)) + bullets(reasons) + note


def _before_and_after(before: object, after: object) -> str:
    """Return the consistency of the views before and after, one measure a row."""
    if before is None and after is None:
        return ""
    first, second = (value if isinstance(value, Mapping) else {"consistency": value} for value in (before, after))
    names = list(dict.fromkeys([*first, *second]))
    rows = [(escape(title_of(str(name))), text(first.get(name)), text(second.get(name))) for name in names]
    return "<h3>Consistency of the views</h3>" + table(("Measure", "Before", "After"), rows, facts=True)


def _curves(report: Mapping[str, object], corrections: Sequence[Mapping[str, object]]) -> str:
    """Return the plot of each search; the shift that was applied is marked."""
    found = {row.get("view_name"): row.get("shift_along_n_mm") for row in corrections}
    searches = _mappings(report.get("searches")) or _mappings([report.get("curve")])
    plots = []
    for search in searches:
        names = [str(name) for name in _sentences(search.get("views"))]
        mark = found.get(names[-1]) if names else report.get("tau_mm")
        svg = curve_svg(search, float(mark) if isinstance(mark, (int, float)) else None)
        title = f"Search between {' and '.join(names)}" if names else "Search"
        plots.append(f"<h3>{escape(title)}</h3>{svg}" if svg else "")
    return "".join(plots)


def _mappings(value: object) -> list[Mapping[str, object]]:
    return [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, (list, tuple)) else []


def _sentences(value: object) -> list[object]:
    return list(value) if isinstance(value, (list, tuple)) else [value] if value else []
