"""Line integrals of a dense volume and their exact transpose, in torch, on CPU and CUDA.

Joseph's method (P. M. Joseph, IEEE TMI 1(3), 1982, doi:10.1109/TMI.1982.4307572): along the axis
that the view looks along most, each ray is sampled once in every slice by bilinear interpolation;
the samples are summed and multiplied by the ray's length between two slices.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample

from ..datatypes import VolumeGrid
from ..errors import InputError
from ..geometry import Camera

__all__ = ["backproject", "forward_project"]

# Measured on two CPU cores at 128^3 and 256^3: 4 to 6 slices a call are the fastest, both ways.
SLICES_PER_CALL = {"cpu": 4, "cuda": 32}
BILINEAR, ZEROS = 0, 0  # the aten codes of grid_sample's modes
OUTSIDE = 9.0  # any coordinate beyond -1..1


def forward_project(volume: Tensor, grid: VolumeGrid, camera: Camera) -> Tensor:
    """Return the line integrals (rows, columns) in mm times the volume's unit, of `volume` (nx, ny, nz).

    Differentiable (also twice) with the exact adjoint; keeps the volume's device and its float32 or
    float64.

    Raises:
        InputError: the volume has another shape than the grid, or is not floating point.
    """
    _check(volume, grid.shape, "volume")
    image: Tensor = _Project.apply(volume, _Rays.of(grid, camera, volume))  # type: ignore[no-untyped-call]
    return image


def backproject(image: Tensor, grid: VolumeGrid, camera: Camera) -> Tensor:
    """Return the transpose (nx, ny, nz) of `forward_project` applied to `image` (rows, columns).

    Raises:
        InputError: the image has another shape than the camera, or is not floating point.
    """
    _check(image, camera.shape, "image")
    volume: Tensor = _Backproject.apply(image, _Rays.of(grid, camera, image))  # type: ignore[no-untyped-call]
    return volume


def _check(array: Tensor, shape: tuple[int, ...], name: str) -> None:
    if tuple(array.shape) != tuple(shape) or array.dtype not in (torch.float32, torch.float64):
        raise InputError(
            f"the {name} must be float32 or float64 of shape {tuple(shape)}, got {array.dtype} {tuple(array.shape)}"
        )


@dataclass(frozen=True)
class _Rays:
    """Where a view's rays cross the slices, in grid_sample's coordinates (-1..1 over a slice).

    A slice at position x along the main axis is crossed at offset + (x - source) * slope.
    """

    grid: VolumeGrid
    camera: Camera
    order: tuple[int, int, int]  # main axis first
    slices: Tensor  # (n,) distance of each slice from the source along the main axis, mm
    slope: Tensor  # (rows, columns, 2)
    offset: Tensor  # (2,)
    reach: Tensor  # (rows, columns) distance of the detector along the main axis, mm
    length: Tensor  # (rows, columns) ray length between two slices, mm
    all_between: bool  # whether every slice lies between the source and the detector on every ray

    @classmethod
    def of(cls, grid: VolumeGrid, camera: Camera, like: Tensor) -> _Rays:
        main = int(abs(camera.d).argmax())
        first, second = (axis for axis in range(3) if axis != main)

        def tensor(values: object) -> Tensor:
            return torch.as_tensor(np.asarray(values), dtype=like.dtype, device=like.device)

        down, right = _offsets_mm(camera)
        rays = [
            tensor(camera.sid_mm * camera.d[axis] + down * camera.v[axis])[:, None]
            + tensor(right * camera.u[axis])[None, :]
            for axis in range(3)
        ]
        across = [second, first]  # grid_sample wants the last axis first
        half = np.array([grid.shape[axis] * grid.spacing_mm[axis] / 2 for axis in across])
        middle = np.array([grid.centre_lps_mm[axis] - camera.source[axis] for axis in across])
        positions = np.arange(grid.shape[main]) * grid.spacing_mm[main] + grid.origin_lps_mm[main]
        distance, reach = tensor(positions - camera.source[main]), rays[main]
        slope = torch.stack([rays[axis] / (reach * scale) for axis, scale in zip(across, half, strict=True)], dim=-1)
        squares = rays[0] ** 2 + rays[1] ** 2 + rays[2] ** 2
        length = torch.sqrt(squares) / reach.abs() * grid.spacing_mm[main]
        between = _all_between(distance, reach)
        order = (main, first, second)
        return cls(grid, camera, order, distance, slope, tensor(-middle / half), reach, length, between)

    def crossings(self) -> Iterator[tuple[slice, tuple[slice, slice], Tensor]]:
        """Yield ranges of slices, the image's rows and columns that see them, and where the rays cross them.

        The last is (slices, rows, columns, 2).
        """
        step = SLICES_PER_CALL.get(self.slices.device.type, 4)
        buffer = torch.empty(step * self.slope.numel(), dtype=self.slope.dtype, device=self.slope.device)
        for start in range(0, len(self.slices), step):
            part = self.slices[start : start + step, None, None, None]
            window = self._window(start, start + len(part)) if self.all_between else (slice(None), slice(None))
            slope = self.slope[window]
            if slope.numel() == 0:
                continue
            out = buffer[: len(part) * slope.numel()].view(len(part), *slope.shape)
            where = torch.addcmul(self.offset, part, slope, out=out)
            if not self.all_between:
                travelled = part / self.reach[..., None]
                where = torch.where((travelled > 0) & (travelled <= 1), where, torch.full_like(where, OUTSIDE))
            yield slice(start, start + step), window, where

    def _window(self, start: int, stop: int) -> tuple[slice, slice]:
        """The image rectangle that sees the slices and the voxel around them that bilinear weights reach."""
        low, high = np.full(3, -1.0), np.array(self.grid.shape, dtype=float)
        low[self.order[0]], high[self.order[0]] = start, stop - 1
        corners = np.stack(np.meshgrid(*zip(low, high, strict=True), indexing="ij"), axis=-1).reshape(-1, 3)
        pixels = self.camera.project(self.grid.centres(corners))
        first = np.clip(np.floor(pixels.min(axis=0)) - 1, 0, self.camera.shape).astype(int)
        last = np.clip(np.ceil(pixels.max(axis=0)) + 2, 0, self.camera.shape).astype(int)
        return slice(int(first[0]), int(last[0])), slice(int(first[1]), int(last[1]))


def _offsets_mm(camera: Camera) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Positions of the rows along v and of the columns along u on the detector, from the central ray."""
    row0, column0 = camera.principal_point
    down = (np.arange(camera.shape[0]) - row0) * camera.pixel_spacing_mm[0]
    return down, (np.arange(camera.shape[1]) - column0) * camera.pixel_spacing_mm[1]


