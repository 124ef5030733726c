"""The network: a 3D U-Net (Çiçek et al. 2016, doi:10.1007/978-3-319-46723-8_49) that corrects the backprojection."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool3d

from .recipe import Recipe

__all__ = ["VesselUNet3D"]

CHANNELS_PER_GROUP = 8
FIRST_GAIN = 8.0


class VesselUNet3D(nn.Module):
    """Backprojection -> logits of the vessels' occupancy.

    The logit is gain (b - 1/2) + the U-Net's answer, b the backprojection: a network that knows nothing yet
    (its last layer begins with zeros) answers with the backprojection itself.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        channels, layers = recipe.channels, recipe.layers_per_level
        self.down = nn.ModuleList(_level(a, b, layers) for a, b in zip((1, *channels), channels, strict=False))
        self.up = nn.ModuleList(_level(a + b, a, layers) for a, b in pairwise(channels))
        self.out = nn.Conv3d(channels[0], 1, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)  # type: ignore[arg-type]
        self.gain = nn.Parameter(torch.tensor(FIRST_GAIN))

    def forward(self, backprojection: Tensor) -> Tensor:
        """Return logits (B, 1, N, N, N) for a backprojection (B, 1, N, N, N) in [0, 1]."""
        skips: list[Tensor] = []
        features = backprojection
        for level in self.down:
            features = level(max_pool3d(features, 2) if skips else features)
            skips.append(features)
        features = skips.pop()
        for level in reversed(self.up):
            features = level(torch.cat([interpolate(features, scale_factor=2.0), skips.pop()], dim=1))
        return self.gain * (backprojection - 0.5) + self.out(features).to(backprojection)


def _level(inputs: int, outputs: int, layers: int) -> nn.Sequential:
    """Return `layers` times convolution, group normalisation, SiLU."""
    parts: list[nn.Module] = []
    for layer in range(layers):
        parts.append(nn.Conv3d(outputs if layer else inputs, outputs, 3, padding=1, bias=False))
        parts += [nn.GroupNorm(outputs // CHANNELS_PER_GROUP, outputs), nn.SiLU()]
    return nn.Sequential(*parts)
