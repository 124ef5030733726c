"""The method: views -> backprojection -> generator -> probabilities."""

from __future__ import annotations

import numpy as np
import torch

from ....progress import Progress
from ....weights import open_weights
from ...backprojection import backprojection_cube
from ...chosen_weights import voxel_warnings, weights_path
from ...cube_networks import answer_on, load_network
from ...interface import ReconstructionInputs, ReconstructionResult, check_separation
from ...published.baseline import is_published, reconstruct_published
from .config import GanConfig
from .network import Generator3D
from .published import PublishedGenerator3D
from .recipe import Recipe
from .spec import SPEC

__all__ = ["Gan"]


class Gan:
    """The generator on the backprojection; the critic is needed in training alone."""

    def reconstruct(
        self,
        inputs: ReconstructionInputs,
        config: GanConfig,
        *,
        generator: np.random.Generator,
        progress: Progress,
    ) -> ReconstructionResult:
        """Return probabilities on the generator's own grid.

        Raises:
            InputError: damaged or unfitting weights, or masks that do not meet.
            MissingDependencyError: the weights are not on this computer.
        """
        warnings = check_separation(inputs.views)
        weights = open_weights(weights_path(SPEC, config.weights, inputs.side), SPEC.name)
        if is_published(weights.recipe):
            return reconstruct_published(
                inputs, weights, lambda widths: PublishedGenerator3D(widths[0]), warnings, progress
            )
        recipe = Recipe.from_json(weights.recipe)
        progress(0.0, "backprojecting the masks")
        cube = backprojection_cube(inputs.views, recipe.size, recipe.spacing_mm)
        progress(0.3, "loading the network")
        with torch.device("meta"):
            empty = Generator3D(recipe)
        network = load_network(empty, weights)
        progress(0.5, "running the network")
        volume = answer_on(cube, network, inputs.device)
        progress(1.0, "done")
        warnings += voxel_warnings(recipe.spacing_mm, inputs.spacing_mm)
        return ReconstructionResult(volume, warnings=warnings, weights=weights)
