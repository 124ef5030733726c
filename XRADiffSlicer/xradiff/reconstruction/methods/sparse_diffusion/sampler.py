"""Noise -> vessels on the sparse voxels, in few DDIM steps."""

from __future__ import annotations

import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import Tensor, nn

from ....progress import Progress, silent
from .mask_guidance import MaskRays
from .network import Conditions
from .recipe import Recipe

__all__ = ["noise_levels", "sample"]


def _scheduler(recipe: Recipe) -> DDIMScheduler:
    return DDIMScheduler(
        num_train_timesteps=recipe.train_steps,
        beta_schedule=recipe.schedule,
        prediction_type="sample",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
    )


def noise_levels(recipe: Recipe) -> Tensor:
    """Return sqrt(1 - abar_t) (T,) of the schedule."""
    return (1 - _scheduler(recipe).alphas_cumprod).sqrt()


@torch.no_grad()
def sample(
    network: nn.Module,
    given: Conditions,
    noise: Tensor,
    recipe: Recipe,
    *,
    steps: int,
    guidance: float,
    rays: MaskRays | None = None,
    mask_guidance: float = 0.0,
    progress: Progress = silent,
) -> Tensor:
    """Return probabilities (N, 8): the network's answer in the last of `steps` DDIM steps from `noise` (N, 8)."""
    scheduler = _scheduler(recipe)
    scheduler.set_timesteps(steps)
    levels, state = noise_levels(recipe), noise
    logits = noise
    for index, time in enumerate(scheduler.timesteps.tolist()):
        progress(index / steps, f"denoising, step {index + 1} of {steps}")
        level = levels[time].to(noise.device).expand(len(given.side))
        logits = network(state, level, given).float()
        if guidance != 1:
            blind = network(state, level, given.without()).float()
            logits = blind + guidance * (logits - blind)
        if rays is not None:
            logits = rays.pushed(logits, mask_guidance)
        state = scheduler.step(2 * logits.sigmoid() - 1, time, state, return_dict=False)[0]
    return logits.sigmoid()
