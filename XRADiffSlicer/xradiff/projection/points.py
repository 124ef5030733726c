"""Differentiable projection of point sets, in torch: where points fall and what image they make."""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import InputError
from ..geometry import Camera

__all__ = ["project_points", "splat_points"]


def project_points(points_lps_mm: Tensor, camera: Camera) -> tuple[Tensor, Tensor]:
    """Return pixels (..., 2) as fractional (row, column) and depths (...) in mm of points (..., 3).

    Differentiable in the points; keeps their device and dtype.

    Raises:
        InputError: the last axis does not hold three coordinates.
    """
    if points_lps_mm.shape[-1] != 3:
        raise InputError(f"points must have shape (..., 3), got {tuple(points_lps_mm.shape)}")
    matrix = torch.as_tensor(camera.matrix, dtype=points_lps_mm.dtype, device=points_lps_mm.device)
    homogeneous = points_lps_mm @ matrix[:, :3].T + matrix[:, 3]
    depth = homogeneous[..., 2]
    return torch.stack([homogeneous[..., 1] / depth, homogeneous[..., 0] / depth], dim=-1), depth


def splat_points(pixels: Tensor, weights: Tensor, shape: tuple[int, int]) -> Tensor:
    """Return the image (rows, columns) of `weights` (N,) shared bilinearly among the four pixels around each point.

    The transpose of bilinear sampling at `pixels` (N, 2), (row, column); what falls outside is lost.
    Differentiable in pixels and weights.
    """
    rows, columns = shape
    low = torch.floor(pixels.detach())
    part = pixels - low
    image = torch.zeros(rows * columns, dtype=pixels.dtype, device=pixels.device)
    for down in (0, 1):
        for right in (0, 1):
            row, column = low[:, 0] + down, low[:, 1] + right
            share = (part[:, 0] if down else 1 - part[:, 0]) * (part[:, 1] if right else 1 - part[:, 1])
            inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
            index = (row * columns + column)[inside].long()
            image = image.index_add(0, index, (weights * share)[inside])
    return image.reshape(rows, columns)
