"""Whether the segmentation network can be used here; loads no torch."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from ...errors import MissingDependencyError
from ...weights import find_weights

__all__ = ["HOW_TO_GET", "network_weights", "what_is_missing"]

PACKAGES = ("torch", "safetensors")
HOW_TO_GET = "they are shipped in Resources/Models; train some with: python -m xradiff train segmentation --help"


def network_weights(name: str) -> Path:
    """Return the weight file called `name`, or `name` itself when it is a file's path.

    Raises:
        InputError: a path that is no file.
        MissingDependencyError: not on this computer.
    """
    return find_weights(name, HOW_TO_GET)


def what_is_missing(weights: str) -> str:
    """Return what the network lacks on this computer, "" when it can be used."""
    missing = [f"the package {name}" for name in PACKAGES if importlib.util.find_spec(name) is None]
    try:
        network_weights(weights)
    except MissingDependencyError:
        missing.append(f"its weights {weights}.safetensors")
    return " and ".join(missing)
