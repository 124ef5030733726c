"""The table of methods: the one place to add one. Listing it loads no method's code."""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

from ..errors import InputError, MissingDependencyError
from .spec import MethodSpec

if TYPE_CHECKING:
    from .interface import ReconstructionMethod
    from .trainable import Trainable

__all__ = [
    "DEFAULT",
    "METHODS",
    "chosen_method",
    "config_class",
    "list_methods",
    "load_method",
    "load_trainable",
    "method_spec",
]

DEFAULT, FALLBACK = "sparse_diffusion", "visual_hull"
METHODS = ("visual_hull", "sparse_diffusion", "unet3d_diffusion", "unet3d", "gan")


def list_methods() -> tuple[MethodSpec, ...]:
    """Return the specs of all methods in the order of the table."""
    return tuple(method_spec(name) for name in METHODS)


def method_spec(name: str) -> MethodSpec:
    """Return the spec of the method called `name`.

    Raises:
        InputError: there is none; the message lists what there is.
    """
    if name not in METHODS:
        raise InputError(f"unknown method {name!r}; available are {', '.join(METHODS)}")
    spec: MethodSpec = importlib.import_module(f"{__package__}.methods.{name}.spec").SPEC
    return spec


def chosen_method(name: str) -> tuple[MethodSpec, tuple[str, ...]]:
    """Return the spec of the method called `name`, and what the user should know of the choice.

    "auto" is the default method; where a package it needs is missing, the visual hull, which needs none.

    Raises:
        InputError: there is no such method.
    """
    if name != "auto":
        return method_spec(name), ()
    spec = method_spec(DEFAULT)
    missing = [package for package in spec.needs if importlib.util.find_spec(package) is None]
    if not missing:
        return spec, ()
    told = f"{spec.title}, the default, needs {', '.join(missing)}: the visual hull was used instead."
    return method_spec(FALLBACK), (told,)


def config_class(spec: MethodSpec) -> type:
    """Return the config dataclass of a method."""
    kind: type = _load(spec, spec.config)
    return kind


def load_method(spec: MethodSpec) -> ReconstructionMethod:
    """Return an instance of a method.

    Raises:
        MissingDependencyError: a package it needs is not installed.
    """
    method: ReconstructionMethod = _load(spec, spec.entry_point)()
    return method


def load_trainable(spec: MethodSpec) -> type[Trainable]:
    """Return the class that trains a method.

    Raises:
        InputError: the method has nothing to train; the message lists those that do.
        MissingDependencyError: a package it needs is not installed.
    """
    if not spec.training:
        trainable = ", ".join(other.name for other in list_methods() if other.training)
        raise InputError(f"method {spec.name} has nothing to train; accepted are {trainable}")
    kind: type[Trainable] = _load(spec, spec.training)
    return kind


def _load(spec: MethodSpec, target: str) -> Any:
    module, _, attribute = target.partition(":")
    try:
        return getattr(importlib.import_module(f"{__package__}.methods.{spec.name}.{module}"), attribute)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith(__package__ or ""):
            raise
        raise MissingDependencyError(
            f"method {spec.name} needs the package {error.name}; install it with: pip install {error.name}"
        ) from error
