"""What one training step minimises; the loop around it is in `training/`, the examples are `SparseExample`s."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from ....weights import save_weights
from .conditions import conditions_of
from .example import SparseExample, cropped
from .features import MEAN_RADIUS
from .network import Conditions, SparseDenoiser
from .recipe import Recipe
from .sampler import noise_levels, sample
from .spec import SPEC

__all__ = ["SparseTraining"]

SIDE_UNKNOWN = 0.3
"""How often a case's side is not told, so that the network does without."""
PURE_NOISE = 0.75
"""How often a case is shown at the last time step, where a sampler begins and most is decided."""
ANSWERS_BEFORE = (0.3, 0.3, 0.2, 0.2)
"""How often the network is shown no answer of its own, its first, second, third (self-conditioning)."""
PASSES = 3
"""Of the validation, on blocks as they are: the method goes on from its first answer on moved ones."""
THIN_POWER = 1.5
LEAST_WEIGHT, MOST_WEIGHT = 0.35, 3.0
"""Of a voxel, 1 where the masks' vessels have a radius of 1 mm, else radius^-THIN_POWER: thin ones have few voxels."""
CLOSE_TO_NOTHING = 1.0
MOST_BLOCKS = 20_000
"""Blocks of a case in one step: more cases in the same time teach more than whole large ones."""


class SparseTraining:
    """Prediction of the clean vessels from noisy ones: cross-entropy + soft Dice.

    Bits as numbers -1 and 1 that are noised and predicted (Chen et al. 2023, Analog bits, arXiv:2208.04202).
    """

    turns = ("network",)

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self.network: nn.Module = SparseDenoiser(recipe)
        self.module = self.network
        self.example = SparseExample(recipe.spacing_mm, recipe.truth_parts, recipe.start)
        self._levels = noise_levels(recipe)

    @classmethod
    def from_settings(cls, settings: Mapping[str, object]) -> SparseTraining:
        """Return a new network with `settings` over the default recipe."""
        return cls(Recipe.from_json(settings))

    @property
    def recipe(self) -> dict[str, Any]:
        """The recipe, JSON-ready."""
        return self._recipe.to_json()

    def optimiser(self, turn: str) -> torch.optim.Optimizer:
        """Return AdamW over all parameters."""
        return torch.optim.AdamW(self.network.parameters(), self._recipe.learning_rate, weight_decay=1e-3)

    def loss(self, turn: str, batch: Mapping[str, Tensor], generator: torch.Generator) -> Tensor:
        """Return the loss (scalar) of one batch; all chance comes from `generator` (on the CPU)."""
        batch = cropped(batch, MOST_BLOCKS, generator)
        given = conditions_of(batch, len(self._recipe.channels))
        volume, device = batch["volume"], batch["volume"].device
        cases = len(given.side)
        steps = self._recipe.train_steps
        times = torch.randint(0, steps, (cases,), generator=generator)
        times[torch.rand(cases, generator=generator) < PURE_NOISE] = steps - 1
        kept = (torch.rand(cases, generator=generator) >= self._recipe.drop_probability).float().to(device)
        told = (torch.rand(cases, generator=generator) >= SIDE_UNKNOWN).long().to(device)
        given = replace(given, side=given.side * told, known=kept)
        level = self._levels[times].to(device)
        noise = torch.randn(volume.shape, generator=generator).to(device)
        share = level[given.tables.levels[0].case][:, None]
        noisy = (1 - share.square()).sqrt() * (2 * volume - 1) + share * noise
        count = int((torch.rand(1, generator=generator) > torch.tensor(ANSWERS_BEFORE).cumsum(0)).sum())
        logits = self.network(noisy, level, given, self._answer_before(count, noisy, level, given)).float()
        weight = batch["shared"][:, MEAN_RADIUS, None].clamp(min=0.1).pow(-THIN_POWER).clamp(LEAST_WEIGHT, MOST_WEIGHT)
        weight = (weight / weight.mean()).expand_as(volume)
        entropy = binary_cross_entropy_with_logits(logits, volume, weight)
        return 5 * entropy + _soft_dice_loss(logits.sigmoid(), volume, weight)

    @torch.no_grad()
    def _answer_before(self, count: int, noisy: Tensor, level: Tensor, given: Conditions) -> Tensor | None:
        """Return the answer (N, 8), -1 to 1, of the last of `count` passes; None of none."""
        before: Tensor | None = None
        for _ in range(count):
            before = 2 * self.network(noisy, level, given, before).float().sigmoid() - 1
        torch.clear_autocast_cache()  # older versions keep copies of the weights here, without their gradients
        return before

    def probabilities(self, network: nn.Module, batch: Mapping[str, Tensor], generator: torch.Generator) -> Tensor:
        """Return the answer in one step, without guidance."""
        given = conditions_of(batch, len(self._recipe.channels))
        noise = torch.randn(batch["volume"].shape, generator=generator).to(batch["volume"].device)
        return sample(network, given, noise, self._recipe, steps=1, guidance=1.0, passes=PASSES)

    def save(self, path: Path, network: nn.Module, source: str) -> None:
        """Write the weights of `network`."""
        save_weights(path, network.state_dict(), SPEC.name, replace(self._recipe, source=source).to_json())


def _soft_dice_loss(probabilities: Tensor, volume: Tensor, weight: Tensor) -> Tensor:
    """Return 1 - 2 sum(w p v) / sum(w p^2 + w v^2) over all voxels (Milletari et al. 2016, V-Net, sec. 3)."""
    both, total = (weight * probabilities * volume).sum(), (weight * (probabilities.square() + volume.square())).sum()
    return 1 - (2 * both + CLOSE_TO_NOTHING) / (total + CLOSE_TO_NOTHING)
