"""What a network is and how it was trained: travels with the weights, as JSON in their file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ....checks import check_range
from ....config import config_from
from ...cube_networks import channel_counts, check_cube

__all__ = ["Recipe"]


@dataclass(frozen=True)
class Recipe:
    """Size of the network and of its volume.

    The default, 1.46 million parameters, trains on a CPU. `channels` 64,128,256,512,1024 with
    `layers_per_level` 17 has about as many parameters as the paper's networks (see README.md).

    Attributes:
        size: voxels along each edge of the cubic volume; a multiple of 2 to the number of levels - 1.
        spacing_mm: voxel edge.
        channels: channels of each level, finest first; multiples of 8.
        layers_per_level: convolutions of each level, on the way down and again on the way up.
        learning_rate: of AdamW.
        source: where the weights come from, one sentence.

    Raises:
        InputError: a number outside its range, or numbers that do not fit together.
    """

    size: int = 64
    spacing_mm: float = 1.75
    channels: tuple[int, ...] = (16, 32, 64, 128)
    layers_per_level: int = 2
    learning_rate: float = 2e-3
    source: str = ""

    def __post_init__(self) -> None:
        channels = channel_counts(self.channels)
        object.__setattr__(self, "channels", channels)
        check_cube(self.size, self.spacing_mm, len(channels))
        check_range("layers_per_level", self.layers_per_level, 1, 32)
        check_range("learning_rate", self.learning_rate, 0, 1, open_minimum=True)

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
