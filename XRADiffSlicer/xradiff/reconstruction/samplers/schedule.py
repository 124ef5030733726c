"""How much noise there is at each time step: one object for training and sampling."""

from __future__ import annotations

from dataclasses import dataclass

from diffusers.schedulers.scheduling_ddim import DDIMScheduler

from ...checks import check_choice, check_range
from ...errors import InputError

__all__ = ["NoiseSchedule"]

NAMES = ("squaredcos_cap_v2", "linear", "scaled_linear")


@dataclass(frozen=True)
class NoiseSchedule:
    """The noise schedule x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) noise, t = 0 .. train_steps - 1.

    Ho et al. 2020 (arXiv:2006.11239, eq. 4). Sampling must use the schedule that the network was
    trained with: at each t the network expects the noise level of its training.

    Attributes:
        name: "squaredcos_cap_v2" (Nichol and Dhariwal 2021, arXiv:2102.09672; the paper's), "linear"
            (beta from 0.0001 to 0.02) or "scaled_linear".
        train_steps: number T of time steps.

    Raises:
        InputError: an unknown name, or less than one step.
    """

    name: str = "squaredcos_cap_v2"
    train_steps: int = 1000

    def __post_init__(self) -> None:
        check_choice("noise schedule", self.name, NAMES)
        check_range("training time steps", self.train_steps, 1, 100_000)

    def ddim(self, clip: bool = False) -> DDIMScheduler:
        """Return diffusers' DDIM scheduler for a network that predicts noise; `clip` keeps x_0 in [-1, 1]."""
        return DDIMScheduler(
            num_train_timesteps=self.train_steps,
            beta_start=0.0001,
            beta_end=0.02,
            beta_schedule=self.name,
            clip_sample=clip,
        )

    def times(self, steps: int) -> list[int]:
        """Return the time steps that a sampler of `steps` steps visits: (n - 1) floor(T/n), ..., floor(T/n), 0.

        Raises:
            InputError: less than one step, or more than the schedule has.
        """
        if not 1 <= steps <= self.train_steps:
            raise InputError(f"the number of sampling steps must lie in [1, {self.train_steps}], got {steps}")
        scheduler = self.ddim()
        scheduler.set_timesteps(steps)
        return [int(time) for time in scheduler.timesteps]
