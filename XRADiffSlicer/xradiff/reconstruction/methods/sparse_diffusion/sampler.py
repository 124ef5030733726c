"""Noise -> vessels on the sparse voxels, in few DDIM steps; the loop and the schedule are the shared ones."""

from __future__ import annotations

from functools import lru_cache

from torch import Tensor, nn

from ....progress import Progress, silent
from ...samplers import NoiseSchedule, sample_ddim
from .mask_guidance import MaskRays
from .network import Conditions
from .recipe import Recipe

__all__ = ["noise_levels", "sample"]


def _schedule(recipe: Recipe) -> NoiseSchedule:
    """The recipe's schedule, rescaled to end in pure noise; the clean volume is predicted."""
    return NoiseSchedule(recipe.schedule, recipe.train_steps, prediction="sample", zero_terminal_snr=True)


@lru_cache(4)
def noise_levels(recipe: Recipe) -> Tensor:
    """Return sqrt(1 - abar_t) (T,) of the schedule; not to be changed."""
    levels: Tensor = (1 - _schedule(recipe).ddim().alphas_cumprod).sqrt()
    return levels


def sample(
    network: nn.Module,
    given: Conditions,
    noise: Tensor,
    recipe: Recipe,
    *,
    steps: int,
    guidance: float,
    passes: int = 1,
    rays: MaskRays | None = None,
    rounds: int = 0,
    before: Tensor | None = None,
    progress: Progress = silent,
) -> Tensor:
    """Return probabilities (N, 8) after `steps` DDIM steps from `noise` (N, 8).

    Args:
        network: logits of the clean volume, see `SparseDenoiser`.
        given: what it is told.
        noise: to begin with.
        recipe: of the network.
        steps: number of denoising steps.
        guidance: scale gamma of the classifier-free guidance, on logits; 1 is without.
        passes: how often the network is asked a step, each time shown its answer before (self-conditioning,
            Chen et al. 2023, Analog bits, arXiv:2208.04202, sec. 3.2); the last one is shown at the next step too.
        rays: of the masks, where an answer is pushed towards covering them before it is shown to the network again.
        rounds: how often it is pushed.
        before: (N, 8) an answer, -1 to 1, that the network is shown at first.
        progress: told before each step; may raise Cancelled.
    """
    levels, cases = noise_levels(recipe).to(noise.device), len(given.side)
    last: Tensor | None = None

    def predict(state: Tensor, times: Tensor) -> Tensor:
        nonlocal before, last
        level = levels[times[:1]].expand(cases)
        for _ in range(passes):
            if last is not None:
                before = 2 * (last if rays is None else rays.pushed(last, rounds)).sigmoid() - 1
            last = network(state, level, given, before).float()
            if guidance != 1:
                blind = network(state, level, given.without()).float()
                last = blind + guidance * (last - blind)
        assert last is not None
        return 2 * last.sigmoid() - 1

    return (sample_ddim(predict, noise, _schedule(recipe), steps, progress=progress) + 1) / 2
