"""Numbers from DICOM elements, wherever the standard puts them: at top level or in a frame's functional groups."""

from __future__ import annotations

import math
from typing import Any

import pydicom

__all__ = ["number_in", "numbers_of", "shown", "text_in", "texts_of", "values_in_frames"]


def numbers_of(value: Any) -> list[float]:
    """Return the finite numbers that a DICOM value holds; none when it is empty or not made of numbers."""
    if value is None or isinstance(value, bytes) or value == "":
        return []
    try:
        parts = value if isinstance(value, (pydicom.multival.MultiValue, list, tuple)) else [value]
        numbers = [float(part) for part in parts]
    except (TypeError, ValueError):
        return []
    return numbers if all(math.isfinite(number) for number in numbers) else []


def number_in(header: pydicom.Dataset, keyword: str, frame: int) -> float | tuple[float, ...] | None:
    """Return a tag's number(s) at top level, else from the frame's own or the shared functional groups."""
    values = numbers_of(header.get(keyword)) or numbers_of(_in_groups(header, keyword, frame))
    if not values:
        return None
    return values[0] if len(values) == 1 else tuple(values)


def values_in_frames(header: pydicom.Dataset, keyword: str, frames: int) -> list[float | None]:
    """Return the first number of `keyword` in the functional groups of each frame, None where there is none."""
    return [next(iter(numbers_of(_in_groups(header, keyword, frame))), None) for frame in range(frames)]


def texts_of(value: Any) -> list[str]:
    """Return the strings that a DICOM value holds, without outer blanks; none for bytes or nothing."""
    if value is None or isinstance(value, bytes):
        return []
    parts = value if isinstance(value, (pydicom.multival.MultiValue, list, tuple)) else [value]
    return [str(part).strip() for part in parts]


def text_in(header: pydicom.Dataset, keyword: str, frame: int = 0) -> str:
    """Return a tag's strings joined by a backslash, at top level or from the functional groups; empty without it."""
    return "\\".join(texts_of(header.get(keyword)) or texts_of(_in_groups(header, keyword, frame)))


def shown(text: str) -> str:
    """Return text from a file as it may stand in a message: one line, not long."""
    return repr(text if len(text) <= 40 else f"{text[:40]}...")


def _in_groups(header: pydicom.Dataset, keyword: str, frame: int) -> Any:
    """Return the value in the functional groups of `frame`, else in those shared by all frames (Enhanced XA)."""
    per_frame = header.get("PerFrameFunctionalGroupsSequence") or []
    shared = header.get("SharedFunctionalGroupsSequence") or []
    for group in [*per_frame[frame : frame + 1], *shared[:1]]:
        for element in group:
            for item in element.value[:1] if element.VR == "SQ" else ():
                if (value := item.get(keyword)) not in (None, ""):
                    return value
    return None
