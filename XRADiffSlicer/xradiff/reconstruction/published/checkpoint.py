"""The authors' checkpoints (PyTorch Lightning) -> weight files of this project.

Nothing in a checkpoint is executed: it is read as tensors and plain containers, and refused when it holds anything
else. Names and shapes are compared with the network before any weight is read.
"""

from __future__ import annotations

import argparse
import pickle
import re
import sys
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...checks import check_choice
from ...errors import InputError, XRADiffError
from ...files import existing_file, identity_of
from ...weights import WeightsFile, check_shapes, save_weights, weights_folders
from . import SIDES

__all__ = ["Checkpoint", "check_fits", "convert_command", "read_checkpoint", "write_converted"]

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What is used of a checkpoint.

    Attributes:
        path: where it is.
        state: its tensors by the authors' names, mapped into memory but not read.
    """

    path: Path
    state: Mapping[str, Tensor]

    @property
    def source(self) -> str:
        """Where weights made of it come from, one sentence."""
        sha256 = identity_of(self.path).sha256
        return f"Weights of the authors of XRA-Diff, converted from {self.path.name}, SHA-256 {sha256}."


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Return the tensors of a Lightning checkpoint.

    Raises:
        InputError: no checkpoint, cut short, or one that holds objects.
    """
    file = existing_file(path, "the checkpoint")
    if not zipfile.is_zipfile(file):
        raise InputError(f"{file} is not a checkpoint of PyTorch 1.6 or later, or it is cut short")
    try:
        content = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        what = f"an object of {named[1]}" if named else "objects that are no tensors"
        raise InputError(f"{file} holds {what}; accepted are tensors, numbers and text in plain containers") from None
    except (RuntimeError, ValueError, EOFError, KeyError) as error:
        raise InputError(f"{file} cannot be read as a checkpoint: {str(error).splitlines()[0]}") from None
    state = content.get("state_dict") if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise InputError(f"{file} is not a Lightning checkpoint: it holds no state_dict of tensors")
    return Checkpoint(file, state)


def check_fits(checkpoint: Checkpoint, tensors: Mapping[str, Tensor], empty: nn.Module) -> None:
    """Raise InputError unless the renamed tensors of a checkpoint fit `empty`, a network on the meta device."""
    expected = {name: tuple(tensor.shape) for name, tensor in empty.state_dict().items()}
    check_shapes({name: tuple(tensor.shape) for name, tensor in tensors.items()}, expected, checkpoint.path)


def write_converted(
    tensors: Mapping[str, Tensor],
    method: str,
    recipe: Mapping[str, Any],
    *,
    side: str,
    precision: str,
    out: Path | None,
) -> WeightsFile:
    """Write a weight file, whole or not at all, and return it.

    Args:
        tensors: by our names; checked with `check_fits`.
        method: registry name of the method that it is for.
        recipe: what travels with the weights.
        side: "left", "right" or "both", which the checkpoint does not say.
        precision: "float32" or "bfloat16" (half the size).
        out: file to write; by default METHOD_SIDE.safetensors in the first weights folder.

    Raises:
        InputError: an unknown side or precision, or a file that cannot be written.
        MissingDependencyError: the package safetensors is missing.
    """
    check_choice("side", side, SIDES)
    check_choice("precision", precision, tuple(PRECISIONS))
    kind = PRECISIONS[precision]
    kept = {name: tensor.to(kind) if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    return save_weights(out or weights_folders()[0] / f"{method}_{side}.safetensors", kept, method, recipe)


def convert_command(
    convert: Callable[[argparse.Namespace], WeightsFile],
    arguments: Sequence[str] | None,
    add_options: Callable[[argparse.ArgumentParser], object] | None = None,
) -> int:
    """Run a converter's command line and return its exit code (0, 2 or 3).

    Args:
        convert: given checkpoint, side, precision, out and what `add_options` added.
        arguments: of the command line; None takes those of this process.
        add_options: adds the method's own options.
    """
    parser = argparse.ArgumentParser(description="Convert a checkpoint of the authors of XRA-Diff to safetensors.")
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT")
    parser.add_argument("--side", choices=SIDES, required=True, help="what the checkpoint was trained on")
    parser.add_argument("--precision", choices=tuple(PRECISIONS), default="float32")
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: into the weights folder, named by the side")
    if add_options:
        add_options(parser)
    try:
        written = convert(parser.parse_args(arguments))
    except XRADiffError as error:
        print(f"xradiff: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{written.path}: {len(written.shapes)} tensors, SHA-256 {written.sha256}")
    return 0
