"""How much noise there is at each time step: one object for training and sampling."""

from __future__ import annotations

from dataclasses import dataclass

from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import Tensor

from ...checks import check_choice, check_range
from ...errors import InputError

__all__ = ["PREDICTIONS", "NoiseSchedule", "prediction_target"]

NAMES = ("squaredcos_cap_v2", "linear", "scaled_linear")
PREDICTIONS = ("epsilon", "sample", "v_prediction")


@dataclass(frozen=True)
class NoiseSchedule:
    """The noise schedule x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) noise, t = 0 .. train_steps - 1.

    Ho et al. 2020 (arXiv:2006.11239, eq. 4). Sampling must use the schedule that the network was
    trained with: at each t the network expects the noise level of its training.

    Attributes:
        name: "squaredcos_cap_v2" (Nichol and Dhariwal 2021, arXiv:2102.09672; the paper's), "linear"
            (beta from 0.0001 to 0.02) or "scaled_linear".
        train_steps: number T of time steps.
        prediction: what the network predicts of x_t: its noise "epsilon" (Ho et al. 2020; the paper's), x_0 itself
            ("sample"), or the velocity sqrt(abar) noise - sqrt(1 - abar) x_0 ("v_prediction"; Salimans and Ho 2022,
            arXiv:2202.00512).
        zero_terminal_snr: whether the last time step is rescaled to pure noise, abar = 0, and the sampling begins
            there (Lin et al. 2024, arXiv:2305.08891); then the noise cannot be what is predicted.

    Raises:
        InputError: an unknown name or prediction, less than one step, or pure noise of which the noise is predicted.
    """

    name: str = "squaredcos_cap_v2"
    train_steps: int = 1000
    prediction: str = "epsilon"
    zero_terminal_snr: bool = False

    def __post_init__(self) -> None:
        check_choice("noise schedule", self.name, NAMES)
        check_range("training time steps", self.train_steps, 1, 100_000)
        check_choice("prediction", self.prediction, PREDICTIONS)
        if self.zero_terminal_snr and self.prediction == "epsilon":
            raise InputError("zero_terminal_snr needs the prediction sample or v_prediction, got epsilon")

    def ddim(self, clip: bool = False) -> DDIMScheduler:
        """Return diffusers' DDIM scheduler for a network of this prediction; `clip` keeps x_0 in [-1, 1]."""
        return DDIMScheduler(
            num_train_timesteps=self.train_steps,
            beta_start=0.0001,
            beta_end=0.02,
            beta_schedule=self.name,
            clip_sample=clip,
            prediction_type=self.prediction,
            rescale_betas_zero_snr=self.zero_terminal_snr,
            timestep_spacing="trailing" if self.zero_terminal_snr else "leading",
        )

    def times(self, steps: int) -> list[int]:
        """Return the time steps that a sampler of `steps` steps visits: (n - 1) floor(T/n), ..., floor(T/n), 0.

        With zero terminal SNR they end above 0 and begin at the pure noise: T - 1, T - 1 - T/n, ..., T/n - 1.

        Raises:
            InputError: less than one step, or more than the schedule has.
        """
        if not 1 <= steps <= self.train_steps:
            raise InputError(f"the number of sampling steps must lie in [1, {self.train_steps}], got {steps}")
        scheduler = self.ddim()
        scheduler.set_timesteps(steps)
        return [int(time) for time in scheduler.timesteps]


def prediction_target(scheduler: DDIMScheduler, data: Tensor, noise: Tensor, times: Tensor) -> Tensor:
    """Return what a network should predict of `data` (B, ...) with `noise` (B, ...) added at `times` (B,)."""
    prediction = scheduler.config.prediction_type
    if prediction == "v_prediction":
        return scheduler.get_velocity(data, noise, times)
    return data if prediction == "sample" else noise
