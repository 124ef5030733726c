"""The generator of XRA-Diff's authors, for their weights alone: DeepCA's (Wang et al. 2025), one level shallower.

A U-Net of three levels; at its bottom a convolution block and a transformer run side by side.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, max_pool3d, pad, relu

__all__ = ["PUBLISHED_FILTERS", "PublishedGenerator3D", "our_names"]

PUBLISHED_FILTERS = 64
BOTTOM = 8  # voxels along the coarsest level of the cube of 64
TOKENS = BOTTOM * BOTTOM * (BOTTOM + 2)
BLOCKS, HEADS = 8, 8
DROPPED = ("discriminator.", "generator.viTrans.trans.attention_pool.", "generator.viTrans.trans.positional_emb")
"""The critic, and what their transformer holds and does not use."""
RENAMED = (
    (r"down(\d)\.conv_block\.conv_block\.", lambda found: f"down.{int(found[1]) - 1}."),
    (r"up(\d)\.sample\.", lambda found: f"up.{int(found[1]) - 2}.0."),
    (r"up(\d)\.conv_block\.conv_block\.", lambda found: f"up.{int(found[1]) - 2}.1."),
    (r"(bridge|combine)\.conv_block\.", r"\1."),
    (r"conv_class\.", "out."),
    (r"viTrans\.tokenizer\.conv_layers\.0\.0\.", "transformer.tokens."),
    (r"viTrans\.trans\.blocks\.(\d)\.(?:self_attn\.)?", r"transformer.blocks.\1."),
    (r"viTrans\.trans\.", "transformer."),
)


class Block(nn.Module):
    """Attention, then two linear layers, each beside its input; normalisation before and between."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.pre_norm, self.norm1 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.qkv = nn.Linear(channels, 3 * channels, bias=False)
        self.multi_attn = nn.MultiheadAttention(channels, HEADS, batch_first=True, bias=False)
        self.linear1, self.linear2 = nn.Linear(channels, 4 * channels), nn.Linear(4 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.qkv(self.pre_norm(x)).chunk(3, dim=-1)
        attended: Tensor = self.multi_attn(query, key, value, need_weights=False)[0]
        x = self.norm1(x + attended)
        return x + self.linear2(gelu(self.linear1(x)))


class Transformer(nn.Module):
    """(B, C, 8, 8, 8) -> the same shape. One token a voxel and zeros at both ends of the last axis, as published."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.tokens = nn.Conv3d(channels, channels, 1, bias=False)
        self.blocks = nn.ModuleList(Block(channels) for _ in range(BLOCKS))
        self.norm = nn.LayerNorm(channels)
        self.final_linear = nn.Linear(TOKENS, BOTTOM**3)

    def forward(self, x: Tensor) -> Tensor:
        tokens = pad(relu(self.tokens(x)), (1, 1)).flatten(2).transpose(1, 2)
        for block in self.blocks:
            tokens = block(tokens)
        mixed = self.norm(tokens).reshape(len(x), -1, TOKENS)  # not transposed back: their weights expect this order
        answer: Tensor = self.final_linear(mixed)
        return answer.view(x.shape)


class PublishedGenerator3D(nn.Module):
    """Backprojection (B, 1, 64, 64, 64) -> occupancy in [0, 1] of that shape."""

    def __init__(self, filters: int) -> None:
        super().__init__()
        f = filters
        self.down = nn.ModuleList([_convolutions(1, f), _convolutions(f, 2 * f), _convolutions(2 * f, 8 * f)])
        self.bridge = _convolutions(8 * f, 8 * f)
        self.transformer = Transformer(8 * f)
        self.combine = _convolutions(16 * f, 16 * f)
        self.up = nn.ModuleList(
            nn.ModuleList([nn.ConvTranspose3d(n * f, n * f, 2, stride=2), _convolutions(n * f * 3 // 2, out * f)])
            for n, out in ((16, 4), (4, 2), (2, 1))
        )
        self.out = nn.Conv3d(f, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        skips: list[Tensor] = []
        for level in self.down:
            skips.append(level(x))
            x = max_pool3d(skips[-1], 2)
        x = self.combine(torch.cat([self.bridge(x), self.transformer(x)], dim=1))
        for level in self.up:
            larger, convolutions = cast("nn.ModuleList", level)
            x = convolutions(torch.cat([larger(x), skips.pop()], dim=1))
        answer: Tensor = self.out(x).sigmoid()
        return answer


def _convolutions(inputs: int, outputs: int) -> nn.Sequential:
    """Return twice convolution, instance normalisation, ReLU."""
    parts: list[nn.Module] = []
    for channels in (inputs, outputs):
        convolution = nn.Conv3d(channels, outputs, 3, padding=1)
        parts += [convolution, nn.InstanceNorm3d(outputs, affine=True), nn.ReLU()]
    return nn.Sequential(*parts)


def our_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the generator's tensors of the authors' checkpoint by the names of `PublishedGenerator3D`."""
    renamed = {}
    for name, tensor in state.items():
        if name.startswith(DROPPED):
            continue
        name = name.removeprefix("generator.")
        for pattern, ours in RENAMED:
            name = re.sub(f"^{pattern}", ours, name)
        renamed[name] = tensor
    return renamed
