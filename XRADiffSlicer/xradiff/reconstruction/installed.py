"""The weight files of this installation: which there are, whether they are whole, adding and removing them."""

from __future__ import annotations

import re
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError, MissingDependencyError
from ..progress import Progress, silent
from ..resources import resource
from ..weights import find_weights, method_of, open_weights, weights_folders
from .registry import list_methods

__all__ = ["InstalledWeights", "add_weights", "list_weights", "remove_weights", "verify_weights"]

OF_MASKS = (("segmentation", "segmentation"), ("side", "side"))
"""Name and purpose of the weights that find masks and tell their side."""
UNKNOWN_LICENCE = "not stated with the file"


@dataclass(frozen=True)
class InstalledWeights:
    """The weights that a method looks for.

    Attributes:
        name: file name without its suffix.
        method: registry name of the method, or what of the masks they are for.
        path: where they are; None where they are missing.
        size: bytes of the file; 0 where it is missing.
        shipped: whether the file is part of this installation, and so cannot be removed.
        licence: as the model card beside the file says.
    """

    name: str
    method: str
    path: Path | None
    size: int
    shipped: bool
    licence: str


def list_weights() -> tuple[InstalledWeights, ...]:
    """Return the weights of every method in the order of the registry, then those for masks; only cards are read."""
    methods = tuple((name, spec.name) for spec in list_methods() for name in spec.weights)
    return tuple(_described(name, method) for name, method in methods + OF_MASKS)


def verify_weights(name: str) -> InstalledWeights:
    """Compare the weights called `name` with the SHA-256 that they carry and return them.

    Raises:
        InputError: no method has weights of that name, or they are damaged.
        MissingDependencyError: they are missing.
    """
    found = _known(name)
    open_weights(
        find_weights(name, f"add them with: python -m xradiff weights --add {name}.safetensors"), found.method
    )
    return found


def add_weights(path: Path, progress: Progress = silent) -> InstalledWeights:
    """Check a weight file and copy it, with the model card beside it, into the user's folder of weights.

    A file of that name is replaced, whole or not at all.

    Raises:
        InputError: not a weight file of ours, damaged, for no known method, or the folder cannot be written.
        Cancelled: from `progress`.
    """
    method = method_of(path)
    known = [found for found in list_weights() if found.method == method]
    if not known:
        raise InputError(f"{path} holds weights of the unknown method {method}; update XRADiffSlicer")
    progress(0.0, f"checking {path.name}")
    open_weights(path, method)
    progress(0.5, f"copying {path.name}")
    target = weights_folders()[0] / f"{known[0].name}{path.suffix}"
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if not (target.exists() and target.samefile(path)):
            shutil.copyfile(path, part)
            part.replace(target)
            if path.with_suffix(".md").is_file():
                shutil.copyfile(path.with_suffix(".md"), target.with_suffix(".md"))
    except OSError as error:
        raise InputError(f"cannot write the weights {target} ({error.strerror or error})") from None
    finally:
        with suppress(OSError):
            part.unlink()
    progress(1.0, f"added {target}")
    return _described(known[0].name, method)


def remove_weights(name: str) -> Path:
    """Delete the weights called `name` and their model card from the user's folder; return what was deleted.

    Raises:
        InputError: no method has weights of that name, they are part of the installation, or cannot be deleted.
        MissingDependencyError: there are none.
    """
    found = _known(name)
    if found.path is None:
        raise MissingDependencyError(f"there are no weights {name}.safetensors to remove")
    if found.shipped:
        raise InputError(f"the weights {found.path} are part of XRADiffSlicer and stay")
    try:
        found.path.unlink()
        found.path.with_suffix(".md").unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"cannot delete {found.path} ({error.strerror or error})") from None
    return found.path


def _known(name: str) -> InstalledWeights:
    there = list_weights()
    for found in there:
        if found.name == name:
            return found
    raise InputError(f"unknown weights {name!r}; the methods have {', '.join(each.name for each in there)}")


def _described(name: str, method: str) -> InstalledWeights:
    try:
        path = find_weights(name, "")
    except MissingDependencyError:
        return InstalledWeights(name, method, None, 0, False, "")
    return InstalledWeights(name, method, path, path.stat().st_size, _shipped(path), _licence(path.with_suffix(".md")))


def _shipped(path: Path) -> bool:
    try:
        return path.parent.samefile(resource("Models"))
    except (MissingDependencyError, OSError):
        return False


def _licence(card: Path) -> str:
    """What the row "licence" of a model card's table says."""
    try:
        row = re.search(r"^\| licence \| (.+?) \|$", card.read_text(encoding="utf-8"), re.MULTILINE)
    except (OSError, UnicodeDecodeError):
        return UNKNOWN_LICENCE
    return row[1] if row else UNKNOWN_LICENCE
