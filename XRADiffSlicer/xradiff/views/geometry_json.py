"""Acquisition facts from JSON (three dialects) or from KEY=VALUE,... written by hand."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..datatypes import Acquisition, InputFile
from ..errors import InputError
from ..files import existing_file, identity_of

__all__ = [
    "ACCEPTED_KEYS",
    "FACTS",
    "Facts",
    "acquisition_from",
    "facts_by_hand",
    "facts_from_mapping",
    "given_facts",
    "read_geometry_json",
]

# our name: (how messages call it, published short name, DICOM tag)
REQUIRED = {
    "primary_deg": ("primary angle", "alpha", "00181510"),
    "secondary_deg": ("secondary angle", "beta", "00181511"),
    "sid_mm": ("SID (source-detector distance)", "sid", "00181110"),
    "sod_mm": ("SOD (source-isocentre distance)", "sod", "00181111"),
    "pixel_spacing_mm": ("imager pixel spacing", "spacing", "00181164"),
}
OPTIONAL = ("roll_deg", "detector_offset_mm", "table_shift_mm")
FACTS = (*REQUIRED, *OPTIONAL)
BY_SHORT_NAME = {short: name for name, (_, short, _) in REQUIRED.items()}
BY_TAG = {tag: name for name, (_, _, tag) in REQUIRED.items()}
ACCEPTED_KEYS = ", ".join([*FACTS, *BY_SHORT_NAME]) + ", or DICOM tags such as (0018,1510)"
TAG = re.compile(r"^\(?([0-9A-Fa-f]{4}),?\s*([0-9A-Fa-f]{4})\)?$")

Facts = dict[str, Any]


def read_geometry_json(path: str | Path) -> Facts:
    """Return the facts (any of `FACTS`) in a geometry JSON file.

    Accepted are the names of the published XRA-Diff samples (sid, sod, spacing, alpha, beta), the
    names of `Acquisition`, and a dump of DICOM tags ({"(0018,1510)": {"value": "39.2"}} or the DICOM
    JSON model).

    Raises:
        InputError: the file is missing, is not a JSON object, or holds a key or value not accepted.
    """
    file = existing_file(path, "the geometry file")
    try:
        content = json.loads(file.read_text(encoding="utf-8-sig"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise InputError(f"the geometry file is not valid JSON: {file} ({error})") from None
    if not isinstance(content, dict):
        raise InputError(f"the geometry file must hold a JSON object, got {type(content).__name__}: {file}")
    return facts_from_mapping(content, str(file))


def facts_by_hand(text: str) -> Facts:
    """Return the facts in text such as "primary_deg=39.2,spacing=0.308".

    Raises:
        InputError: a part is not KEY=NUMBER, or the key is not accepted.
    """
    pairs: dict[str, Any] = {}
    for part in text.split(","):
        key, equals, value = part.partition("=")
        try:
            pairs[key.strip()] = [float(number) for number in value.split("/")] if equals else None
        except ValueError:
            pairs[key.strip()] = None
        if pairs[key.strip()] is None:
            raise InputError(f"geometry by hand must be KEY=NUMBER,KEY=NUMBER,..., got {part!r}")
    return facts_from_mapping(pairs, "geometry by hand")


def facts_from_mapping(content: Mapping[str, Any], origin: str) -> Facts:
    """Return the facts in `content`; `origin` names it in messages.

    Raises:
        InputError: an unknown key, or a value that is not a number (or the numbers) it should be.
    """
    tags = {key: match for key in content if (match := TAG.match(key))}
    facts: Facts = {}
    for key, value in content.items():
        if key in tags:
            name = BY_TAG.get((tags[key][1] + tags[key][2]).upper())
        else:
            name = BY_SHORT_NAME.get(key, key if key in FACTS else None)
            if name is None and not tags and not key.startswith(("_", "comment")):
                raise InputError(f"unknown key {key!r} in {origin}; accepted are {ACCEPTED_KEYS}")
        if name is not None:
            facts[name] = _numbers(key, _tag_value(value), origin)
    return facts


def _tag_value(value: Any) -> Any:
    """Unwrap {"value": v} and the DICOM JSON model's {"vr": ..., "Value": [v]}."""
    if isinstance(value, Mapping):
        return next((value[key] for key in ("value", "Value") if key in value), None)
    return value


def _numbers(key: str, value: Any, origin: str) -> float | tuple[float, ...]:
    """One number, or a tuple of them, from a number, a list, or text like "0.308\\0.308"."""
    if isinstance(value, str):
        value = [part for part in re.split(r"[\\,;\s\[\]()]+", value) if part]
    parts = value if isinstance(value, Sequence) else [value]
    try:
        numbers = tuple(float(part) for part in parts if not isinstance(part, bool))
    except (TypeError, ValueError):
        numbers = ()
    if not numbers or len(numbers) != len(parts):
        raise InputError(f"{key} in {origin} must be a number, got {value!r}")
    return numbers[0] if len(numbers) == 1 else numbers


def given_facts(geometry: str | Path | Mapping[str, Any] | None, name: str) -> tuple[Facts, tuple[InputFile, ...]]:
    """Return the facts that a user gave for the view `name`, and the file that they come from if there is one.

    Args:
        geometry: a geometry JSON file, a mapping with the same keys, text like "primary_deg=30", or nothing.
        name: what messages call the view.

    Raises:
        InputError: the file is missing, or holds a key or value not accepted.
    """
    if geometry is None:
        return {}, ()
    if isinstance(geometry, Mapping):
        return facts_from_mapping(geometry, f"the geometry of {name}"), ()
    if "=" in str(geometry) and not Path(geometry).exists():
        return facts_by_hand(str(geometry)), ()
    return read_geometry_json(geometry), (identity_of(Path(geometry)),)


def acquisition_from(facts: Mapping[str, Any], origin: str) -> Acquisition:
    """Return the acquisition that `facts` describe.

    Raises:
        InputError: one of the five numbers is missing, or a value is impossible; says which and how
            to give it by hand.
    """
    missing = [name for name in REQUIRED if facts.get(name) is None]
    if missing:
        words = " and ".join(REQUIRED[name][0] for name in missing)
        example = ",".join(f"{name}=..." for name in missing)
        raise InputError(f"{origin} lacks the {words}; give it by hand, for example {example}")
    try:
        return Acquisition(**{name: facts[name] for name in FACTS if facts.get(name) is not None})
    except InputError as error:
        raise InputError(f"{origin}: {error}") from None
