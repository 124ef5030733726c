"""The 3D U-Net of XRA-Diff's authors, for their weights alone: MONAI's residual U-Net (Kerfoot et al. 2019,
doi:10.1007/978-3-030-12029-0_40) with batch normalisation, two convolutions a residual unit, one after each skip.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

__all__ = ["PUBLISHED_CHANNELS", "PublishedUNet3D", "our_names"]

PUBLISHED_CHANNELS = (32, 64, 128, 256, 512, 1024)
DEEPER = re.compile(r"model\.model\.((?:1\.submodule\.)*)(?:([02])\.)?(.+)")


class Unit(nn.Module):
    """Convolution; then, unless it is the last of the network, batch normalisation and PReLU."""

    def __init__(self, convolution: nn.Module, channels: int, last: bool = False) -> None:
        super().__init__()
        self.conv = convolution
        self.rest = None if last else nn.Sequential(nn.BatchNorm3d(channels), nn.PReLU())

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.conv(x)
        return answer if self.rest is None else self.rest(answer)


class Residual(nn.Module):
    """Units beside a convolution of their input: 3^3 where it strides, 1^3 where it changes the channels alone."""

    def __init__(self, inputs: int, outputs: int, stride: int, units: int, last: bool = False) -> None:
        super().__init__()
        parts = [(inputs, stride), *[(outputs, 1)] * (units - 1)]
        self.units = nn.ModuleList(
            Unit(nn.Conv3d(channels, outputs, 3, step, 1), outputs, last and number == units)
            for number, (channels, step) in enumerate(parts, start=1)
        )
        edge = 3 if stride > 1 else 1
        changes = stride > 1 or inputs != outputs
        self.beside = nn.Conv3d(inputs, outputs, edge, stride, edge // 2) if changes else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.beside(x)
        for unit in self.units:
            x = unit(x)
        return x + answer


class PublishedUNet3D(nn.Module):
    """Backprojection (B, 1, N, N, N) -> logits of that shape; N is a multiple of 2 to the number of levels - 1."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        *levels, bottom = channels
        self.down = nn.ModuleList(Residual(a, b, 2, 2) for a, b in pairwise((1, *levels)))
        self.bottom = Residual(levels[-1], bottom, 1, 2)
        below = (*levels[:-1], bottom)  # channels that come up to each level
        self.up = nn.ModuleList(
            nn.ModuleList([_transposed(own + under, out), Residual(out, out, 1, 1, last=number == 0)])
            for number, (own, under, out) in enumerate(zip(levels, below, (1, *levels[:-1]), strict=True))
        )

    def forward(self, x: Tensor) -> Tensor:
        skips: list[Tensor] = []
        for level in self.down:
            x = level(x)
            skips.append(x)
        x = self.bottom(x)
        for level in reversed(self.up):
            transposed, residual = cast("nn.ModuleList", level)
            x = residual(transposed(torch.cat([skips.pop(), x], dim=1)))
        return x


def _transposed(inputs: int, outputs: int) -> Unit:
    return Unit(nn.ConvTranspose3d(inputs, outputs, 3, 2, 1, output_padding=1), outputs)


def our_names(state: Mapping[str, Tensor], levels: int) -> dict[str, Tensor]:
    """Return the tensors of the authors' checkpoint by the names of `PublishedUNet3D`; unknown ones keep theirs.

    Args:
        state: by MONAI's names, which nest below "model.model.": "1.submodule." goes down a level, "0." is its way
            down, "2." its way up.
        levels: of the network, the bottom among them.
    """
    renamed = {}
    for name, tensor in state.items():
        found = DEEPER.fullmatch(name)
        if name == "loss_fn.pos_weight":  # of the training
            continue
        renamed[_our_name(found, levels) if found else name] = tensor
    return renamed


def _our_name(found: re.Match[str], levels: int) -> str:
    depth, way, rest = found[1].count("submodule"), found[2], found[3]
    place = "bottom" if depth == levels - 1 else f"{'down' if way == '0' else 'up'}.{depth}"
    if way == "2" and not rest[0].isdigit():
        rest = f"0.{rest}"
    for pattern, ours in (
        (r"conv\.unit(\d)\.", r"units.\1."),
        (r"adn\.N\.", "rest.0."),
        (r"adn\.A\.", "rest.1."),
        (r"residual\.", "beside."),
    ):
        rest = re.sub(pattern, ours, rest)
    return f"{place}.{rest}"
