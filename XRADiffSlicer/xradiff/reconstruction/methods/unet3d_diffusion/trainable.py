"""The training step (`training.py`) as the shared loop asks for it: examples, optimiser, validation, weights."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ....checks import check_range
from ....config import config_from
from ....datatypes import AngiogramView, VolumeGrid
from ....errors import InputError
from ....weights import save_weights
from ...published.threshold import probabilities
from ...samplers import guided, sample_ddim
from ...trainable import VesselTruth
from .conditions import network_inputs
from .config import Unet3dDiffusionConfig
from .network import NoisePredictor3D
from .recipe import NetworkConfig, Recipe
from .spec import SPEC
from .training import LEARNING_RATE, DiffusionTraining

__all__ = ["DiffusionExample", "DiffusionTrainable"]

NETWORK_LISTS = ("channels", "attention", "attention_up")
NETWORK_WORDS = tuple(field.name for field in fields(NetworkConfig) if field.name not in NETWORK_LISTS)
FINE_MM = 1.75


@dataclass(frozen=True)
class DiffusionExample:
    """Makes the examples of a recipe: volume (1, N, N, N), backprojection (1, N, N, N), views (P, K, K)."""

    recipe: Recipe

    def __call__(self, views: Sequence[AngiogramView], truth: VesselTruth) -> dict[str, Tensor]:
        given = network_inputs(views, self.recipe)
        volume = np.flip(_touched(truth, given.grid).astype(np.float32), given.flipped)
        encoded = given.views[0, : self.recipe.network.views]
        return {
            "volume": torch.from_numpy(np.ascontiguousarray(volume))[None],
            "backprojection": given.backprojection[0],
            "views": encoded,
        }

    def join(self, examples: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
        """Stack the examples along a new first axis."""
        return {name: torch.stack([example[name] for example in examples]) for name in examples[0]}


def _touched(truth: VesselTruth, grid: VolumeGrid) -> NDArray[np.bool_]:
    """Return the voxels that a vessel touches. Large ones are asked in parts, so that thin vessels are seen."""
    parts, size = math.ceil(grid.spacing_mm[0] / FINE_MM - 1e-6), grid.shape[0]
    fine = VolumeGrid.centred((parts * size,) * 3, grid.spacing_mm[0] / parts, grid.centre_lps_mm)
    parted = truth.occupancy(fine).reshape(size, parts, size, parts, size, parts)
    return np.asarray(parted.max(axis=(1, 3, 5)) > 0)


class DiffusionTrainable:
    """XRA-Diff's noise prediction, with Adam and the paper's learning rate; validated by sampling as a user would."""

    turns = ("network",)

    def __init__(self, recipe: Recipe, learning_rate: float = LEARNING_RATE) -> None:
        self._recipe = recipe
        self._learning_rate = check_range("learning_rate", learning_rate, 0, 1, open_minimum=True)
        self._training = DiffusionTraining(recipe)
        self.module: nn.Module = self._training
        self.network: nn.Module = self._training.network
        self.example = DiffusionExample(recipe)

    @classmethod
    def from_settings(cls, settings: Mapping[str, object]) -> DiffusionTrainable:
        """Return a new one; settings of `NetworkConfig` stand beside those of `Recipe`, lists as 32,64,128.

        Raises:
            InputError: an unknown setting or a value that is not accepted.
        """
        rest = dict(settings)
        rate = float(check_range("learning_rate", rest.pop("learning_rate", LEARNING_RATE)))  # type: ignore[arg-type]
        network: dict[str, object] = {name: rest.pop(name) for name in NETWORK_WORDS if name in rest}
        network |= {name: _numbers(name, rest.pop(name)) for name in NETWORK_LISTS if name in rest}
        return cls(config_from(Recipe, rest | {"network": config_from(NetworkConfig, network)}), rate)

    @property
    def recipe(self) -> dict[str, Any]:
        """The recipe, JSON-ready."""
        return self._recipe.to_json()

    def optimiser(self, turn: str) -> torch.optim.Optimizer:
        """Return Adam over the U-Net and all encoders (paper sec. 2.6)."""
        return torch.optim.Adam(self.network.parameters(), self._learning_rate)

    def loss(self, turn: str, batch: Mapping[str, Tensor], generator: torch.Generator) -> Tensor:
        """Return the loss of `training.py`."""
        return self._training.loss(batch, generator)

    def probabilities(self, network: nn.Module, batch: Mapping[str, Tensor], generator: torch.Generator) -> Tensor:
        """Return one sample of each case, drawn with the method's default settings."""
        if not isinstance(network, NoisePredictor3D):
            raise TypeError(f"a noise predictor is needed, got {type(network).__name__}")
        settings, given, views = (
            Unet3dDiffusionConfig().completed(self._recipe),
            batch["backprojection"],
            batch["views"],
        )
        condition = network.encode(given, views)
        if settings.guidance != 1:
            condition = condition.joined(network.encode_nothing(given, views).repeated(len(given)))
        start = torch.randn(given.shape, generator=generator).to(given)

        def once(noisy: Tensor, times: Tensor) -> Tensor:
            return network.predict(noisy, times, condition)

        predict = once if settings.guidance == 1 else guided(once, settings.guidance)
        drawn = sample_ddim(predict, start, self._recipe.noise_schedule, settings.steps, clip=settings.clip)
        maps = [probabilities(one, settings.quantile) for one in drawn.float().cpu().numpy()]
        return torch.from_numpy(np.stack(maps)).to(given)

    def save(self, path: Path, network: nn.Module, source: str) -> None:
        """Write the weights of `network`."""
        save_weights(path, network.state_dict(), SPEC.name, replace(self._recipe, source=source).to_json())


def _numbers(name: str, value: object) -> tuple[int, ...]:
    """Return whole numbers (0 and 1 stand for no and yes) from a sequence or from words like "32,64"."""
    try:
        return tuple(int(word) for word in (value.split(",") if isinstance(value, str) else value))  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        raise InputError(f"{name} must be whole numbers, as 32,64,128; got {value!r}") from None
