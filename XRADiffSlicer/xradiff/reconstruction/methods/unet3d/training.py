"""What one training step minimises; the loop around it is in `training/`, the examples are `CubeExample`s."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ....weights import save_weights
from ...cube_networks import CubeExample, vessel_loss
from .network import VesselUNet3D
from .recipe import Recipe
from .spec import SPEC

__all__ = ["Unet3dTraining"]


class Unet3dTraining:
    """The network with its loss: binary cross-entropy plus soft Dice (Milletari et al. 2016, V-Net, sec. 3)."""

    turns = ("network",)

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self.network: nn.Module = VesselUNet3D(recipe)
        self.module = self.network
        self.example = CubeExample(recipe.size, recipe.spacing_mm)

    @classmethod
    def from_settings(cls, settings: Mapping[str, object]) -> Unet3dTraining:
        """Return a new network with `settings` over the default recipe."""
        return cls(Recipe.from_json(settings))

    @property
    def recipe(self) -> dict[str, Any]:
        """The recipe, JSON-ready."""
        return self._recipe.to_json()

    def optimiser(self, turn: str) -> torch.optim.Optimizer:
        """Return AdamW over all parameters."""
        return torch.optim.AdamW(self.network.parameters(), self._recipe.learning_rate, weight_decay=1e-4)

    def loss(self, turn: str, batch: Mapping[str, Tensor], generator: torch.Generator) -> Tensor:
        """Return cross-entropy + soft Dice loss (scalar), the mean over the cases."""
        return vessel_loss(self.network(batch["backprojection"]), batch["volume"])

    def probabilities(self, network: nn.Module, batch: Mapping[str, Tensor], generator: torch.Generator) -> Tensor:
        """Return the answer of `network` to a batch."""
        answer: Tensor = network(batch["backprojection"]).float().sigmoid()
        return answer

    def save(self, path: Path, network: nn.Module, source: str) -> None:
        """Write the weights of `network`."""
        recipe = replace(self._recipe, source=source)
        save_weights(path, network.state_dict(), SPEC.name, recipe.to_json())
