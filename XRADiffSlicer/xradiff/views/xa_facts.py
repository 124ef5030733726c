"""X-ray angiography header (XA, XRF, Enhanced XA) -> the acquisition facts of each frame."""

from __future__ import annotations

import numpy as np
import pydicom

from .geometry_json import Facts
from .header_values import number_in, numbers_of, shown, text_in

__all__ = ["facts_of_frames"]

_CHANGING = (
    "PositionerPrimaryAngleIncrement", "PositionerSecondaryAngleIncrement", "TableLongitudinalIncrement",
    "TableVerticalIncrement", "TableLateralIncrement", "PerFrameFunctionalGroupsSequence",
)  # fmt: skip


def facts_of_frames(header: pydicom.Dataset, frames: int, notes: list[str]) -> tuple[Facts, ...]:
    """Return the facts (any of `geometry_json.FACTS`) of each of `frames` frames; what was assumed goes to `notes`.

    Rotational runs add each frame's increment of the angles (0018,1520 and 0018,1521), table motion during the run
    its increments from the first frame (0018,1135 to 0018,1137; PS3.3 C.8.7.4).
    """
    first = _facts(header, 0, notes)
    if not any(keyword in header for keyword in _CHANGING):
        return (first,) * frames
    return (first, *(_facts(header, frame, []) for frame in range(1, frames)))


def _facts(header: pydicom.Dataset, frame: int, notes: list[str]) -> Facts:
    def number(*keywords: str) -> float | tuple[float, ...] | None:
        return next((value for word in keywords if (value := number_in(header, word, frame)) is not None), None)

    facts: Facts = {
        "primary_deg": number("PositionerPrimaryAngle", "PositionerIsocenterPrimaryAngle"),
        "secondary_deg": number("PositionerSecondaryAngle", "PositionerIsocenterSecondaryAngle"),
        "sid_mm": number("DistanceSourceToDetector"),
        "sod_mm": number("DistanceSourceToIsocenter", "DistanceSourceToPatient"),
        "pixel_spacing_mm": number("ImagerPixelSpacing"),
    }
    for name in ("primary_deg", "secondary_deg", "sid_mm", "sod_mm"):
        if isinstance(facts[name], tuple):
            facts[name] = facts[name][0]
    _add_increments(header, frame, facts)
    _fall_back(header, frame, facts, notes)
    _off_centre(header, frame, facts, notes)
    return {name: value for name, value in facts.items() if value is not None}


def _add_increments(header: pydicom.Dataset, frame: int, facts: Facts) -> None:
    """The frame's increments of angles and table; a table that moves carries the patient along."""

    def increment(keyword: str) -> float:
        values = numbers_of(header.get(keyword))
        return values[frame] if frame < len(values) else 0.0

    for name, keyword in (("primary_deg", "Primary"), ("secondary_deg", "Secondary")):
        if facts[name] is not None:
            facts[name] += increment(f"Positioner{keyword}AngleIncrement")
    # longitudinal is towards LAO (left), vertical downwards (posterior), lateral towards cranial (superior)
    shift = tuple(increment(f"Table{word}Increment") for word in ("Longitudinal", "Vertical", "Lateral"))
    if any(shift):
        facts["table_shift_mm"] = shift


def _fall_back(header: pydicom.Dataset, frame: int, facts: Facts, notes: list[str]) -> None:
    """Pixel spacing from the field of view, SOD from the magnification factor."""
    field = number_in(header, "FieldOfViewDimensions", frame)
    if facts["pixel_spacing_mm"] is None and field is not None:
        columns, rows = (field[0], field[-1]) if isinstance(field, tuple) else (field, field)
        facts["pixel_spacing_mm"] = (rows / int(header.Rows), columns / int(header.Columns))
        notes.append("imager pixel spacing (0018,1164) is missing; it was taken from the field of view (0018,1149)")
    magnification = number_in(header, "EstimatedRadiographicMagnificationFactor", frame)
    if facts["sod_mm"] is None and facts["sid_mm"] is not None and isinstance(magnification, float):
        facts["sod_mm"] = facts["sid_mm"] / magnification if magnification > 1 else None
        notes.append("SOD (0018,1111) is missing; it was taken from the magnification factor (0018,1114)")


def _off_centre(header: pydicom.Dataset, frame: int, facts: Facts, notes: list[str]) -> None:
    """A field of view that is not in the middle of the detector moves the central ray off the image centre."""
    rotation = number_in(header, "FieldOfViewRotation", frame) or 0.0
    flip = text_in(header, "FieldOfViewHorizontalFlip", frame) or "NO"
    if rotation or flip == "YES":
        angle = np.atleast_1d(rotation)[0]
        notes.append(f"the image is stored rotated {angle:g} deg, flipped: {shown(flip)}; it was used as stored")
        return
    names = ("FieldOfViewOrigin", "FieldOfViewDimensions", "DetectorActiveDimensions", "DetectorElementSpacing")
    found = [number_in(header, name, frame) for name in names]
    pairs = [value for value in found if isinstance(value, tuple) and len(value) == 2]
    if len(pairs) == len(names):
        origin, field, active, element = pairs
        # origin, active dimensions and element spacing are (row, column); the field's are (width, height)
        down = origin[0] * element[0] + field[1] / 2 - active[0] / 2
        right = origin[1] * element[1] + field[0] / 2 - active[1] / 2
        if max(abs(down), abs(right)) > 0.01:
            facts["detector_offset_mm"] = (right, down)
            notes.append(f"the field of view lies {right:.2f} mm right, {down:.2f} mm below the detector's middle")
