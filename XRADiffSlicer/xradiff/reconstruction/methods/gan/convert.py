"""The authors' checkpoints of the GAN -> weight files of this project; the critic is left out.

    python -m xradiff.reconstruction.methods.gan.convert CHECKPOINT --side right

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
from .published import PUBLISHED_FILTERS, PublishedGenerator3D, our_names
from .spec import SPEC

__all__ = ["convert_checkpoint", "main"]


def convert_checkpoint(
    checkpoint: str | Path,
    side: str,
    out: Path | None = None,
    *,
    filters: int = PUBLISHED_FILTERS,
    precision: str = "float32",
) -> WeightsFile:
    """Convert one checkpoint and return the weight file.

    Args:
        checkpoint: a .ckpt file of the authors' training.
        side: "left", "right" or "both", which the checkpoint does not say.
        out: file to write; by default gan_SIDE.safetensors in the first weights folder.
        filters: channels of the finest level; the default is what their program is configured to.
        precision: "float32" or "bfloat16" (half the size).

    Raises:
        InputError: no checkpoint, one that holds objects, one that does not fit the network.
        MissingDependencyError: the package safetensors is missing.
    """
    found = read_checkpoint(checkpoint)
    tensors = our_names(found.state)
    with torch.device("meta"):
        check_fits(found, tensors, PublishedGenerator3D(filters))
    recipe = BaselineRecipe((filters,), found.source)
    return write_converted(tensors, SPEC.name, recipe.to_json(), side=side, precision=precision, out=out)


def main(arguments: Sequence[str] | None = None) -> int:
    """Convert one checkpoint; return the exit code of the command line (0, 2 or 3)."""
    return convert_command(
        lambda given: convert_checkpoint(given.checkpoint, given.side, given.out, precision=given.precision), arguments
    )


if __name__ == "__main__":
    sys.exit(main())
