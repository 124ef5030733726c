"""X-ray angiography DICOM (XA, XRF, Enhanced XA; one frame or many) -> a frame and its acquisition facts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray

from ..errors import InputError
from .geometry_json import Facts
from .images import grey

__all__ = ["XAFrame", "is_dicom", "read_xa"]

MODALITIES = ("XA", "RF", "DX", "OT")


@dataclass(frozen=True, eq=False)
class XAFrame:
    """One frame of an XA file.

    Attributes:
        pixels: (rows, columns) grey values, bright = high.
        facts: the facts of `geometry_json.FACTS` that the file holds.
        frame: its index from 0.
        notes: what was assumed.
    """

    pixels: NDArray[np.generic]
    facts: Facts
    frame: int
    notes: tuple[str, ...]


def is_dicom(file: Path) -> bool:
    """Return whether the file begins as DICOM Part 10 does ("DICM" at byte 128)."""
    with file.open("rb") as stream:
        return stream.read(132)[128:] == b"DICM"


def read_xa(file: Path, frame: int | None = None) -> XAFrame:
    """Read one frame (the middle one when not said) of an XA file.

    Raises:
        InputError: not readable, not a projection image, no such frame, or pixels that cannot be decoded.
    """
    try:
        dataset = pydicom.dcmread(file)
        count = int(dataset.get("NumberOfFrames") or 1)
        modality = str(dataset.get("Modality", ""))
    except Exception as error:  # pydicom raises many kinds on broken files; all mean the same to a user
        raise InputError(f"not a readable DICOM file: {file} ({error})") from None
    if modality and modality not in MODALITIES:
        raise InputError(f"an X-ray angiogram (modality XA) is needed, got modality {modality}: {file}")
    index = count // 2 if frame is None else frame
    if not 0 <= index < count:
        raise InputError(f"frame must lie in [0, {count - 1}], got {index}: {file}")
    notes = [f"frame {index} of {count} was used (the middle one)"] if frame is None and count > 1 else []
    facts = _facts(dataset, index, notes)
    return XAFrame(_pixels(dataset, index, file), facts, index, tuple(notes))


def _pixels(dataset: pydicom.Dataset, frame: int, file: Path) -> NDArray[np.generic]:
    try:
        from pydicom.pixels import pixel_array

        image = pixel_array(dataset, index=frame if "NumberOfFrames" in dataset else None)
    except Exception as error:  # decoding plugins raise many kinds
        raise InputError(f"the pixels of {file} cannot be decoded: {error}") from None
    if image.ndim == 3:
        image = grey(image, str(file))
    if dataset.get("PhotometricInterpretation") == "MONOCHROME1":
        image = image.max() - image
    return image


def _facts(dataset: pydicom.Dataset, frame: int, notes: list[str]) -> Facts:
    """The acquisition facts of one frame; fallbacks and oddities go to `notes`."""

    def number(*keywords: str) -> Any:
        return next((value for word in keywords if (value := _find(dataset, word, frame)) is not None), None)

    facts: Facts = {
        "primary_deg": number("PositionerPrimaryAngle", "PositionerIsocenterPrimaryAngle"),
        "secondary_deg": number("PositionerSecondaryAngle", "PositionerIsocenterSecondaryAngle"),
        "sid_mm": number("DistanceSourceToDetector"),
        "sod_mm": number("DistanceSourceToIsocenter", "DistanceSourceToPatient"),
        "pixel_spacing_mm": number("ImagerPixelSpacing"),
    }
    _add_increments(dataset, frame, facts)
    _fall_back(dataset, frame, facts, notes)
    _off_centre(dataset, frame, facts, notes)
    return {name: value for name, value in facts.items() if value is not None}


def _add_increments(dataset: pydicom.Dataset, frame: int, facts: Facts) -> None:
    """Rotational runs: the angle of a frame is the file's angle plus that frame's increment."""
    for name, keyword in (("primary_deg", "Primary"), ("secondary_deg", "Secondary")):
        increments = np.atleast_1d(_plain(dataset.get(f"Positioner{keyword}AngleIncrement")) or 0.0)
        if facts[name] is not None and len(increments) > frame:
            facts[name] = float(facts[name]) + float(increments[frame])


def _fall_back(dataset: pydicom.Dataset, frame: int, facts: Facts, notes: list[str]) -> None:
    """Pixel spacing from the field of view, SOD from the magnification factor."""
    field = _find(dataset, "FieldOfViewDimensions", frame)
    if facts["pixel_spacing_mm"] is None and field is not None:
        columns, rows = (field[0], field[-1]) if isinstance(field, tuple) else (field, field)
        facts["pixel_spacing_mm"] = (rows / int(dataset.Rows), columns / int(dataset.Columns))
        notes.append("imager pixel spacing (0018,1164) is missing; it was taken from the field of view (0018,1149)")
    magnification = _find(dataset, "EstimatedRadiographicMagnificationFactor", frame)
    if facts["sod_mm"] is None and facts["sid_mm"] is not None and isinstance(magnification, float):
        facts["sod_mm"] = facts["sid_mm"] / magnification if magnification > 1 else None
        notes.append("SOD (0018,1111) is missing; it was taken from the magnification factor (0018,1114)")


def _off_centre(dataset: pydicom.Dataset, frame: int, facts: Facts, notes: list[str]) -> None:
    """A field of view that is not in the middle of the detector moves the central ray off the image centre."""
    rotation = _find(dataset, "FieldOfViewRotation", frame) or 0.0
    flip = str(dataset.get("FieldOfViewHorizontalFlip", "NO"))
    if rotation or flip == "YES":
        notes.append(f"the image is stored rotated {rotation:g} deg, flipped: {flip}; it was used as stored")
        return
    names = ("FieldOfViewOrigin", "FieldOfViewDimensions", "DetectorActiveDimensions", "DetectorElementSpacing")
    found = [_find(dataset, name, frame) for name in names]
    pairs = [value for value in found if isinstance(value, tuple) and len(value) == 2]
    if len(pairs) == len(names):
        origin, field, active, element = pairs
        # origin, active dimensions and element spacing are (row, column); the field's are (width, height)
        down = origin[0] * element[0] + field[1] / 2 - active[0] / 2
        right = origin[1] * element[1] + field[0] / 2 - active[1] / 2
        if max(abs(down), abs(right)) > 0.01:
            facts["detector_offset_mm"] = (right, down)
            notes.append(f"the field of view lies {right:.2f} mm right, {down:.2f} mm below the detector's middle")


def _find(dataset: pydicom.Dataset, keyword: str, frame: int) -> float | tuple[float, ...] | None:
    """A tag at top level, else in the frame's own or the shared functional groups (Enhanced XA)."""
    if (value := _plain(dataset.get(keyword))) is not None:
        return value
    per_frame = dataset.get("PerFrameFunctionalGroupsSequence") or []
    shared = dataset.get("SharedFunctionalGroupsSequence") or []
    for group in [*per_frame[frame : frame + 1], *shared[:1]]:
        for element in group:
            for item in element.value[:1] if element.VR == "SQ" else ():
                if (value := _plain(item.get(keyword))) is not None:
                    return value
    return None


def _plain(value: Any) -> float | tuple[float, ...] | None:
    """A DICOM number or multi-value as float or tuple of floats; None when empty or not a number."""
    if value is None or value == "":
        return None
    try:
        parts = value if isinstance(value, pydicom.multival.MultiValue) else [value]
        values = tuple(float(part) for part in parts)
    except (TypeError, ValueError):
        return None
    return values[0] if len(values) == 1 else values or None
