"""The authors' checkpoints (PyTorch Lightning) -> weight files of this project.

    python -m xradiff.reconstruction.methods.unet3d_diffusion.convert CHECKPOINT --side right

Nothing in the checkpoint is executed: it is read as tensors and plain containers, and refused when it
holds anything else. Names and shapes are compared with the network before any weight is read.
"""

from __future__ import annotations

import argparse
import pickle
import re
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ....checks import check_choice
from ....errors import InputError, XRADiffError
from ....files import existing_file, identity_of
from ....weights import WeightsFile, check_shapes, save_weights, weights_folders
from .network import empty_network
from .recipe import PUBLISHED_EDGE_MM, SIDES, NetworkConfig, Recipe
from .spec import SPEC

__all__ = ["convert_checkpoint", "main"]

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
RENAMED = (("model.", "unet."), ("bp_encoder.", "backprojection_encoder."))
VIEW_ENCODER = re.compile(r"p(\d+)_encoder\.")


def convert_checkpoint(
    checkpoint: str | Path,
    side: str,
    out: Path | None = None,
    *,
    network: NetworkConfig | None = None,
    precision: str = "float32",
) -> WeightsFile:
    """Convert one checkpoint and return the weight file.

    Args:
        checkpoint: a .ckpt file of the authors' training.
        side: "left", "right" or "both", which the checkpoint does not say.
        out: file to write; by default unet3d_diffusion_SIDE.safetensors in the first weights folder.
        network: its configuration, by default the published one; views = 0 leaves the projection
            encoders out, for checkpoints trained with "no projections".
        precision: "float32" or "bfloat16" (half the size).

    Raises:
        InputError: no checkpoint, one that holds objects, one that does not fit `network`.
        MissingDependencyError: the package safetensors is missing.
    """
    check_choice("side", side, SIDES)
    check_choice("precision", precision, tuple(PRECISIONS))
    config = network or NetworkConfig()
    file = existing_file(checkpoint, "the checkpoint")
    found = _renamed(_state(file), config.views)
    expected = {name: tuple(tensor.shape) for name, tensor in empty_network(config).state_dict().items()}
    check_shapes({name: tuple(tensor.shape) for name, tensor in found.items()}, expected, file)
    sha256 = identity_of(file).sha256
    source = f"Weights of the authors of XRA-Diff, converted from {file.name}, SHA-256 {sha256}."
    spacing_mm = PUBLISHED_EDGE_MM / config.size
    recipe = Recipe(network=config, spacing_mm=spacing_mm, geometry="published", side=side, source=source)
    kept = PRECISIONS[precision]
    tensors = {name: tensor.to(kept) if tensor.is_floating_point() else tensor for name, tensor in found.items()}
    target = out or weights_folders()[0] / f"{SPEC.name}_{side}.safetensors"
    return save_weights(target, tensors, SPEC.name, recipe.to_json())


def _state(file: Path) -> Mapping[str, Tensor]:
    """The checkpoint's tensors, mapped into memory but not read."""
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
    return state


def _renamed(state: Mapping[str, Tensor], views: int) -> dict[str, Tensor]:
    """Our names; where the network has no projection encoders, those of the checkpoint are left out."""
    renamed = {}
    for name, tensor in state.items():
        numbered = VIEW_ENCODER.match(name)
        if numbered and views == 0:
            continue
        for theirs, ours in RENAMED:
            if name.startswith(theirs):
                name = ours + name[len(theirs) :]
        renamed[VIEW_ENCODER.sub(r"view_encoders.\1.", name, count=1) if numbered else name] = tensor
    return renamed


def main(arguments: Sequence[str] | None = None) -> int:
    """Convert one checkpoint; return the exit code of the command line (0, 2 or 3)."""
    parser = argparse.ArgumentParser(description="Convert a checkpoint of the authors of XRA-Diff to safetensors.")
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT")
    parser.add_argument("--side", choices=SIDES, required=True, help="what the checkpoint was trained on")
    parser.add_argument("--no-projections", action="store_true", help="a checkpoint trained without projections")
    parser.add_argument("--precision", choices=tuple(PRECISIONS), default="float32")
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: into the weights folder, named by the side")
    options: Any = parser.parse_args(arguments)
    network = NetworkConfig(views=0 if options.no_projections else 2)
    try:
        written = convert_checkpoint(
            options.checkpoint, options.side, options.out, network=network, precision=options.precision
        )
    except XRADiffError as error:
        print(f"xradiff: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{written.path}: {len(written.shapes)} tensors, SHA-256 {written.sha256}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
