"""The network: a 2D U-Net (Ronneberger et al. 2015, doi:10.1007/978-3-319-24574-4_28), each image normalised alone."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, interpolate, max_pool2d

from .channels import CHANNELS
from .recipe import Recipe

__all__ = ["VesselUNet2D"]

RARE = -3.0
"""First logit everywhere: few pixels are vessel."""


class VesselUNet2D(nn.Module):
    """Channels of a frame -> logits of its vessels."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        widths = recipe.channels
        self.down = nn.ModuleList(_level(a, b) for a, b in zip((CHANNELS, *widths), widths, strict=False))
        self.up = nn.ModuleList(_level(a + b, a) for a, b in pairwise(widths))
        self.out = nn.Conv2d(widths[0], 1, 1)
        nn.init.constant_(self.out.bias, RARE)  # type: ignore[arg-type]
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, channels: Tensor) -> Tensor:
        """Return logits (B, 1, rows, columns) for channels (B, C, rows, columns), see `network_channels`."""
        skips: list[Tensor] = []
        features = channels.contiguous(memory_format=torch.channels_last)
        for level in self.down:
            features = level(max_pool2d(features, 2) if skips else features)
            skips.append(features)
        features = skips.pop()
        for level in reversed(self.up):
            features = level(torch.cat([interpolate(features, scale_factor=2.0), skips.pop()], dim=1))
        logits: Tensor = self.out(features)
        return logits


class _ImageNorm(nn.Module):
    """Instance normalisation (Ulyanov et al. 2016, arXiv:1607.08022): each image by its own mean and variance.

    As batches of one image: on a CPU, in channels-last order, twice as fast as torch's InstanceNorm2d.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, features: Tensor) -> Tensor:
        images = (
            batch_norm(one, None, None, self.weight, self.bias, training=True) for one in torch.split(features, 1)
        )
        return torch.cat(list(images))


def _level(inputs: int, outputs: int) -> nn.Sequential:
    """Return two times convolution, normalisation, ReLU."""
    parts: list[nn.Module] = []
    for width in (inputs, outputs):
        parts += [nn.Conv2d(width, outputs, 3, padding=1, bias=False), _ImageNorm(outputs), nn.ReLU()]
    return nn.Sequential(*parts)
