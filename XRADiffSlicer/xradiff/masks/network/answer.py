"""A frame -> what the network says of it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from ...devices import choose_device
from ...errors import InputError
from ...weights import WeightsFile, open_weights, read_tensors
from ..config import SegmentationConfig
from ..frame_depth import LightFrames
from ..likely import Likely
from .channels import network_channels, resampled
from .presence import network_weights
from .recipe import NAME, Recipe
from .unet import VesselUNet2D

__all__ = ["network_vessels"]


def network_vessels(frames: LightFrames, frame: int, curve: Sequence[float], config: SegmentationConfig) -> Likely:
    """Return what the network says of a frame.

    Args:
        frames: the view.
        frame: index of the frame.
        curve: (N,) opacification of each frame, 1 in the best one.
        config: settings.

    Raises:
        InputError: a frame cannot be decoded, or the weights are damaged or do not fit.
        MissingDependencyError: weights or device are missing.
    """
    weights = open_weights(network_weights(config.weights), NAME)
    recipe = Recipe.from_json(weights.recipe)
    channels, note = network_channels(frames, frame, curve, recipe.spacing_mm)
    logits = _logits(channels, weights, recipe, choose_device(config.device, uses_torch=True).name)
    fine = resampled(logits, frames.usable.shape)
    probability = np.where(frames.usable, 1 / (1 + np.exp(-fine.clip(-30, 30))), 0).astype(np.float32)
    told = f"vessels were found by the network {weights.path.name}, SHA-256 {weights.sha256[:12]}"
    certain = probability >= max(config.certain, config.threshold)
    return Likely(probability, probability > config.threshold, certain, (told, note))


def _logits(channels: NDArray[np.float32], weights: WeightsFile, recipe: Recipe, device: str) -> NDArray[np.float32]:
    """Return the network's answer (rows, columns) to channels (C, rows, columns) of any size."""
    rows, columns = channels.shape[1:]
    pad = [(0, 0), *((0, -size % recipe.divisor) for size in (rows, columns))]
    given = torch.from_numpy(np.pad(channels, pad))[None].to(device)
    with torch.no_grad():
        answer = _network(weights, device)(given)[0, 0].float().cpu().numpy()
    if not np.isfinite(answer).all():
        raise InputError(f"the network {weights.path.name} gave values that are not finite; its weights are of no use")
    found: NDArray[np.float32] = answer[:rows, :columns]
    return found


def _network(weights: WeightsFile, device: str) -> VesselUNet2D:
    return _kept(weights.sha256, device, _Opened(weights))


class _Opened:
    """A weight file that counts as equal to every other: the checksum beside it tells them apart."""

    def __init__(self, weights: WeightsFile) -> None:
        self.weights = weights

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Opened)

    def __hash__(self) -> int:
        return 0


@lru_cache(maxsize=2)
def _kept(sha256: str, device: str, opened: _Opened) -> VesselUNet2D:
    """Return the network with its weights, ready to answer; kept, since runs come in pairs."""
    weights = opened.weights
    with torch.device("meta"):
        empty = VesselUNet2D(Recipe.from_json(weights.recipe))
    expected = {name: tuple(tensor.shape) for name, tensor in empty.state_dict().items()}
    empty.load_state_dict(read_tensors(weights, expected), assign=True)
    network = empty.float().eval().requires_grad_(False)
    return network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
