"""What the networks are and how they were trained: travels with the weights, as JSON in their file."""

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
    """Size of the networks and of their volume, and the weights of the losses.

    Attributes:
        size: voxels along each edge of the cubic volume.
        spacing_mm: voxel edge.
        channels: channels of each level of the generator, finest first; multiples of 8. DeepCA has 64,128,256,512.
        critic_channels: those of the critic; each level halves the volume.
        critic_turns: critic steps for each step of the generator (2 in DeepCA).
        penalty: weight of the gradient penalty (10 in WGAN-GP and DeepCA).
        fidelity: weight of the mean absolute difference from the truth (100 in DeepCA).
        overlap: weight of cross-entropy + soft Dice beside it (0 in DeepCA): where few voxels are vessel, the mean
            absolute difference hardly changes with them.
        learning_rate: of Adam, for both (1e-4 in DeepCA, betas 0.5 and 0.9).
        source: where the weights come from, one sentence.

    Raises:
        InputError: a number outside its range, or numbers that do not fit together.
    """

    size: int = 64
    spacing_mm: float = 1.75
    channels: tuple[int, ...] = (16, 32, 64, 128)
    critic_channels: tuple[int, ...] = (16, 32, 64, 128)
    critic_turns: int = 2
    penalty: float = 10.0
    fidelity: float = 100.0
    overlap: float = 0.0
    learning_rate: float = 1e-4
    source: str = ""

    def __post_init__(self) -> None:
        for name in ("channels", "critic_channels"):
            object.__setattr__(self, name, channel_counts(getattr(self, name)))
        check_cube(self.size, self.spacing_mm, len(self.channels))
        check_cube(self.size, self.spacing_mm, len(self.critic_channels) + 1)
        check_range("critic_turns", self.critic_turns, 1, 100)
        check_range("penalty", self.penalty, 0, 1e6)
        check_range("fidelity", self.fidelity, 0, 1e6)
        check_range("overlap", self.overlap, 0, 1e6)
        check_range("learning_rate", self.learning_rate, 0, 1, open_minimum=True)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary; `from_json` is the way back."""
        lists = {"channels": list(self.channels), "critic_channels": list(self.critic_channels)}
        return asdict(self) | lists

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Recipe:
        """Return the recipe of a dictionary.

        Raises:
            InputError: an unknown key or a value that is not accepted.
        """
        return config_from(cls, values)
