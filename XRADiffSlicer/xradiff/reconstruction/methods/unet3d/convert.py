"""The authors' checkpoints of the 3D U-Net -> weight files of this project.

    python -m xradiff.reconstruction.methods.unet3d.convert CHECKPOINT --side right

What is refused and why: `reconstruction/published/checkpoint.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from ....weights import WeightsFile
from ...published.baseline import BaselineRecipe
from ...published.checkpoint import check_fits, convert_command, read_checkpoint, write_converted
from .published import PUBLISHED_CHANNELS, PublishedUNet3D, our_names
from .spec import SPEC

__all__ = ["convert_checkpoint", "main"]


def convert_checkpoint(
    checkpoint: str | Path,
    side: str,
    out: Path | None = None,
    *,
    channels: Sequence[int] = PUBLISHED_CHANNELS,
    precision: str = "float32",
) -> WeightsFile:
    """Convert one checkpoint and return the weight file.

    Args:
        checkpoint: a .ckpt file of the authors' training.
        side: "left", "right" or "both", which the checkpoint does not say.
        out: file to write; by default unet3d_SIDE.safetensors in the first weights folder.
        channels: of each level; the default is what their program is configured to.
        precision: "float32" or "bfloat16" (half the size).

    Raises:
        InputError: no checkpoint, one that holds objects, one that does not fit the network.
        MissingDependencyError: the package safetensors is missing.
    """
    found = read_checkpoint(checkpoint)
    tensors = our_names(found.state, len(channels))
    with torch.device("meta"):
        check_fits(found, tensors, PublishedUNet3D(channels))
    recipe = BaselineRecipe(tuple(channels), found.source)
    return write_converted(tensors, SPEC.name, recipe.to_json(), side=side, precision=precision, out=out)


def main(arguments: Sequence[str] | None = None) -> int:
    """Convert one checkpoint; return the exit code of the command line (0, 2 or 3)."""
    return convert_command(
        lambda given: convert_checkpoint(given.checkpoint, given.side, given.out, precision=given.precision), arguments
    )


if __name__ == "__main__":
    sys.exit(main())
