"""Layers on sparse voxels in plain torch: gather the neighbours' rows, one matrix product.

A submanifold convolution (Graham et al. 2018, arXiv:1711.10275) answers only at the voxels that exist. Its
transpose is the same kind of convolution with the kernel mirrored, so the way back needs no scatter either,
and what was gathered is gathered again instead of being kept: 27 times less memory.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ....errors import InputError
from .tables import KERNEL, SLOTS, Level

__all__ = ["CaseNorm", "DownSample", "SubmanifoldConv", "UpSample", "enough_memory"]

CHUNK = 1 << 11
"""Rows at a time: what is gathered for them stays in the processor's cache or costs a GPU little memory."""
GPU_CHUNK = 1 << 18
LEAST_CHUNK = 16


def _chunk(rows: Tensor) -> int:
    return GPU_CHUNK if rows.is_cuda else CHUNK


def _with_zeros(rows: Tensor) -> Tensor:
    """Append the row of zeros that missing voxels point to."""
    return torch.cat([rows, rows.new_zeros(1, rows.shape[1])])


def _gathered(padded: Tensor, table: Tensor) -> Tensor:
    """Return (n, K * C): the rows that `table` (n, K) names, side by side."""
    return padded.index_select(0, table.reshape(-1)).view(len(table), -1)


def _apply(rows: Tensor, table: Tensor, weight: Tensor) -> Tensor:
    """Return gathered(rows) @ weight, (n, D), chunk by chunk; by smaller chunks where the device has no memory.

    Raises:
        InputError: not even a small chunk fits.
    """
    padded = _with_zeros(rows)
    answer = rows.new_empty(len(table), weight.shape[1])
    start, chunk = 0, min(_chunk(rows), max(len(table), 1))
    while start < len(table):
        part = table[start : start + chunk]
        try:
            torch.mm(_gathered(padded, part), weight, out=answer[start : start + len(part)])
        except torch.OutOfMemoryError:
            if chunk <= LEAST_CHUNK:
                raise InputError(
                    f"too little memory on the device for {len(table)} voxels; use --device cpu"
                ) from None
            chunk //= 2
            continue
        start += len(part)
    return answer


class _Submanifold(torch.autograd.Function):
    """rows (N, C), weight (27 C, D), neighbours (N, 27) -> (N, D)."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor, neighbours: Tensor) -> Tensor:
        ctx.save_for_backward(rows, weight, neighbours)
        return _apply(rows, neighbours, weight)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        rows, weight, neighbours = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        width, depth = rows.shape[1], weight.shape[1]
        to_rows = None
        if ctx.needs_input_grad[0]:
            mirrored = weight.view(KERNEL, width, depth).flip(0).transpose(1, 2).reshape(KERNEL * depth, width)
            to_rows = _apply(gradient, neighbours, mirrored)
        padded = _with_zeros(rows)
        to_weight = torch.zeros(weight.shape, dtype=torch.float32, device=weight.device)
        for start in range(0, len(rows), _chunk(rows)):
            part = slice(start, start + _chunk(rows))
            to_weight += (_gathered(padded, neighbours[part]).T @ gradient[part]).float()
        return to_rows, to_weight.to(weight.dtype), None


def _kernel(inputs: int, outputs: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(inputs, outputs) / math.sqrt(inputs))


class SubmanifoldConv(nn.Module):
    """3 x 3 x 3 convolution on the voxels of a level: (N, C) -> (N, D)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = _kernel(KERNEL * inputs, outputs)
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, rows: Tensor, level: Level) -> Tensor:
        """Return the answer at the same voxels."""
        kind = rows.dtype
        answer: Tensor = _Submanifold.apply(rows, self.weight.to(kind), level.neighbours)  # type: ignore[no-untyped-call]
        return answer + self.bias.to(kind)


class CaseNorm(nn.Module):
    """Each channel to mean 0 and variance 1 over the voxels of a case, then scaled and shifted: (N, C) -> (N, C).

    Instance normalisation (Ulyanov et al. 2016, arXiv:1607.08022) on sparse voxels, in float32. It tells a voxel how
    it stands among all of its case; normalising each voxel by itself learned several times slower.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))

    def forward(self, rows: Tensor, level: Level) -> Tensor:
        """Return the rows, normalised case by case."""
        parts = torch.split(rows.float(), list(level.counts))
        return torch.cat([self._normalised(part) for part in parts]) if len(parts) > 1 else self._normalised(parts[0])

    def _normalised(self, rows: Tensor) -> Tensor:
        """Return one case's rows, by the statistics over its own rows alone: batch normalisation of one case."""
        return torch.batch_norm(rows, self.weight, self.bias, None, None, True, 0.0, 1e-5, rows.is_cuda)


class DownSample(nn.Module):
    """2 x 2 x 2 convolution with stride 2: (N, C) -> (M, D) at the coarser level."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = _kernel(SLOTS * inputs, outputs)

    def forward(self, rows: Tensor, level: Level) -> Tensor:
        """Return the answer at the parents of the voxels of `level`."""
        return _gathered(_with_zeros(rows), level.children) @ self.weight.to(rows.dtype)


class UpSample(nn.Module):
    """Its transpose: (M, C) at the coarser level -> (N, D) at the voxels of `level`."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs
        self.weight = nn.Parameter(torch.randn(inputs, SLOTS * outputs) / math.sqrt(inputs))

    def forward(self, coarse: Tensor, level: Level) -> Tensor:
        """Return the answer at the voxels of `level`."""
        spread = (coarse @ self.weight.to(coarse.dtype)).view(-1, self.outputs)
        return spread.index_select(0, level.parent * SLOTS + level.slot)


@contextmanager
def enough_memory(device: str, blocks: int) -> Iterator[None]:
    """Say in one line where a device, or this computer, has too little memory, smaller chunks or not.

    Raises:
        InputError: instead of torch.OutOfMemoryError and its like.
    """
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, torch.OutOfMemoryError) and "allocate memory" not in str(error):
            raise
        advice = "close other programs" if device == "cpu" else "use --device cpu"
        raise InputError(f"too little memory on {device} for {blocks} blocks; {advice}") from None
