"""Settings of a training run that do not depend on the method."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..config import check_config, setting
from ..errors import InputError

__all__ = ["CHANGEABLE", "TrainingConfig"]

CHANGEABLE = ("steps", "validate_every", "checkpoint_every", "workers", "device")
"""What may differ when a run is continued."""


@dataclass(frozen=True)
class TrainingConfig:
    """Settings of a training run.

    Raises:
        InputError: a value outside its range.
    """

    steps: int = setting(2000, "Steps in all.", minimum=1, maximum=100_000_000)
    batch: int = setting(2, "Cases of a step, over all processes.", minimum=1, maximum=65_536)
    schedule: str = setting(
        "cosine",
        "Learning rate after the warm-up: falls to 0 at the last step as a cosine, or stays.",
        choices=("cosine", "constant"),
    )
    warmup: int = setting(100, "Steps in which the learning rate rises from 0.", minimum=0, maximum=1_000_000)
    average: float = setting(
        0.995, "Decay of the moving average of the weights, which is what is saved.", minimum=0, maximum=0.999999
    )
    gradient_limit: float = setting(1.0, "Longer gradients are shortened to this norm.", minimum=1e-6, maximum=1e6)
    precision: str = setting("float32", "Arithmetic of the networks.", choices=("float32", "bfloat16"))
    validation_cases: int = setting(16, "Cases that are held out: the last ones.", minimum=1, maximum=100_000)
    validate_every: int = setting(200, "Steps between validations.", minimum=1, maximum=1_000_000)
    checkpoint_every: int = setting(100, "Steps between checkpoints.", minimum=1, maximum=1_000_000)
    workers: int = setting(0, "Processes that make examples, per training process.", minimum=0, maximum=1024)
    device: str = setting("auto", "Where it runs.", choices=("auto", "cpu", "cuda"))
    seed: int = setting(0, "Of the first weights, the order of the cases and all else.", minimum=0, maximum=2**31)

    def __post_init__(self) -> None:
        check_config(self)

    def rate_factor(self, step: int) -> float:
        """Return what the learning rate is multiplied with in step `step` (from 0)."""
        rise = min(1.0, (step + 1) / (self.warmup + 1))
        if self.schedule == "constant" or step < self.warmup:
            return rise
        done = (step - self.warmup) / max(1, self.steps - self.warmup)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))

    def split(self, cases: int) -> tuple[range, range]:
        """Return the numbers of the training and the validation cases.

        Raises:
            InputError: too few cases for both.
        """
        training = cases - self.validation_cases
        if training < 1:
            raise InputError(
                f"{cases} cases are too few to hold out {self.validation_cases} for validation; give more cases or "
                "a smaller --validation-cases"
            )
        return range(training), range(training, cases)
