"""What a network is and how it was trained: travels with the weights, as JSON in their file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ...checks import check_range
from ...config import config_from
from ...errors import InputError

__all__ = ["NAME", "Recipe"]

NAME = "segmentation"
"""What `train` and weight files call the network."""
_MOST_LEVELS = 8


@dataclass(frozen=True)
class Recipe:
    """Size of the network, of its pixels, and how it is trained.

    Attributes:
        spacing_mm: pixel in the patient; frames are resampled to it.
        channels: channels of each level, finest first.
        window_px: edge of the part of a frame that is kept for training; a multiple of 2 to the number of levels - 1.
        crop_px: edge of the crops of it that a step takes; a multiple as well.
        learning_rate: of AdamW.
        source: where the weights come from, one sentence.

    Raises:
        InputError: a number outside its range, or numbers that do not fit together.
    """

    spacing_mm: float = 0.3
    channels: tuple[int, ...] = (16, 32, 64, 96, 128)
    window_px: int = 384
    crop_px: int = 192
    learning_rate: float = 2e-3
    source: str = ""

    def __post_init__(self) -> None:
        words = self.channels.split(",") if isinstance(self.channels, str) else self.channels
        try:
            channels = tuple(int(word) for word in words)
        except (TypeError, ValueError):
            raise InputError(f"channels must be whole numbers, as 16,32,64; got {self.channels!r}") from None
        if not 1 <= len(channels) <= _MOST_LEVELS or not all(1 <= count <= 4096 for count in channels):
            raise InputError(f"channels must be 1 to {_MOST_LEVELS} numbers from 1 to 4096, got {channels}")
        object.__setattr__(self, "channels", channels)
        check_range("spacing_mm", self.spacing_mm, 0.05, 2, unit="mm")
        for name, most in (("window_px", 4096), ("crop_px", self.window_px)):
            if check_range(name, getattr(self, name), self.divisor, most, unit="px") % self.divisor:
                raise InputError(f"{name} must be a multiple of {self.divisor}, got {getattr(self, name)}")
        check_range("learning_rate", self.learning_rate, 0, 1, open_minimum=True)

    @property
    def divisor(self) -> int:
        """What rows and columns of an image must be a multiple of."""
        return int(2 ** (len(self.channels) - 1))

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary; `from_json` is the way back."""
        return asdict(self) | {"channels": list(self.channels)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Recipe:
        """Return the recipe of a dictionary.

        Raises:
            InputError: an unknown key or a value that is not accepted.
        """
        return config_from(cls, values)
