"""The method: views -> backprojection -> network -> probabilities."""

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
from .config import Unet3dConfig
from .network import VesselUNet3D
from .published import PublishedUNet3D
from .recipe import Recipe
from .spec import SPEC

__all__ = ["Unet3d"]


class Unet3d:
    """3D U-Net on the backprojection (Lau et al. 2025, sec. 2.7, baseline)."""

    def reconstruct(
        self,
        inputs: ReconstructionInputs,
        config: Unet3dConfig,
        *,
        generator: np.random.Generator,
        progress: Progress,
    ) -> ReconstructionResult:
        """Return probabilities on the network's own grid.

        Raises:
            InputError: damaged or unfitting weights, or masks that do not meet.
            MissingDependencyError: the weights are not on this computer.
        """
        warnings = check_separation(inputs.views)
        weights = open_weights(weights_path(SPEC, config.weights, inputs.side), SPEC.name)
        if is_published(weights.recipe):
            return reconstruct_published(inputs, weights, PublishedUNet3D, warnings, progress)
        recipe = Recipe.from_json(weights.recipe)
        progress(0.0, "backprojecting the masks")
        cube = backprojection_cube(inputs.views, recipe.size, recipe.spacing_mm)
        progress(0.3, "loading the network")
        with torch.device("meta"):
            empty = VesselUNet3D(recipe)
        network = load_network(empty, weights)
        progress(0.5, "running the network")
        volume = answer_on(cube, network, inputs.device)
        progress(1.0, "done")
        warnings += voxel_warnings(recipe.spacing_mm, inputs.spacing_mm)
        return ReconstructionResult(volume, warnings=warnings, weights=weights)
