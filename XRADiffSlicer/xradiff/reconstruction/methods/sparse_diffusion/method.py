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
from .case import EXPLAINED, SparseCase, prepare_case
from .config import SparseDiffusionConfig
from .connect import connect_parts
from .example import conditions_of_case
from .features import MEAN_RADIUS
from .mask_guidance import MaskRays
from .network import SparseDenoiser
from .recipe import Recipe
from .sampler import sample
from .spec import SPEC

__all__ = ["SparseDiffusion", "load_denoiser", "probabilities_of", "volume_of"]

LEAST = 0.02
"""Probabilities below this are left out of the result."""
MULTIPLIES_BFLOAT16 = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
"""What torch.cpu says of processors that multiply such matrices faster than those of float32."""


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
        case = prepare_case(inputs.views, recipe.spacing_mm, tolerance_mm, stage(progress, 0.0, 0.3))
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


def probabilities_of(
    network: SparseDenoiser,
    case: SparseCase,
    inputs: ReconstructionInputs,
    recipe: Recipe,
    config: SparseDiffusionConfig,
    *,
    generator: np.random.Generator,
    progress: Progress,
) -> NDArray[np.float32]:
    """Return the samples (S, N, 8): probability of each child of each active voxel."""
    device = inputs.device
    given = conditions_of_case(case, inputs.side, len(recipe.channels), device)
    rays = MaskRays.of(case.voxels, inputs.views, device) if config.mask_guidance else None
    chance = torch.Generator().manual_seed(int(generator.integers(2**63 - 1)))
    thresholds, drawn = recipe.thresholds(given.shared[:, MEAN_RADIUS, None]), []
    with torch.autocast(device, torch.bfloat16, enabled=_reduced(config.precision, device)):
        for number in range(config.samples):
            noise = torch.randn((len(case.voxels), 8), generator=chance).to(device)
            part = stage(progress, number / config.samples, (number + 1) / config.samples)
            answer = sample(
                network, given, noise, recipe, steps=config.steps, guidance=config.guidance, passes=config.passes,
                rays=rays, rounds=config.mask_guidance, least_coverage=config.least_coverage, progress=part,
            )  # fmt: skip
            drawn.append(_recentred(answer, thresholds).cpu().numpy())
    return np.stack(drawn)


def _reduced(precision: str, device: str) -> bool:
    """Whether to multiply in bfloat16."""
    if precision != "auto":
        return precision == "bfloat16"
    if device != "cpu":
        return True
    return any(getattr(torch.cpu, name, bool)() for name in MULTIPLIES_BFLOAT16)


def _recentred(probability: torch.Tensor, thresholds: torch.Tensor) -> torch.Tensor:
    """Return the probabilities (N, 8) with `thresholds` (N, 1) moved to 0.5, linearly on both sides."""
    below = 0.5 * probability / thresholds
    above = 1 - 0.5 * (1 - probability) / (1 - thresholds).clamp(min=1e-6)
    return torch.where(probability < thresholds, below, above)


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
