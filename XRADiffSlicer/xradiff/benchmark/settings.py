"""What runs differ in: settings of the method, and options of the run (views used, motion, calibration)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from ..config import check_config, config_from, config_to_dict, setting
from ..devices import DEVICES
from ..errors import InputError
from ..postprocess import PostprocessConfig
from ..reconstruction.registry import config_class, method_spec

__all__ = ["DEFAULT", "RunOptions", "Setting", "label_of", "meaning_of", "settings_of", "sweep"]

DEFAULT = "default"
POSTPROCESS = "postprocess."


@dataclass(frozen=True)
class RunOptions:
    """Options of a run that no method knows; they are swept like settings."""

    views: int = setting(2, "How many of the case's views are used; the others are held out.", minimum=2, maximum=100)
    motion: float = setting(
        0.0,
        "Random motion of the second image: 1 is XRA-Diff's test (2.7), up to 20 px along each axis and a "
        "factor 0.8 to 1.2; 0.5 is half of it.",
        minimum=0,
        maximum=4,
    )
    calibrate: str = setting("auto", "Calibration mode.", choices=("auto", "off", "shift", "bundle"))
    spacing_mm: float = setting(0.5, "Voxel spacing of the result.", minimum=0.05, maximum=20, unit="mm")
    device: str = setting("auto", "Where the method runs.", choices=DEVICES)

    def __post_init__(self) -> None:
        check_config(self)


@dataclass(frozen=True)
class Setting:
    """How one method is run.

    Attributes:
        method: name in the registry.
        options: of the run.
        values: settings of the method and "postprocess.NAME", JSON-ready.
        given: what was asked for, options among it: the part that tells settings apart.
        in_force: `values` and the defaults of all that was not asked for.
    """

    method: str
    options: RunOptions
    values: dict[str, Any]
    given: dict[str, Any]
    in_force: dict[str, Any]


def settings_of(method: str, methods: Sequence[str], config: Mapping[str, object]) -> Setting:
    """Return how `method` is run with `config`, checked and complete.

    A key is an option of the run (see `RunOptions`), "postprocess.NAME", a setting of the method,
    or "METHOD.NAME" for that method alone. A plain setting that this method does not have and another
    one of `methods` has is left out here.

    Raises:
        InputError: a method or a key that nobody has, or a value that is not accepted.
    """
    options = {field.name for field in fields(RunOptions)}
    own = {field.name for field in fields(config_class(method_spec(method)))}
    values: dict[str, object] = {}
    chosen: dict[str, object] = {}
    for key, value in config.items():
        owner, _, rest = key.partition(".")
        if key in options:
            chosen[key] = value
        elif key.startswith(POSTPROCESS) or key in own:
            values[key] = value
        elif rest and owner == method:
            values[rest] = value
        elif not (rest and owner in methods) and not _has(methods, key):
            raise InputError(f"unknown setting {key!r}; accepted are {', '.join(_accepted(methods))}")
    run = config_from(RunOptions, chosen)
    complete, in_force = _checked(method, values)
    given = {key: config_to_dict(run)[key] for key in chosen} | complete
    return Setting(method, run, complete, given, in_force)


def _has(methods: Sequence[str], key: str) -> bool:
    return any(key in {field.name for field in fields(config_class(method_spec(name)))} for name in methods)


def _accepted(methods: Sequence[str]) -> list[str]:
    names = [field.name for field in fields(RunOptions)]
    for name in methods:
        names += [f"{name}.{field.name}" for field in fields(config_class(method_spec(name)))]
    return names + [POSTPROCESS + field.name for field in fields(PostprocessConfig)]


def _checked(method: str, values: Mapping[str, object]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the given values as the config classes hold them, and these with all defaults."""
    own = {key: value for key, value in values.items() if not key.startswith(POSTPROCESS)}
    cleaning = {key.removeprefix(POSTPROCESS): value for key, value in values.items() if key.startswith(POSTPROCESS)}
    every = config_to_dict(config_from(config_class(method_spec(method)), own))
    clean = config_to_dict(config_from(PostprocessConfig, cleaning))
    every |= {POSTPROCESS + key: value for key, value in clean.items()}
    return {key: every[key] for key in (*own, *(POSTPROCESS + key for key in cleaning))}, every


def meaning_of(method: str, key: str) -> str:
    """Return what a setting of `method` or an option of the run means, one sentence or two; "" where none is told."""
    kinds = (config_class(method_spec(method)), RunOptions)
    return {field.name: str(field.metadata["meaning"]) for kind in kinds for field in fields(kind)}.get(key, "")


def sweep(base: Mapping[str, object], swept: Mapping[str, Sequence[object]]) -> tuple[dict[str, object], ...]:
    """Return one config for every combination of the `swept` values, each over `base`."""
    return tuple(dict(base) | dict(zip(swept, values, strict=True)) for values in itertools.product(*swept.values()))


def label_of(given: Mapping[str, Any]) -> str:
    """Return what tells a setting apart as text, "default" where nothing was asked for or all is shared."""
    words = (f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}" for key, value in given.items())
    return ", ".join(words) or DEFAULT
