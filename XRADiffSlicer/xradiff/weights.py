"""Where the methods' weights live, and how they are written, checked and read: safetensors only, no code.

A weight file holds tensors, what they were trained as (JSON of the method), and its own SHA-256 (of the
whole file with the checksum taken as zeros), so that it can be copied alone and still be checked.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import InputError, MissingDependencyError
from .files import existing_file
from .resources import resource

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "WeightsFile",
    "find_sided_weights",
    "find_weights",
    "method_of",
    "open_weights",
    "read_tensors",
    "save_weights",
    "weights_card",
    "weights_folders",
]

SUFFIX = ".safetensors"
LARGEST_HEADER = 100_000_000
PLACEHOLDER = "0" * 64
CHUNK = 1 << 22


@dataclass(frozen=True)
class WeightsFile:
    """A checked weight file, not read yet.

    Attributes:
        path: where it is.
        method: the method it is for.
        recipe: what it was trained as; JSON of the method.
        shapes: name and shape of every tensor.
        sha256: checksum, hexadecimal; equals what the file says of itself.
    """

    path: Path
    method: str
    recipe: dict[str, Any]
    shapes: dict[str, tuple[int, ...]]
    sha256: str


def weights_folders() -> tuple[Path, ...]:
    """Return where weights are looked for, in this order.

    The folder that the variable XRADIFF_WEIGHTS names; the user's cache; what is shipped in
    Resources/Models. New weights go into the first.
    """
    chosen = os.environ.get("XRADIFF_WEIGHTS")
    folders = [Path(chosen).expanduser()] if chosen else []
    folders.append(_cache() / "xradiffslicer" / "weights")
    with suppress(MissingDependencyError):  # where nothing is shipped
        folders.append(resource("Models"))
    return tuple(folders)


def _cache() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def find_weights(name: str, how_to_get: str) -> Path:
    """Return the weight file called `name` (without its suffix), or `name` itself when it is a file's path.

    Raises:
        InputError: a path that is no file.
        MissingDependencyError: in none of the folders; says where it was looked for and `how_to_get` it.
    """
    if name.endswith(SUFFIX) or Path(name).name != name:
        return existing_file(Path(name).expanduser(), "the weight file")
    folders = weights_folders()
    for folder in folders:
        if (folder / f"{name}{SUFFIX}").is_file():
            return folder / f"{name}{SUFFIX}"
    places = ", ".join(str(folder) for folder in folders)
    raise MissingDependencyError(f"the weights {name}{SUFFIX} are in none of: {places}; {how_to_get}")


def find_sided_weights(method: str, side: str, how_to_get: str) -> Path:
    """Return the weights METHOD_left or METHOD_right where the side is known and they are there, else METHOD_both.

    Raises:
        InputError: there are weights of single sides alone, and the side is not known.
        MissingDependencyError: in none of the folders; says where it was looked for and `how_to_get` it.
    """
    sided = {}
    for name in ("left", "right"):
        with suppress(MissingDependencyError):
            sided[name] = find_weights(f"{method}_{name}", how_to_get)
    if side in sided:
        return sided[side]
    try:
        return find_weights(f"{method}_both", how_to_get)
    except MissingDependencyError:
        if not sided or side in ("left", "right"):
            raise
    raise InputError(
        f"{method} has weights for the {' and the '.join(sided)} tree, and the side is not known; choose it with "
        "--side left or --side right"
    )


def weights_card(name: str, method: str) -> str:
    """Return where the weights called `name` are, that their checksum is right, and their model card.

    Raises:
        InputError: the file is damaged or for another method.
    """
    try:
        path = find_weights(name, "see the method's README")
    except MissingDependencyError as missing:
        return f"Weights {name}: {missing}"
    weights = open_weights(path, method)
    card = path.with_suffix(".md")
    told = card.read_text(encoding="utf-8").rstrip() if card.is_file() else weights.recipe.get("source", "")
    return f"Weights {name}: {path}, SHA-256 {weights.sha256} (checked)\n\n{told}".rstrip()


def method_of(path: Path) -> str:
    """Return the method that a weight file says it is for, unchecked.

    Raises:
        InputError: not a safetensors file, cut short, or not written by `save_weights`.
    """
    told = _header(path).told
    if "xradiff_method" not in told:
        raise InputError(f"{path} was not written by XRADiffSlicer: it does not say what its weights are")
    return told["xradiff_method"]


def open_weights(path: Path, method: str) -> WeightsFile:
    """Return what a weight file holds after checking it against its own SHA-256; loads no tensor and no torch.

    Raises:
        InputError: not a safetensors file, cut short, damaged, not written by `save_weights`, or for
            another method.
    """
    header = _header(path)
    told = header.told
    if not {"xradiff_method", "xradiff_recipe", "xradiff_sha256"} <= set(told):
        raise InputError(f"{path} was not written by XRADiffSlicer: it does not say what its weights are")
    if told["xradiff_method"] != method:
        raise InputError(f"{path} holds weights of the method {told['xradiff_method']}, not of {method}")
    found = _sha256(path, header)
    if found != told["xradiff_sha256"]:
        raise InputError(
            f"{path} is damaged: its SHA-256 is {found[:12]}..., it should be {told['xradiff_sha256'][:12]}...; "
            "get the file again"
        )
    return WeightsFile(path, method, header.recipe, header.shapes, found)


def check_shapes(
    found: Mapping[str, tuple[int, ...]], expected: Mapping[str, tuple[int, ...]], source: str | Path
) -> None:
    """Raise InputError unless both hold the same names with the same shapes; says the first difference."""
    for name in sorted({*found, *expected}):
        have, want = found.get(name), expected.get(name)
        if have != want:
            raise InputError(f"{source} does not fit the network: {name} is {_told(have)}, expected is {_told(want)}")


def _told(shape: tuple[int, ...] | None) -> str:
    return "absent" if shape is None else f"of shape {shape}"


def read_tensors(weights: WeightsFile, expected: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Return all tensors on the CPU, in the precision of the file.

    Raises:
        InputError: names or shapes differ from `expected`; nothing has been read then.
        MissingDependencyError: the package safetensors is missing.
    """
    check_shapes(weights.shapes, expected, weights.path)
    tensors: dict[str, Tensor] = _safetensors().load_file(weights.path)
    return tensors


