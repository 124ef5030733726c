"""What one training step of the segmentation network minimises; the loop around it is in `training/`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from ...weights import save_weights
from .labelled import WindowExample
from .recipe import NAME, Recipe
from .unet import VesselUNet2D

__all__ = ["SegmentationTraining"]

ON_VESSEL, MIRRORED, VESSEL = 0.8, 0.5, 0.5


class SegmentationTraining:
    """The network with its loss: binary cross-entropy plus soft Dice (Milletari et al. 2016, V-Net, sec. 3)."""

    turns = ("network",)

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self.network: nn.Module = VesselUNet2D(recipe)
        self.module = self.network
        self.example = WindowExample(recipe)

    @classmethod
    def from_settings(cls, settings: Mapping[str, object]) -> SegmentationTraining:
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
        """Return cross-entropy + 1 - 2 sum(p v) / sum(p^2 + v^2) (scalar) over a random crop of each window."""
        edge = self._recipe.crop_px
        crops = [
            _crop(channels, volume, edge, generator)
            for channels, volume in zip(batch["channels"], batch["volume"], strict=True)
        ]
        both = torch.stack(crops)
        logits, volume = self.network(both[:, :-1]).float(), both[:, -1:]
        p = logits.sigmoid()
        overlap = (2 * (p * volume).sum() + 1) / ((p.square() + volume.square()).sum() + 1)
        return binary_cross_entropy_with_logits(logits, volume) + 1 - overlap

    def probabilities(self, network: nn.Module, batch: Mapping[str, Tensor], generator: torch.Generator) -> Tensor:
        """Return the answer of `network` to a batch."""
        answer: Tensor = network(batch["channels"]).float().sigmoid()
        return answer

    def save(self, path: Path, network: nn.Module, source: str) -> None:
        """Write the weights of `network`."""
        save_weights(path, network.state_dict(), NAME, replace(self._recipe, source=source).to_json())


def _crop(channels: Tensor, volume: Tensor, edge: int, generator: torch.Generator) -> Tensor:
    """Return a random part (C + 1, edge, edge) of a window, mirrored half of the time, mostly around a vessel."""
    rows, columns = volume.shape[1:]
    row, column, mirrored, on_vessel, place = torch.rand(5, generator=generator).tolist()
    top, left = int(row * (rows - edge + 1)), int(column * (columns - edge + 1))
    vessel = torch.nonzero(volume[0] > VESSEL)
    if on_vessel < ON_VESSEL and len(vessel):
        middle = vessel[int(place * len(vessel))].tolist()
        top = min(max(int(middle[0] - row * edge), 0), rows - edge)
        left = min(max(int(middle[1] - column * edge), 0), columns - edge)
    both = torch.cat([channels, volume])[:, top : top + edge, left : left + edge]
    return both.flip(2) if mirrored < MIRRORED else both
