"""Frames whose vessels are known: what the network learns from and is measured with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..frame_depth import LightFrames
from .channels import CHANNELS, network_channels, resampled
from .recipe import Recipe

__all__ = ["LabelledCase", "LabelledFrame", "WindowExample"]

_SCALE_SD = 0.15  # how much (SD of the logarithm) the size of a pixel is varied
_KEPT = 200  # cases whose windows stay in memory, in half precision: about 1.9 GB


@dataclass(frozen=True, eq=False)
class LabelledFrame:
    """One frame of a view with its vessels.

    Attributes:
        frames: the view.
        frame: index of the frame.
        curve: (N,) opacification of each frame, 1 in the best one.
        mask: (rows, columns) vessel pixels of the frame.
    """

    frames: LightFrames
    frame: int
    curve: tuple[float, ...]
    mask: NDArray[np.bool_]


class LabelledCase(Protocol):
    """Frames that are made or read only when they are needed."""

    def labelled_frames(self) -> Sequence[LabelledFrame]:
        """Return the frames, the same number of them for every case.

        Raises:
            InputError: they cannot be used.
        """
        ...


class WindowExample:
    """Makes one window of each frame of a case; the size of a pixel is varied a little.

    volume    (K, 1, window, window)  share of each pixel that is vessel
    channels  (K, C, window, window)  see `network_channels`
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self._kept: dict[int, NDArray[np.float16]] = {}

    def __call__(self, case: LabelledCase, number: int) -> dict[str, Tensor]:
        windows = self._kept.get(number)
        if windows is None:
            rng = np.random.default_rng((number, 1))
            windows = np.stack([self._window(one, rng) for one in case.labelled_frames()])
            if len(self._kept) < _KEPT:
                self._kept[number] = windows
        stacked = torch.from_numpy(windows).float()
        return {"volume": stacked[:, CHANNELS:], "channels": stacked[:, :CHANNELS]}

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_kept": {}}

    def join(self, examples: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
        """Put the windows of all cases into one batch."""
        return {name: torch.cat([example[name] for example in examples]) for name in examples[0]}

    def _window(self, shown: LabelledFrame, rng: np.random.Generator) -> NDArray[np.float16]:
        """Return channels and vessels (C + 1, window, window): a random part, or all with zeros around."""
        spacing, edge = self.recipe.spacing_mm * float(np.exp(rng.normal() * _SCALE_SD)), self.recipe.window_px
        channels, _ = network_channels(shown.frames, shown.frame, shown.curve, spacing)
        vessel = resampled(shown.mask.astype(np.float32), channels.shape[1:])
        both = np.concatenate([channels, vessel[None]]).astype(np.float16)
        both = np.pad(both, [(0, 0), *((0, max(0, edge - size)) for size in vessel.shape)])
        row, column = (int(rng.integers(0, size - edge + 1)) for size in both.shape[1:])
        return both[:, row : row + edge, column : column + edge].copy()
