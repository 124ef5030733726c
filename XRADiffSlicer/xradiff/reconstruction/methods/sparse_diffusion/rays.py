"""Voxels on one ray compete: of all that a mask pixel may be due to, some vessel is there, most are ghosts."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .layers import CaseNorm
from .tables import Level

__all__ = ["RayAttention"]

HEADS = 8
LARGEST_SCORE = 12.0
LEAST_TOTAL = 1e-9
"""Less than one voxel's weight: only numbers of rays that no voxel has (a cropped case) are raised to it."""


class RayAttention(nn.Module):
    """Attention among the voxels of each ray of each view, beside an identity: (N, C) -> (N, C).

    A head scores every voxel; its softmax over the ray weighs the ray's values, and the voxel's own share of it
    tells how it stands among its rivals. The mean over the views does not depend on their number or order.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = CaseNorm(width)
        self.score, self.value = nn.Linear(width, HEADS), nn.Linear(width, width)
        self.out = nn.Linear(width + 2 * HEADS, width)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, rows: Tensor, rays: Tensor, seen: Tensor, level: Level) -> Tensor:
        """Return rows after the voxels of each ray (V, N) looked at each other; views with `seen` 0 do not count."""
        given = self.norm(rows, level)
        weight = torch.exp(self.score(given).float().clamp(-LARGEST_SCORE, LARGEST_SCORE))
        value = self.value(given).float()
        told = [self._view(weight, value, ray) * see[:, None] for ray, see in zip(rays, seen, strict=True)]
        mean = torch.stack(told).sum(0) / seen.sum(0)[:, None]
        answer: Tensor = rows + self.out(mean)
        return answer

    def _view(self, weight: Tensor, value: Tensor, ray: Tensor) -> Tensor:
        """Return (N, C + 2 HEADS): the ray's weighed mean, the own share, and the log of the ray's total."""
        count = int(ray.max()) + 1
        weighed = (weight[:, :, None] * value.view(len(value), HEADS, -1)).flatten(1)
        summed = weight.new_zeros(count, HEADS + value.shape[1]).index_add(0, ray, torch.cat([weight, weighed], dim=1))
        total = summed[:, :HEADS].clamp(min=LEAST_TOTAL)
        mean = (summed[:, HEADS:].view(count, HEADS, -1) / total[:, :, None]).flatten(1)
        told = torch.cat([mean, 1 / total, total.log()], dim=1).index_select(0, ray)
        mean, inverse, log = torch.split(told, [value.shape[1], HEADS, HEADS], dim=1)
        return torch.cat([mean, weight * inverse, log], dim=1)
