"""Numbers in the words of a catheter laboratory."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ..datatypes import Acquisition

__all__ = ["angles_in_words", "number", "percent", "title_of", "value_in_words"]

UNITS = {"mm": "mm", "mm3": "mm\u00b3", "px": "px", "deg": "\u00b0", "s": "s"}


def angles_in_words(acquisition: Acquisition) -> str:
    """Return for example "LAO 39.2°, CAU 7.9°"."""
    a, b = round(acquisition.primary_deg, 1), round(acquisition.secondary_deg, 1)
    primary = "AP 0\u00b0" if a == 0 else f"{'LAO' if a > 0 else 'RAO'} {abs(a):g}\u00b0"
    secondary = "0\u00b0" if b == 0 else f"{'CRA' if b > 0 else 'CAU'} {abs(b):g}\u00b0"
    return f"{primary}, {secondary}"


def number(value: float, digits: int = 2) -> str:
    """Return `value` with a true minus sign; an en dash where there is none."""
    if not math.isfinite(value):
        return "\u2013"
    return f"{value:.{digits}f}".replace("-", "\u2212")


def percent(fraction: float) -> str:
    """Return for example "99.3 %"; only all is 100 %."""
    text = f"{100 * fraction:.1f}"
    return f"{'> 99.9' if text == '100.0' and fraction < 1 else text} %"


def title_of(key: str) -> str:
    """Return a field's name for people: "table_shift_mm" -> "Table shift (mm)"."""
    words = key.split("_")
    unit = UNITS.get(words[-1]) if len(words) > 1 else None
    text = " ".join(words[:-1] if unit else words)
    text = text if len(text) == 1 else text[:1].upper() + text[1:]
    return f"{text} ({unit})" if unit else text


def value_in_words(value: object) -> str:
    """Return any JSON value as one line of text."""
    if value is None:
        return "\u2013"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        text = f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
        return text.replace("-", "\u2212") if math.isfinite(value) else "\u2013"
    if isinstance(value, Mapping):
        return ", ".join(f"{title_of(str(key))}: {value_in_words(entry)}" for key, entry in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(value_in_words(entry) for entry in value) or "none"
    return str(value)
