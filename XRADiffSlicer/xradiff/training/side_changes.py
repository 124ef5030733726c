"""Chance changes of mask pictures in training: parts missing, thicker, thinner, turned, of another size, moved."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor
from torch.nn.functional import affine_grid, grid_sample, max_pool2d

__all__ = ["changed"]

_CUT = 0.35  # share of pictures that lose what lies beyond a line
_THICK = 0.15  # share of pictures whose vessels grow
_TURN_DEG, _SIZE, _MOVE = 7.0, 0.08, 0.05  # standard deviations; the last in half pictures


def changed(pictures: Tensor, generator: Generator) -> Tensor:
    """Return changed `pictures` (B, V, P, P) in [0, 1], each in its own way; what is left is centred again."""
    shape = pictures.shape
    flat = _other_thickness(pictures.reshape(-1, 1, *shape[2:]), generator)
    flat = _cut(flat, generator)
    return _moved(flat, generator).reshape(shape)


def _other_thickness(flat: Tensor, generator: Generator) -> Tensor:
    grown = max_pool2d(flat, 3, stride=1, padding=1)
    share = torch.rand(len(flat), 1, 1, 1, generator=generator)
    share = share * (torch.rand(len(flat), 1, 1, 1, generator=generator) < _THICK)
    gain = torch.exp(torch.rand(len(flat), 1, 1, 1, generator=generator) * 1.2 - 0.5)
    return (torch.lerp(flat, grown, share) * gain).clamp(max=1)


def _cut(flat: Tensor, generator: Generator) -> Tensor:
    """Take away what lies beyond a line, at most at the middle."""
    count, size = len(flat), flat.shape[-1]
    angle = 2 * math.pi * torch.rand(count, 1, 1, 1, generator=generator)
    far = 0.45 * torch.rand(count, 1, 1, 1, generator=generator)
    far = torch.where(torch.rand(count, 1, 1, 1, generator=generator) < _CUT, far, torch.inf)
    place = (torch.arange(size) + 0.5) * 2 / size - 1
    return flat * (place[:, None] * angle.sin() + place * angle.cos() < far)


def _moved(flat: Tensor, generator: Generator) -> Tensor:
    """Turn, scale and move, the middle of what there is to the middle of the picture."""
    count, size = len(flat), flat.shape[-1]
    place = (torch.arange(size) + 0.5) * 2 / size - 1
    total = flat.sum(dim=(1, 2, 3)).clamp(min=1e-6)
    middle = torch.stack([(flat.sum(dim=2)[:, 0] * place).sum(1), (flat.sum(dim=3)[:, 0] * place).sum(1)], 1)
    middle = middle / total[:, None] + _MOVE * torch.randn(count, 2, generator=generator)
    turn = math.radians(_TURN_DEG) * torch.randn(count, generator=generator)
    scale = torch.exp(_SIZE * torch.randn(count, generator=generator))
    row = torch.stack([turn.cos(), -turn.sin(), turn.sin(), turn.cos()], 1).reshape(-1, 2, 2) * scale[:, None, None]
    grid = affine_grid(torch.cat([row, middle[:, :, None]], dim=2), list(flat.shape), align_corners=False)
    return grid_sample(flat, grid, align_corners=False)
