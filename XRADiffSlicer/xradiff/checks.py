"""Explicit checks of values that come from outside: the rule, the value received, what is accepted."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .errors import InputError

__all__ = ["check_choice", "check_finite_vector", "check_range"]


def check_range(
    name: str,
    value: float,
    minimum: float = -math.inf,
    maximum: float = math.inf,
    *,
    unit: str = "",
    open_minimum: bool = False,
) -> float:
    """Return `value` as a float when it lies in [minimum, maximum] (or (minimum, maximum]).

    Raises:
        InputError: not a number, NaN, infinite or outside the range.
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise InputError(f"{name} must be a number, got {value!r}") from None
    too_low = number <= minimum if open_minimum else number < minimum
    if not math.isfinite(number) or too_low or number > maximum:
        bracket = "(" if open_minimum else "["
        accepted = f"{bracket}{minimum:g}, {maximum:g}]".replace("inf]", "inf)").replace("[-inf", "(-inf")
        raise InputError(f"{name} must lie in {accepted} {unit}".rstrip() + f", got {number:g}")
    return number


def check_finite_vector(name: str, values: Sequence[float], length: int) -> tuple[float, ...]:
    """Return `values` as a tuple of `length` finite floats.

    Raises:
        InputError: wrong length, or an entry is not a finite number.
    """
    try:
        vector = tuple(float(value) for value in values)
    except (TypeError, ValueError):
        raise InputError(f"{name} must hold {length} numbers, got {values!r}") from None
    if len(vector) != length or not all(math.isfinite(value) for value in vector):
        raise InputError(f"{name} must hold {length} finite numbers, got {values!r}")
    return vector


def check_choice(name: str, value: str, accepted: Sequence[str]) -> str:
    """Return `value` when it is one of `accepted`.

    Raises:
        InputError: it is not; the message lists what is accepted.
    """
    if value not in accepted:
        raise InputError(f"{name} must be one of {', '.join(accepted)}, got {value!r}")
    return value
