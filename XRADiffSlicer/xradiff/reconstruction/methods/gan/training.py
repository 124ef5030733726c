"""What critic and generator minimise; the loop around it is in `training/`, the examples are `CubeExample`s."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from ....weights import save_weights
from ...cube_networks import CubeExample, vessel_loss
from .network import Critic3D, Generator3D
from .recipe import Recipe
from .spec import SPEC

__all__ = ["GanTraining", "gradient_penalty"]

BETAS = (0.5, 0.9)


class GanTraining:
    """Conditional Wasserstein GAN with gradient penalty (Gulrajani et al. 2017, arXiv:1704.00028, algorithm 1).

    A step is `critic_turns` turns of the critic, then one of the generator, on the same cases with new chance.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self.network: nn.Module = Generator3D(recipe)
        self.critic: nn.Module = Critic3D(recipe)
        self.module: nn.Module = nn.ModuleDict({"generator": self.network, "critic": self.critic})
        self.example = CubeExample(recipe.size, recipe.spacing_mm)
        self.turns = (*["critic"] * recipe.critic_turns, "generator")

    @classmethod
    def from_settings(cls, settings: Mapping[str, object]) -> GanTraining:
        """Return new networks with `settings` over the default recipe."""
        return cls(Recipe.from_json(settings))

    @property
    def recipe(self) -> dict[str, Any]:
        """The recipe, JSON-ready."""
        return self._recipe.to_json()

    def optimiser(self, turn: str) -> torch.optim.Optimizer:
        """Return Adam over the parameters of the critic or of the generator."""
        return torch.optim.Adam(self.module[turn].parameters(), self._recipe.learning_rate, BETAS)  # type: ignore[index]

    def loss(self, turn: str, batch: Mapping[str, Tensor], generator: torch.Generator) -> Tensor:
        """Return the loss (scalar) of a turn, the mean over the cases.

        critic     D(G(b)) - D(x) + penalty (|gradient of D between them| - 1)^2
        generator  -D(G(b)) + fidelity |G(b) - x| + overlap (cross-entropy + soft Dice), x the truth; the gradient
                   of D passes through the critic into the generator
        """
        given, volume = batch["backprojection"], batch["volume"]
        if turn == "generator":
            logits = self.network(given).float()
            made = logits.sigmoid()
            faithful = self._recipe.fidelity * l1_loss(made, volume) - self._score(made, given).mean()
            return faithful + self._recipe.overlap * vessel_loss(logits, volume)
        with torch.no_grad():
            made = self.network(given).float().sigmoid()
        share = torch.rand(len(volume), generator=generator).to(volume).view(-1, 1, 1, 1, 1)
        between = share * volume + (1 - share) * made
        penalty = gradient_penalty(lambda x: self._score(x, given), between)
        return (self._score(made, given) - self._score(volume, given)).mean() + self._recipe.penalty * penalty

    def _score(self, volume: Tensor, given: Tensor) -> Tensor:
        with torch.autocast(volume.device.type, enabled=False):  # the penalty differentiates a gradient
            score: Tensor = self.critic(volume, given)
        return score

    def probabilities(self, network: nn.Module, batch: Mapping[str, Tensor], generator: torch.Generator) -> Tensor:
        """Return the answer of the generator `network` to a batch."""
        answer: Tensor = network(batch["backprojection"]).float().sigmoid()
        return answer

    def save(self, path: Path, network: nn.Module, source: str) -> None:
        """Write the weights of the generator `network`."""
        save_weights(path, network.state_dict(), SPEC.name, replace(self._recipe, source=source).to_json())


def gradient_penalty(score: Any, volumes: Tensor) -> Tensor:
    """Return the mean over the cases of (|d score / d volume| - 1)^2 at `volumes` (B, ...), differentiable."""
    at = volumes.detach().requires_grad_()
    (slope,) = torch.autograd.grad(score(at).sum(), at, create_graph=True)
    return (slope.flatten(1).norm(dim=1) - 1).square().mean()
