"""The noise predictor (paper sec. 2.4, table 3): a 3D U-Net that sees the backprojection and one token.

The U-Net is diffusers'. Its input has two channels, the noisy volume and the backprojection; its
token is the sum of the encodings of the backprojection and of each view, injected by cross-attention.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from diffusers.models.unets.unet_3d_condition import UNet3DConditionModel
from torch import Tensor, nn

from ....errors import InputError
from .recipe import TIME_STEPS, NetworkConfig

__all__ = ["Condition", "NoisePredictor3D", "empty_network"]

FIRST_GAIN = 8.0


def _instance_norm(channels: int) -> nn.Module:
    return nn.InstanceNorm3d(channels, affine=True)


NORMS: dict[str, Callable[[int], nn.Module]] = {"batch": nn.BatchNorm3d, "instance": _instance_norm}


@dataclass(frozen=True, eq=False)
class Condition:
    """What the network is told about each of B cases.

    Attributes:
        token: (B, 1, token_size) sum of the encodings.
        backprojection: (B, 1, D, H, W), the second input channel.
    """

    token: Tensor
    backprojection: Tensor

    def repeated(self, times: int) -> Condition:
        """Return each case `times` times, one after the other."""
        return Condition(
            self.token.repeat_interleave(times, dim=0), self.backprojection.repeat_interleave(times, dim=0)
        )

    def joined(self, other: Condition) -> Condition:
        """Return these cases followed by those of `other`."""
        token = torch.cat([self.token, other.token])
        return Condition(token, torch.cat([self.backprojection, other.backprojection]))

    def part(self, cases: slice) -> Condition:
        """Return some of the cases."""
        return Condition(self.token[cases], self.backprojection[cases])


class BackprojectionEncoder(nn.Module):
    """(B, 1, D, H, W) -> (B, token): three 3D convolutions, global average, linear."""

    def __init__(self, channels: int, token_size: int, norm: str) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(1, channels, 3, padding=1)
        self.conv2 = nn.Conv3d(channels, channels, 3, padding=1)
        self.conv3 = nn.Conv3d(channels, channels, 3, padding=1)
        self.norm1, self.norm2 = NORMS[norm](channels), NORMS[norm](channels)
        self.pool = nn.AdaptiveAvgPool3d(1)
        self.fc = nn.Linear(channels, token_size)
        self.activation = nn.GELU()

    def forward(self, volume: Tensor) -> Tensor:
        features = self.activation(self.norm1(self.conv1(volume)))
        features = self.conv3(self.activation(self.norm2(self.conv2(features))))
        token: Tensor = self.fc(self.pool(features).flatten(1))
        return token


class ViewEncoder(nn.Module):
    """(B, 1, H, W) -> (B, token): three 2D convolutions, global average, linear."""

    def __init__(self, channels: int, token_size: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv3 = nn.Conv2d(channels, channels, 3, padding=1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels, token_size)
        self.activation = nn.GELU()

    def forward(self, image: Tensor) -> Tensor:
        features = image
        for convolution in (self.conv1, self.conv2, self.conv3):
            features = self.activation(convolution(features))
        token: Tensor = self.fc(self.pool(features).flatten(1))
        return token


class NoisePredictor3D(nn.Module):
    """Predicts the noise in a volume; `encode` runs once a case, `forward` once a step."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.unet = _unet(config)
        self.backprojection_encoder = BackprojectionEncoder(
            config.encoder_channels, config.token_size, config.encoder_norm
        )
        encoders = [ViewEncoder(config.encoder_channels, config.token_size) for _ in range(config.views)]
        self.view_encoders = nn.ModuleList(encoders)
        if config.vessels:  # begins with the backprojection as its answer
            nn.init.zeros_(self.unet.conv_out.weight)
            nn.init.zeros_(self.unet.conv_out.bias)
            self.gain = nn.Parameter(torch.tensor(FIRST_GAIN))

    def encode(self, backprojection: Tensor, views: Tensor) -> Condition:
        """Return the condition of `backprojection` (B, 1, D, H, W) and `views` (B, P, H, W), all in [0, 1].

        Only the first `config.views` views are encoded (paper sec. 3.2, "number of projections").

        Raises:
            InputError: fewer views than encoders.
        """
        if views.shape[1] < len(self.view_encoders):
            raise InputError(f"the network encodes {len(self.view_encoders)} views, got {views.shape[1]}")
        token = self.backprojection_encoder(backprojection)
        for index, encoder in enumerate(self.view_encoders):
            token = token + encoder(views[:, index : index + 1])
        return Condition(token[:, None], backprojection)

    def encode_nothing(self, backprojection: Tensor, views: Tensor) -> Condition:
        """Return the condition of one case that was dropped: all zeros, encoded; see training.py."""
        return self.encode(torch.zeros_like(backprojection[:1]), torch.zeros_like(views[:1]))

    def forward(self, noisy: Tensor, times: Tensor, condition: Condition) -> Tensor:
        """Return the noise (B, 1, D, H, W) in `noisy` (B, 1, D, H, W) at time steps `times` (B,).

        Or what else the recipe predicts; with `config.vessels` logits: gain (b - 1/2) + the U-Net's answer, b the
        backprojection, so that an untrained network answers with the backprojection.
        """
        patch, given = self.config.patch, condition.backprojection.to(noisy.dtype)
        if self.config.vessels:
            noisy = noisy * torch.cos(torch.pi / 2 * (times + 1) / TIME_STEPS).view(-1, 1, 1, 1, 1)
        both = _into_patches(torch.cat([noisy, given], dim=1), patch)
        answer = _from_patches(self.unet(both, times, condition.token, return_dict=False)[0], patch)
        return self.gain * (given - 0.5) + answer if self.config.vessels else answer

    def predict(self, noisy: Tensor, times: Tensor, condition: Condition) -> Tensor:
        """Return `forward` as the sampler needs it: logits of vessels as their occupancy, 0 to 1."""
        answer: Tensor = self(noisy, times, condition)
        return answer.float().sigmoid() if self.config.vessels else answer


