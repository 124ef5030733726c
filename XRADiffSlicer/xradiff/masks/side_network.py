"""The network that tells left from right coronary trees, and what it is shown: small pictures of masks, and angles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..datatypes import AngiogramView

__all__ = ["PICTURE_PX", "SideNetwork", "angles_of", "logit_of", "picture_of", "shapes_of"]

PICTURE_PX, PIXEL_MM = 96, 1.3
CHANNELS = (16, 32, 48, 64, 80)
_HIDDEN = 80
_GROUP = 8


def picture_of(view: AngiogramView) -> NDArray[np.float32]:
    """Return the share (96, 96) of each pixel, 1.3 mm in the patient, that is vessel; around the mask's middle."""
    mask, taken = view.vessel_mask(), view.acquisition
    at_patient = np.asarray(taken.pixel_spacing_mm) * taken.sod_mm / taken.sid_mm
    places = np.argwhere(mask) * at_patient
    if not len(places):
        return np.zeros((PICTURE_PX, PICTURE_PX), np.float32)
    pixel = np.floor((places - places.mean(axis=0)) / PIXEL_MM + PICTURE_PX / 2).astype(np.int64)
    pixel = pixel[((pixel >= 0) & (pixel < PICTURE_PX)).all(axis=1)]
    counts = np.bincount(pixel @ [PICTURE_PX, 1], minlength=PICTURE_PX**2).reshape(PICTURE_PX, PICTURE_PX)
    share: NDArray[np.float32] = (counts * (np.prod(at_patient) / PIXEL_MM**2)).clip(max=1).astype(np.float32)
    return share


def angles_of(view: AngiogramView) -> NDArray[np.float32]:
    """Return sine and cosine (4,) of the primary and of the secondary angle."""
    pair = np.deg2rad([view.acquisition.primary_deg, view.acquisition.secondary_deg])
    return np.stack([np.sin(pair), np.cos(pair)], axis=1).astype(np.float32).ravel()


class SideNetwork(nn.Module):
    """Pictures of one to any number of views -> logit that the tree is the left one.

    Each picture goes through the same convolutions, whose features its angles scale and shift (Perez et al. 2018,
    arXiv:1709.07871); the views' features are averaged.
    """

    def __init__(self) -> None:
        super().__init__()
        self.levels = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in pairwise((1, *CHANNELS)))
        self.norms = nn.ModuleList(nn.GroupNorm(count // _GROUP, count) for count in CHANNELS)
        self.angles = nn.Sequential(nn.Linear(4, 32), nn.SiLU(), nn.Linear(32, 2 * sum(CHANNELS)))
        places = (PICTURE_PX // 2 ** len(CHANNELS)) ** 2
        self.view = nn.Linear(CHANNELS[-1] * places, _HIDDEN)
        self.answer = nn.Sequential(nn.Linear(_HIDDEN + 1, 48), nn.SiLU(), nn.Linear(48, 1))

    def forward(self, pictures: Tensor, angles: Tensor) -> Tensor:
        """Return logits (B,).

        Args:
            pictures: (B, V, 96, 96) see `picture_of`.
            angles: (B, V, 4) see `angles_of`.
        """
        cases, views = pictures.shape[:2]
        features = pictures.reshape(cases * views, 1, PICTURE_PX, PICTURE_PX)
        turned = self.angles(angles.reshape(cases * views, 4)).split([2 * count for count in CHANNELS], dim=1)
        for level, norm, change in zip(self.levels, self.norms, turned, strict=True):
            scale, shift = change[:, :, None, None].chunk(2, dim=1)
            features = nn.functional.silu(norm(level(features)) * (1 + scale) + shift)
        seen = nn.functional.silu(self.view(features.flatten(1))).reshape(cases, views, -1).mean(dim=1)
        count = seen.new_full((cases, 1), math.log(views))
        logit: Tensor = self.answer(torch.cat([seen, count], dim=1))[:, 0]
        return logit


def logit_of(network: SideNetwork, views: Sequence[AngiogramView]) -> float:
    """Return the network's logit for the views of one tree."""
    pictures = torch.from_numpy(np.stack([picture_of(view) for view in views]))[None]
    angles = torch.from_numpy(np.stack([angles_of(view) for view in views]))[None]
    with torch.no_grad():
        return float(network(pictures, angles)[0])


def shapes_of(network: nn.Module) -> dict[str, Any]:
    """Return name and shape of all weights."""
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
