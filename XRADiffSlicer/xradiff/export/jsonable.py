"""Anything the stages report -> what JSON can hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path

import numpy as np

__all__ = ["jsonable"]


def jsonable(value: object) -> object:
    """Return `value` as JSON types; numbers that are not finite become null, other objects their text."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, (np.integer, np.bool_)):
        return value.item()
    if isinstance(value, Mapping):
        return {str(key): jsonable(entry) for key, entry in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: jsonable(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, (list, tuple, set, frozenset, np.ndarray)):
        return [jsonable(entry) for entry in value]
    return value.as_posix() if isinstance(value, Path) else str(value)
