"""How the authors' baselines (3D U-Net, GAN) are used: their backprojection in, the greatest 1 % of the values out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import pad

from ...checks import check_choice
from ...config import config_from
from ...datatypes import AngiogramView, SparseVolume
from ...errors import InputError
from ...progress import Progress
from ...weights import WeightsFile
from ..chosen_weights import voxel_warnings
from ..cube_networks import load_network
from ..interface import ReconstructionInputs, ReconstructionResult
from . import PUBLISHED_EDGE_MM, PUBLISHED_SIZE
from .geometry import published_backprojection, published_grid
from .threshold import PUBLISHED_QUANTILE, probabilities

__all__ = ["BaselineRecipe", "is_published", "published_answer", "reconstruct_published"]

GEOMETRY = "published"
PADDED = 64
"""Voxels along the cube that their baselines work on: 60 and zeros behind them, cut off again afterwards."""
OTHER_ROTATION = (
    "These weights use another C-arm rotation than DICOM: the result fits the views only roughly where both angles "
    "of a view are far from 0."
)
GREATEST = (
    f"The {1 - PUBLISHED_QUANTILE:.0%} of the voxels with the greatest values are taken for the vessels, as the "
    "authors of the weights do."
)


@dataclass(frozen=True)
class BaselineRecipe:
    """What travels with converted weights, as JSON in their file.

    Attributes:
        widths: channels of the network, as its class takes them.
        source: where the weights come from, one sentence.
        spacing_mm: voxel edge.
        geometry: tells them from weights trained here.

    Raises:
        InputError: widths that are no positive numbers, or another geometry.
    """

    widths: tuple[int, ...]
    source: str = ""
    spacing_mm: float = PUBLISHED_EDGE_MM / PUBLISHED_SIZE
    geometry: str = GEOMETRY

    def __post_init__(self) -> None:
        check_choice("geometry", self.geometry, (GEOMETRY,))
        try:
            object.__setattr__(self, "widths", tuple(int(width) for width in self.widths))
        except (TypeError, ValueError):
            raise InputError(f"widths must be whole numbers, got {self.widths!r}") from None
        if not self.widths or min(self.widths) < 1 or max(self.widths) > 4096:
            raise InputError(f"widths must lie in [1, 4096], got {self.widths}")

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary; `from_json` is the way back."""
        return asdict(self) | {"widths": list(self.widths)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> BaselineRecipe:
        """Return the recipe of a dictionary.

        Raises:
            InputError: an unknown key or a value that is not accepted.
        """
        return config_from(cls, values)


def is_published(recipe: Mapping[str, Any]) -> bool:
    """Return whether weights with this recipe are converted ones of the authors."""
    return recipe.get("geometry") == GEOMETRY


def reconstruct_published(
    inputs: ReconstructionInputs,
    weights: WeightsFile,
    network: Callable[[tuple[int, ...]], nn.Module],
    warnings: tuple[str, ...],
    progress: Progress,
) -> ReconstructionResult:
    """Return what converted weights of a baseline answer.

    Args:
        inputs: of the method.
        weights: opened, with a `BaselineRecipe`.
        network: makes the network from the recipe's widths.
        warnings: of the method so far.
        progress: may raise Cancelled.

    Raises:
        InputError: unfitting weights, views that the authors' geometry does not define, masks that do not meet.
    """
    recipe = BaselineRecipe.from_json(weights.recipe)
    progress(0.0, "loading the network of XRA-Diff's authors")
    with torch.device("meta"):
        empty = network(recipe.widths)
    filled = load_network(empty, weights)
    progress(0.2, "backprojecting the masks and running the network")
    volume = published_answer(inputs.views, filled, inputs.device)
    progress(1.0, "done")
    warnings = (*warnings, *voxel_warnings(recipe.spacing_mm, inputs.spacing_mm), OTHER_ROTATION)
    return ReconstructionResult(volume, (GREATEST,), warnings=warnings, weights=weights)


def published_answer(views: Sequence[AngiogramView], network: nn.Module, device: str) -> SparseVolume:
    """Return the order of the network's values as probabilities (see `probabilities`) on the authors' cube.

    Args:
        views: two or more with masks.
        network: maps a backprojection (1, 1, 64, 64, 64), axes (left, anterior, superior), to a volume of that shape.
        device: where it runs.

    Raises:
        InputError: views that the authors' geometry does not define, masks that do not meet, values not finite.
    """
    given = published_backprojection(views, PUBLISHED_SIZE)[None, None]
    with torch.no_grad():
        padded = pad(given, (0, PADDED - PUBLISHED_SIZE) * 3).to(device)
        answer = network.to(device)(padded).float().cpu().numpy()[0, 0]
    values = answer[:PUBLISHED_SIZE, :PUBLISHED_SIZE, :PUBLISHED_SIZE]
    found = np.flip(probabilities(values, PUBLISHED_QUANTILE), 1)  # from (left, anterior, superior) to LPS
    return SparseVolume.from_dense(found, published_grid(PUBLISHED_SIZE))