def empty_network(config: NetworkConfig) -> NoisePredictor3D:
    """Return the network on the meta device: shapes and counts without memory."""
    with torch.device("meta"):
        return NoisePredictor3D(config)


def _into_patches(volume: Tensor, patch: int) -> Tensor:
    """(B, C, D, H, W) -> (B, C patch^3, D / patch, H / patch, W / patch)."""
    if patch == 1:
        return volume
    cases, channels, size = volume.shape[:3]
    places = size // patch
    parts = volume.reshape(cases, channels, places, patch, places, patch, places, patch)
    return parts.permute(0, 1, 3, 5, 7, 2, 4, 6).flatten(1, 4)


def _from_patches(parts: Tensor, patch: int) -> Tensor:
    """Undo `_into_patches`."""
    if patch == 1:
        return parts
    cases, channels, *places = parts.shape
    volume = parts.reshape(cases, channels // patch**3, patch, patch, patch, *places).permute(0, 1, 5, 2, 6, 3, 7, 4)
    return volume.flatten(6, 7).flatten(4, 5).flatten(2, 3)


def _unet(config: NetworkConfig) -> UNet3DConditionModel:
    down = {False: "DownBlock3D", True: "CrossAttnDownBlock3D"}
    up = {False: "UpBlock3D", True: "CrossAttnUpBlock3D"}
    return UNet3DConditionModel(
        sample_size=config.size // config.patch,
        in_channels=2 * config.patch**3,
        out_channels=config.patch**3,
        down_block_types=tuple(down[attends] for attends in config.attention),
        up_block_types=tuple(up[attends] for attends in config.attention_up),
        block_out_channels=config.channels,
        layers_per_block=config.layers_per_block,
        norm_num_groups=config.norm_groups,
        cross_attention_dim=config.token_size,
        attention_head_dim=config.head_size,
    )
