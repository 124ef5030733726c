"""The authors' checkpoints of the diffusion model -> weight files of this project.

    python -m xradiff.reconstruction.methods.unet3d_diffusion.convert CHECKPOINT --side right

What is refused and why: `reconstruction/published/checkpoint.py`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from ....weights import WeightsFile
from ...published import PUBLISHED_EDGE_MM
from ...published.checkpoint import check_fits, convert_command, read_checkpoint, write_converted
from .network import empty_network
from .recipe import NetworkConfig, Recipe
from .spec import SPEC

__all__ = ["convert_checkpoint", "main"]

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
    config, found = network or NetworkConfig(), read_checkpoint(checkpoint)
    tensors = _renamed(found.state, config.views)
    check_fits(found, tensors, empty_network(config))
    recipe = Recipe(
        network=config,
        spacing_mm=PUBLISHED_EDGE_MM / config.size,
        geometry="published",
        side=side,
        source=found.source,
    )
    return write_converted(tensors, SPEC.name, recipe.to_json(), side=side, precision=precision, out=out)


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
    return convert_command(
        lambda given: convert_checkpoint(
            given.checkpoint,
            given.side,
            given.out,
            network=NetworkConfig(views=0 if given.no_projections else 2),
            precision=given.precision,
        ),
        arguments,
        lambda parser: parser.add_argument(
            "--no-projections", action="store_true", help="a checkpoint trained without projections"
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