def _all_between(distance: Tensor, reach: Tensor) -> bool:
    """Whether slices at `distance` lie between the source and the detector at `reach`, on every ray."""
    low, high = float(reach.min()), float(reach.max())
    ends = [float(distance[end]) / bound for end in (0, -1) for bound in (low, high) if bound]
    return low * high > 0 and all(0 < part <= 1 for part in ends)


def _project(volume: Tensor, rays: _Rays) -> Tensor:
    slices = volume.permute(rays.order).contiguous()[:, None]
    total = torch.zeros_like(rays.length)
    for part, window, where in rays.crossings():
        total[window] += grid_sample(slices[part], where, align_corners=False).sum(dim=(0, 1))
    return total * rays.length


def _transpose(image: Tensor, rays: _Rays) -> Tensor:
    shape = [rays.grid.shape[axis] for axis in rays.order]
    slices = torch.zeros(shape[0], 1, *shape[1:], dtype=image.dtype, device=image.device)
    weighted = image * rays.length
    for part, window, where in rays.crossings():
        spread = weighted[window].expand(len(where), 1, *where.shape[1:3]).contiguous()
        # the input's values do not enter its own gradient: grid_sample is linear in it
        slices[part] = torch.ops.aten.grid_sampler_2d_backward(
            spread, slices[part], where, BILINEAR, ZEROS, False, [True, False]
        )[0]
    back = [rays.order.index(axis) for axis in range(3)]
    return slices[:, 0].permute(back).contiguous()


class _Project(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, volume: Tensor, rays: _Rays) -> Tensor:
        ctx.rays = rays
        return _project(volume, rays)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return _Backproject.apply(gradients[0], ctx.rays), None  # type: ignore[no-untyped-call]


class _Backproject(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, image: Tensor, rays: _Rays) -> Tensor:
        ctx.rays = rays
        return _transpose(image, rays)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return _Project.apply(gradients[0], ctx.rays), None  # type: ignore[no-untyped-call]
