"""The two networks: a generator of U shape, and the critic that tells its volumes from true ones."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from .recipe import Recipe

__all__ = ["Critic3D", "Generator3D"]

SLOPE = 0.2
FIRST_GAIN = 8.0


class Generator3D(nn.Module):
    """Backprojection -> logits of the vessels' occupancy: strided convolutions down, transposed ones up, skips.

    The logit is gain (b - 1/2) + the network's answer, b the backprojection, with which it begins.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        channels = recipe.channels
        self.first = nn.Sequential(nn.Conv3d(1, channels[0], 3, padding=1), nn.LeakyReLU(SLOPE))
        self.down = nn.ModuleList(_block(nn.Conv3d(a, b, 4, stride=2, padding=1), b) for a, b in pairwise(channels))
        self.up = nn.ModuleList(
            _block(nn.ConvTranspose3d(b, a, 4, stride=2, padding=1), a) for a, b in pairwise(channels)
        )
        self.join = nn.ModuleList(_block(nn.Conv3d(2 * a, a, 3, padding=1), a) for a in channels[:-1])
        self.out = nn.Conv3d(channels[0], 1, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)  # type: ignore[arg-type]
        self.gain = nn.Parameter(torch.tensor(FIRST_GAIN))

    def forward(self, backprojection: Tensor) -> Tensor:
        """Return logits (B, 1, N, N, N) for a backprojection (B, 1, N, N, N) in [0, 1]."""
        features = self.first(backprojection)
        skips: list[Tensor] = []
        for level in self.down:
            skips.append(features)
            features = level(features)
        for up, join in zip(reversed(self.up), reversed(self.join), strict=True):
            features = join(torch.cat([up(features), skips.pop()], dim=1))
        return self.gain * (backprojection - 0.5) + self.out(features).to(backprojection)


class Critic3D(nn.Module):
    """Scores a volume given its backprojection: higher is more like the truth.

    It has no normalisation over the batch, which the gradient penalty of single cases does not allow
    (Gulrajani et al. 2017, sec. 4).
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        for inputs, outputs in pairwise((2, *recipe.critic_channels)):
            parts += [nn.Conv3d(inputs, outputs, 4, stride=2, padding=1), nn.LeakyReLU(SLOPE)]
        self.features = nn.Sequential(*parts)
        self.score = nn.Conv3d(recipe.critic_channels[-1], 1, 1)

    def forward(self, volume: Tensor, backprojection: Tensor) -> Tensor:
        """Return the scores (B,) of volumes (B, 1, N, N, N): means over the places of the coarsest level."""
        score: Tensor = self.score(self.features(torch.cat([volume, backprojection], dim=1)))
        return score.flatten(1).mean(dim=1)


def _block(convolution: nn.Module, channels: int) -> nn.Sequential:
    return nn.Sequential(convolution, nn.GroupNorm(channels // 8, channels), nn.LeakyReLU(SLOPE))
