"""Settings of a method or a stage: a frozen dataclass whose fields say their type, range and meaning."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, get_type_hints

from .checks import check_choice, check_range
from .errors import InputError

__all__ = ["check_config", "config_from", "config_to_dict", "describe", "given_settings", "setting"]

Config = TypeVar("Config")


def setting(
    default: Any,
    meaning: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
    unit: str = "",
    basic: bool = False,
) -> Any:
    """Declare one field of a config dataclass: its default, one sentence, what it accepts, and whether all see it.

    A `basic` setting is one that a user of the method is likely to change; a form shows it first.
    """
    metadata = {
        "meaning": meaning,
        "minimum": minimum,
        "maximum": maximum,
        "choices": choices,
        "unit": unit,
        "basic": basic,
    }
    return dataclasses.field(default=default, metadata=metadata)


def check_config(config: Any) -> None:
    """Check every field of a config dataclass instance against its declaration (for __post_init__).

    Raises:
        InputError: a value has another type or lies outside its range.
    """
    for field in dataclasses.fields(config):
        value, metadata = getattr(config, field.name), field.metadata
        if metadata.get("choices"):
            check_choice(field.name, value, metadata["choices"])
        elif isinstance(field.default, bool):
            if not isinstance(value, bool):
                raise InputError(f"{field.name} must be true or false, got {value!r}")
        elif isinstance(field.default, (int, float)):
            low = -float("inf") if metadata.get("minimum") is None else metadata["minimum"]
            high = float("inf") if metadata.get("maximum") is None else metadata["maximum"]
            check_range(field.name, value, low, high, unit=metadata.get("unit", ""))


def config_from(kind: type[Config], values: Mapping[str, object]) -> Config:
    """Return a `kind` with `values` (numbers, booleans, or text from a command line) over its defaults.

    Raises:
        InputError: a key that `kind` does not have (the message lists them), or a value not accepted.
    """
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - set(fields))
    if unknown:
        raise InputError(f"unknown setting {unknown[0]!r}; accepted are {', '.join(fields) or 'none'}")
    hints = get_type_hints(kind)
    return kind(**{name: _convert(name, value, hints[name]) for name, value in values.items()})


def _convert(name: str, value: object, kind: type) -> object:
    if kind is bool and isinstance(value, str):
        words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        if value.lower() not in words:
            raise InputError(f"{name} must be true or false, got {value!r}")
        return words[value.lower()]
    if kind in (int, float) and not isinstance(value, bool):
        try:
            number = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            raise InputError(f"{name} must be a number, got {value!r}") from None
        if kind is int and not number.is_integer():
            raise InputError(f"{name} must be a whole number, got {value!r}")
        return kind(number)
    return value


def config_to_dict(config: Any) -> dict[str, Any]:
    """Return the config as a JSON-ready dictionary; `config_from` is the way back."""
    return dataclasses.asdict(config)


def describe(kind: type) -> list[dict[str, Any]]:
    """Return one JSON-ready dictionary per field of config dataclass `kind`: name, type, default, meaning, range."""
    hints = get_type_hints(kind)
    return [
        {"name": field.name, "type": hints[field.name].__name__, "default": field.default, **field.metadata}
        for field in dataclasses.fields(kind)
    ]


def given_settings(pairs: Sequence[str]) -> dict[str, object]:
    """Return the settings that a command line gives as `--set KEY=VALUE`.

    Raises:
        InputError: a pair without a key or an equals sign.
    """
    settings: dict[str, object] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise InputError(f"--set takes KEY=VALUE, got {pair!r}")
        settings[key] = value
    return settings
