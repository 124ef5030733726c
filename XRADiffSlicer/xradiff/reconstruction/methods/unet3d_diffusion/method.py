"""The method: views -> backprojection -> guided denoising -> probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....datatypes import SparseVolume
from ....memory import check_memory
from ....progress import Progress, stage
from ....weights import WeightsFile, open_weights, read_tensors
from ...chosen_weights import voxel_warnings, weights_path
from ...interface import ReconstructionInputs, ReconstructionResult, check_separation
from ...published.threshold import probabilities
from .conditions import network_inputs
from .config import Unet3dDiffusionConfig
from .cost import memory_bytes
from .network import NoisePredictor3D, empty_network
from .recipe import Recipe
from .sampling import draw, enough_gpu_memory
from .spec import SPEC

__all__ = ["Unet3dDiffusion"]


class Unet3dDiffusion:
    """XRA-Diff (Lau et al. 2025): DDIM sampling with classifier-free guidance, sec. 2.4."""

    def reconstruct(
        self,
        inputs: ReconstructionInputs,
        config: Unet3dDiffusionConfig,
        *,
        generator: np.random.Generator,
        progress: Progress,
    ) -> ReconstructionResult:
        """Return mean probabilities of the drawn samples on the network's own grid.

        Raises:
            InputError: damaged or unfitting weights, views that the weights cannot use, too little memory.
            MissingDependencyError: the weights are not on this computer.
        """
        warnings = check_separation(inputs.views)
        weights = open_weights(weights_path(SPEC, config.weights, inputs.side), SPEC.name)
        recipe = Recipe.from_json(weights.recipe)
        progress(0.0, "backprojecting the masks")
        given = network_inputs(inputs.views, recipe)
        progress(0.05, "loading the network")
        network = _load(weights, recipe, inputs.device)
        chosen = config.completed(recipe)
        samples = draw(network, given, recipe, chosen, inputs.device, generator, stage(progress, 0.1, 1.0))
        maps = np.stack([np.flip(probabilities(one, chosen.quantile), given.flipped) for one in samples])
        volume = SparseVolume.from_dense(maps.mean(axis=0), given.grid)
        warnings += (*given.warnings, *voxel_warnings(recipe.spacing_mm, inputs.spacing_mm))
        agreement, spread = _agreement(maps), _uncertainty(maps, volume)
        return ReconstructionResult(volume, agreement, spread, warnings, weights, _each(maps, volume))


def _uncertainty(maps: NDArray[np.float32], volume: SparseVolume) -> SparseVolume | None:
    """Return the standard deviation over the samples (S, N, N, N) at the voxels of `volume`; None for one sample."""
    if len(maps) < 2:
        return None
    deviation = maps.std(axis=0, ddof=1)[tuple(volume.indices.T)]
    return SparseVolume(volume.grid, volume.indices, deviation.astype(np.float32))


def _each(maps: NDArray[np.float32], volume: SparseVolume) -> tuple[SparseVolume, ...]:
    """Return the samples (S, N, N, N) at the voxels of `volume`; nothing for one sample, which is the volume."""
    drawn = [SparseVolume(volume.grid, volume.indices, one[tuple(volume.indices.T)]) for one in maps]
    return tuple(drawn) if len(drawn) > 1 else ()


def _load(weights: WeightsFile, recipe: Recipe, device: str) -> NoisePredictor3D:
    network = empty_network(recipe.network)
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    if device == "cpu":
        advice = "use a GPU or smaller weights"
        check_memory(memory_bytes(recipe.network), "this network", advice)
    tensors: dict[str, Any] = read_tensors(weights, expected)
    network.load_state_dict(tensors, assign=True)
    network = network.float().eval().requires_grad_(False)
    with enough_gpu_memory(recipe.network):
        return network.to(device)


def _agreement(maps: NDArray[np.float32]) -> tuple[str, ...]:
    """Return a sentence on how far several samples (S, N, N, N) differ."""
    if len(maps) < 2:
        return ()
    inside = maps.mean(axis=0) >= 0.5
    deviation = maps.std(axis=0, ddof=1)[inside].mean() if inside.any() else float("nan")
    return (f"{len(maps)} samples differ by {deviation:.2f} (mean standard deviation inside the tree).",)
