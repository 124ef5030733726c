"""The method: views -> voxels that all masks allow -> guided denoising there -> probabilities."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ....datatypes import SparseVolume
from ....errors import InputError
from ....progress import Progress, stage
from ....weights import WeightsFile, open_weights
from ...chosen_weights import voxel_warnings, weights_path
from ...cube_networks import load_network
from ...interface import ReconstructionInputs, ReconstructionResult, check_separation
from .active import ActiveVoxels
from .answers import probabilities_of
from .case import EXPLAINED, SparseCase, prepare_case
from .config import SparseDiffusionConfig
from .connect import connect_parts
from .network import SparseDenoiser
from .recipe import Recipe
from .spec import SPEC

__all__ = ["SparseDiffusion", "load_denoiser", "volume_of"]

LEAST = 0.02
"""Probabilities below this are left out of the result."""


class SparseDiffusion:
    """XRA-Diff's denoising (Lau et al. 2025, sec. 2.4) on the sparse voxels in which a vessel can lie."""

    def reconstruct(
        self,
        inputs: ReconstructionInputs,
        config: SparseDiffusionConfig,
        *,
        generator: np.random.Generator,
        progress: Progress,
    ) -> ReconstructionResult:
        """Return mean probabilities of the drawn samples.

        Raises:
            InputError: damaged or unfitting weights, masks that do not meet or allow too much, too little memory.
            MissingDependencyError: the weights are not on this computer.
        """
        warnings = check_separation(inputs.views)
        weights = open_weights(weights_path(SPEC, config.weights, inputs.side), SPEC.name)
        recipe = Recipe.from_json(weights.recipe)
        tolerance_mm = inputs.tolerance_mm if config.tolerance is None else config.tolerance
        part, twice = stage(progress, 0.0, 0.3), config.moved_passes > 0
        case = prepare_case(inputs.views, recipe.spacing_mm, tolerance_mm, part, also_moved=twice)
        progress(0.3, "loading the network")
        network = load_denoiser(weights, recipe, inputs.device)
        samples = probabilities_of(
            network, case, inputs, recipe, config, generator=generator, progress=stage(progress, 0.35, 1.0)
        )
        mean, spread = samples.mean(axis=0), samples.std(axis=0) if len(samples) > 1 else None
        if not np.isfinite(mean).all():
            raise InputError("the network gave values that are not finite; its weights do not suit these views")
        volume = connect_parts(volume_of(case.voxels, mean), config.connect_mm)
        uncertainty = None if spread is None else volume_of(case.voxels, spread, mean >= LEAST)
        allowed = [f"The masks may disagree by {tolerance_mm:.2g} mm (tolerance_mm)."] if tolerance_mm else []
        warnings += (*voxel_warnings(recipe.spacing_mm, inputs.spacing_mm), *_contradictions(case, inputs))
        return ReconstructionResult(volume, tuple(allowed), uncertainty, warnings, weights)


def load_denoiser(weights: WeightsFile, recipe: Recipe, device: str) -> SparseDenoiser:
    """Return the network of a weight file on `device`, ready to answer.

    Raises:
        InputError: the weights do not fit.
    """
    with torch.device("meta"):
        empty = SparseDenoiser(recipe)
    network = load_network(empty, weights).to(device)
    assert isinstance(network, SparseDenoiser)
    return network


def volume_of(
    voxels: ActiveVoxels, values: NDArray[np.float32], kept: NDArray[np.bool_] | None = None
) -> SparseVolume:
    """Return values (N, 8) of the children as a sparse volume of the fine grid: those `kept`, or not the least."""
    kept = values >= LEAST if kept is None else kept
    indices, chosen = voxels.children()[kept], values[kept]
    order = np.lexsort(indices.T[::-1])
    return SparseVolume(voxels.fine, indices[order], chosen[order].astype(np.float32))


def _contradictions(case: SparseCase, inputs: ReconstructionInputs) -> tuple[str, ...]:
    """Return a sentence on the view that the others explain least, where that is too little."""
    worst = int(np.argmin(case.explained))
    if case.explained[worst] >= EXPLAINED:
        return ()
    share, name = case.explained[worst], inputs.views[worst].name
    few = f"within {case.tolerance_mm:g} mm they explain only {share:.0%} of its mask"
    return (f"{name} contradicts the others: {few}; check its geometry and mask.",)
