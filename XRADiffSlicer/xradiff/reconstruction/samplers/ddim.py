"""The DDIM loop (Song et al. 2021, arXiv:2010.02502, eq. 12 with eta = 0): noise -> data in few steps."""

from __future__ import annotations

import torch
from torch import Tensor

from ...progress import Progress, silent
from .guidance import Predictor
from .schedule import NoiseSchedule

__all__ = ["sample_ddim"]


@torch.no_grad()
def sample_ddim(
    predict: Predictor,
    start: Tensor,
    schedule: NoiseSchedule,
    steps: int,
    *,
    clip: bool = False,
    progress: Progress = silent,
) -> Tensor:
    """Return x_0 (B, ...) of standard normal noise `start` (B, ...).

    Calls `predict` once a step. Deterministic: all chance is in `start`. Nothing in the loop
    waits for the device: time steps are numbers on the host and were sent to the device before.

    Args:
        predict: what `schedule.prediction` says (B, ...) of x_t (B, ...) at time steps (B,).
        start: noise to begin with; its device and dtype are kept.
        schedule: the schedule of the network's training.
        steps: number n of steps.
        clip: whether each step's estimate of x_0 is clipped to [-1, 1] and its noise taken from the clipped
            one (Ho et al. 2020; Nichol et al. 2021, arXiv:2112.10741): for data in that range.
        progress: told before each step; may raise Cancelled.

    Raises:
        InputError: less than one step, or more than the schedule has.
    """
    times = schedule.times(steps)
    scheduler = schedule.ddim(clip)
    scheduler.set_timesteps(steps)
    on_device = torch.tensor(times, device=start.device)
    sample = start
    for index, time in enumerate(times):
        progress(index / steps, f"denoising, step {index + 1} of {steps}")
        predicted = predict(sample, on_device[index].expand(len(sample)))
        step = scheduler.step(
            predicted.to(sample.dtype), time, sample, use_clipped_model_output=clip, return_dict=False
        )
        sample = step[0]
    progress(1.0, "denoised")
    return sample