def save_weights(path: Path, tensors: Mapping[str, Tensor], method: str, recipe: Mapping[str, Any]) -> WeightsFile:
    """Write a weight file, whole or not at all, and return it opened.

    Raises:
        InputError: the folder cannot be written.
        MissingDependencyError: the package safetensors is missing.
    """
    told = {"xradiff_method": method, "xradiff_recipe": json.dumps(recipe), "xradiff_sha256": PLACEHOLDER}
    part = path.with_name(path.name + ".part")
    library = _safetensors()
    from safetensors import SafetensorError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.touch()
        usual = part.stat().st_mode  # the library leaves files that their owner alone can read
        library.save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, part, told)
        part.chmod(usual)
        _put_sha256(part)
        part.replace(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"cannot write the weights {path} ({error})") from None
    finally:
        with suppress(OSError):
            part.unlink()
    return open_weights(path, method)


@dataclass(frozen=True)
class _Header:
    """What stands before the tensors in a safetensors file, and where they begin."""

    told: dict[str, str]
    recipe: dict[str, Any]
    shapes: dict[str, tuple[int, ...]]
    start: int


def _header(path: Path) -> _Header:
    """Read the JSON header of a safetensors file and compare the file's length with it."""
    with existing_file(path, "the weight file").open("rb") as stream:
        size = path.stat().st_size
        length = struct.unpack("<Q", stream.read(8).ljust(8, b"\0"))[0]
        try:
            if not 2 <= length <= min(size - 8, LARGEST_HEADER):
                raise ValueError("a header of impossible length")
            entries: dict[str, Any] = json.loads(stream.read(length))
            told = {str(name): str(value) for name, value in entries.pop("__metadata__", {}).items()}
            recipe = dict(json.loads(told.get("xradiff_recipe", "{}")))
            shapes = {name: tuple(int(edge) for edge in entry["shape"]) for name, entry in entries.items()}
            end = max((int(entry["data_offsets"][1]) for entry in entries.values()), default=0)
        except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError):
            raise InputError(f"{path} is not a safetensors file; accepted are weights of XRADiffSlicer") from None
    if 8 + length + end != size:
        raise InputError(f"{path} is cut short or damaged: {size} bytes, expected {8 + length + end}; get it again")
    return _Header(told, recipe, shapes, 8 + length)


def _sha256(path: Path, header: _Header) -> str:
    """Of the whole file with the checksum itself taken as zeros."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        own = header.told.get("xradiff_sha256", PLACEHOLDER).encode()
        digest.update(stream.read(header.start).replace(own, PLACEHOLDER.encode(), 1))
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _put_sha256(path: Path) -> None:
    """Replace the placeholder of equal length in the header."""
    header = _header(path)
    digest = _sha256(path, header).encode()
    with path.open("r+b") as stream:
        place = stream.read(header.start).index(PLACEHOLDER.encode())
        stream.seek(place)
        stream.write(digest)


def _safetensors() -> Any:
    try:
        import safetensors.torch
    except ImportError as error:
        raise MissingDependencyError(
            "weights need the package safetensors; install it with: pip install safetensors"
        ) from error
    return safetensors.torch
