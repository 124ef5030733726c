"""The networks of a run with their optimisers and the moving average of the weights: one step, and their state."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..reconstruction.trainable import Trainable
from .config import TrainingConfig
from .processes import Processes
from .validation import chance

__all__ = ["Networks"]


class Networks:
    """What changes from step to step.

    Attributes:
        trainable: the method's side.
        average: copy of its network with the moving average of the weights.
    """

    def __init__(self, trainable: Trainable, config: TrainingConfig, processes: Processes) -> None:
        self.trainable, self._config, self._processes = trainable, config, processes
        trainable.module.to(processes.device)
        self.average: nn.Module = copy.deepcopy(trainable.network).requires_grad_(False)
        self._optimisers = {turn: trainable.optimiser(turn) for turn in dict.fromkeys(trainable.turns)}
        self._rates = {turn: [group["lr"] for group in o.param_groups] for turn, o in self._optimisers.items()}

    def step(self, batch: Mapping[str, Tensor], step: int) -> dict[str, float]:
        """Take all turns of step `step` (from 0) and return the last loss of each, the mean over all processes."""
        self.trainable.module.train()
        losses = {}
        for place, turn in enumerate(self.trainable.turns):
            generator = chance(self._config.seed, step, place, self._processes.number)
            losses[turn] = self._turn(turn, batch, step, generator)
        self._follow(step)
        return losses

    def _turn(self, turn: str, batch: Mapping[str, Tensor], step: int, generator: torch.Generator) -> float:
        """Change the parameters of one turn; what its loss sends to others' is thrown away."""
        optimiser = self._optimisers[turn]
        parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
        self.trainable.module.zero_grad(set_to_none=True)
        with self._processes.arithmetic():
            loss = self.trainable.loss(turn, batch, generator)
        loss.backward()  # type: ignore[no-untyped-call]
        self._processes.average_gradients(parameters)
        nn.utils.clip_grad_norm_(parameters, self._config.gradient_limit)
        for group, rate in zip(optimiser.param_groups, self._rates[turn], strict=True):
            group["lr"] = rate * self._config.rate_factor(step)
        optimiser.step()
        mean = self._processes.summed(loss.detach().double().cpu()) / self._processes.count
        return float(mean)

    @torch.no_grad()
    def _follow(self, step: int) -> None:
        """Move the average towards the weights; sooner in the first steps. What is no weight is copied."""
        decay = min(self._config.average, (1 + step) / (10 + step))
        for mean, now in zip(self.average.parameters(), self.trainable.network.parameters(), strict=True):
            mean.lerp_(now, 1 - decay)
        for buffer, current in zip(self.average.buffers(), self.trainable.network.buffers(), strict=True):
            buffer.copy_(current)

    def state(self) -> dict[str, Any]:
        """Return all that the next step depends on."""
        return {
            "module": self.trainable.module.state_dict(),
            "average": self.average.state_dict(),
            "optimisers": {turn: optimiser.state_dict() for turn, optimiser in self._optimisers.items()},
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go back to a state.

        Raises:
            KeyError, RuntimeError, ValueError: it does not fit.
        """
        self.trainable.module.load_state_dict(state["module"])
        self.average.load_state_dict(state["average"])
        for turn, optimiser in self._optimisers.items():
            optimiser.load_state_dict(state["optimisers"][turn])
