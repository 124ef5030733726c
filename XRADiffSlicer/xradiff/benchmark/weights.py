"""Which weights a run is made with: a result belongs to their checksum, not to their name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..reconstruction.chosen_weights import weights_path
from ..reconstruction.registry import config_class, method_spec
from ..weights import open_weights

__all__ = ["UsedWeights", "used_weights"]


@dataclass(frozen=True)
class UsedWeights:
    """A weight file.

    Attributes:
        file: its name without the folder; "" where the method has no weights.
        sha256: its checksum, hexadecimal, then, after a plus each, those of files that a run may use beside it; ""
            likewise.
    """

    file: str = ""
    sha256: str = ""


def used_weights(method: str, values: Mapping[str, object], side: str) -> UsedWeights:
    """Return the weights that `method` takes with the settings `values` for a tree of that side.

    A file is read once, and again when its time or size changes.

    Raises:
        InputError: the weights are damaged, or for another method.
        MissingDependencyError: they are not on this computer.
    """
    spec = method_spec(method)
    if not spec.weights:
        return UsedWeights()
    path = weights_path(spec, str(values.get("weights", config_class(spec)().weights)), side)
    every = [path, *(weights_path(spec, name, side) for name in spec.beside)]
    return UsedWeights(path.name, "+".join(_sha256(one, method, *_state(one)) for one in every))


def _state(path: Path) -> tuple[int, int]:
    """Return what tells a new file of the same name: when it was changed, and its size."""
    state = path.stat()
    return state.st_mtime_ns, state.st_size


@lru_cache(maxsize=64)
def _sha256(path: Path, method: str, changed_ns: int, size: int) -> str:
    """Checked against the file's own; `changed_ns` and `size` tell a new file of the same name."""
    return open_weights(path, method).sha256
