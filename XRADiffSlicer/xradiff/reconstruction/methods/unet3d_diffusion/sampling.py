"""One case's inputs -> samples: guided denoising in as few and as large network calls as the memory allows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ....errors import InputError
from ....progress import Progress
from ...samplers import guided, sample_ddim
from ...samplers.guidance import Predictor
from .conditions import NetworkInputs
from .config import Unet3dDiffusionConfig
from .cost import cpu_seconds, memory_bytes, volumes_at_once
from .network import Condition, NoisePredictor3D
from .recipe import NetworkConfig, Recipe

__all__ = ["draw", "enough_gpu_memory"]


@torch.no_grad()
def draw(
    network: NoisePredictor3D,
    given: NetworkInputs,
    recipe: Recipe,
    config: Unet3dDiffusionConfig,
    device: str,
    generator: np.random.Generator,
    progress: Progress,
) -> NDArray[np.float32]:
    """Return the samples (S, N, N, N). The encoders run once; all samples of a step are one batch.

    Args:
        network: on `device`.
        given: the case.
        recipe: of the network.
        config: settings without recommendations (`completed`).
        device: "cpu" or "cuda".
        generator: source of the noise to begin with, which is drawn on the CPU.
        progress: told before each step; may raise Cancelled.

    Raises:
        InputError: one volume does not fit into the GPU's memory.
    """
    chance = torch.Generator().manual_seed(int(generator.integers(2**63 - 1)))
    start = torch.randn((config.samples, *given.backprojection.shape[1:]), generator=chance).to(device)
    schedule = recipe.noise_schedule
    if config.schedule != "training":
        schedule = replace(schedule, name=config.schedule)
    reduced = config.precision == "bfloat16" or (config.precision == "auto" and device == "cuda")
    if device == "cpu":
        calls = config.samples * config.steps * (1 if config.guidance == 1 else 2)
        progress(0.0, f"denoising will take about {_duration(cpu_seconds(recipe.network, calls))} on this CPU")
    with torch.autocast(device, torch.bfloat16, enabled=reduced):
        predict = _predictor(network, given, config, device)
        samples = sample_ddim(predict, start, schedule, config.steps, clip=config.clip, progress=progress)
    drawn: NDArray[np.float32] = samples[:, 0].float().cpu().numpy()
    return drawn


def _predictor(
    network: NoisePredictor3D, given: NetworkInputs, config: Unet3dDiffusionConfig, device: str
) -> Predictor:
    """The guided network. Without guidance the unconditional half is left out."""
    backprojection, views = given.backprojection.to(device), given.views.to(device)
    condition = network.encode(backprojection, views).repeated(config.samples)
    if config.guidance != 1:
        condition = condition.joined(network.encode_nothing(backprojection, views).repeated(config.samples))
    # a GPU takes the batch at once; on a CPU large volumes one by one take no longer and far less memory
    at_once = volumes_at_once(network.config) if device == "cpu" else len(condition.token)
    predict = _InParts(network, condition, at_once)
    return predict if config.guidance == 1 else guided(predict, config.guidance)


class _InParts:
    """The network with its condition, `at_once` volumes a call; where the GPU's memory is too small, half as many."""

    def __init__(self, network: NoisePredictor3D, condition: Condition, at_once: int) -> None:
        self._network, self._condition, self._at_once = network, condition, at_once

    def __call__(self, noisy: Tensor, times: Tensor) -> Tensor:
        while self._at_once > 1:
            try:
                return self._predict(noisy, times)
            except torch.OutOfMemoryError:
                self._at_once = min(self._at_once, len(noisy)) // 2
            torch.cuda.empty_cache()  # outside the handler, which still holds the failed call's tensors
        with enough_gpu_memory(self._network.config):
            return self._predict(noisy, times)

    def _predict(self, noisy: Tensor, times: Tensor) -> Tensor:
        parts = [slice(first, first + self._at_once) for first in range(0, len(noisy), self._at_once)]
        return torch.cat(
            [self._network.predict(noisy[part], times[part], self._condition.part(part)) for part in parts]
        )


@contextmanager
def enough_gpu_memory(config: NetworkConfig) -> Iterator[None]:
    """Say how much memory is needed where the GPU has too little.

    Raises:
        InputError: instead of torch.OutOfMemoryError.
    """
    try:
        yield
    except torch.OutOfMemoryError:
        raise InputError(
            f"the GPU's memory is too small for this network: one volume at a time needs about "
            f"{memory_bytes(config) / 1e9:.1f} GB free; free some, use smaller weights, or --device cpu"
        ) from None


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
