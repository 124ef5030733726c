"""What weights are and how they were trained: travels with them, as JSON in their file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from ....checks import check_choice, check_range
from ....config import config_from
from ....errors import InputError

__all__ = ["Recipe"]

SIDES = ("both", "left", "right")
THIN_MM, THICK_MM = 0.6, 1.2
"""Radii up to which `thin_threshold` holds and from which `threshold` does; linear between."""


@dataclass(frozen=True)
class Recipe:
    """Size of the network, of the voxels, and the diffusion.

    Attributes:
        spacing_mm: voxel of the result; the network works on blocks of 2 x 2 x 2.
        truth_parts: 1 where a voxel counts as vessel if its centre lies in one; 2 where any of the centres of its 2^3
            parts does, as a coarse start needs it, which must not lose thin vessels.
        start: name of the weights of a coarse start that says where to look; "" where all voxels are looked at.
        channels: of each level of the U-Net, finest first; every level halves the resolution.
        view_channels: of the encoding of one view at one voxel.
        child_channels: of the head that tells the 8 voxels of a block apart.
        train_steps: time steps T of the diffusion.
        schedule: its noise schedule, rescaled to end in pure noise (Lin et al. 2024, arXiv:2305.08891).
        drop_probability: how likely a case loses its condition in training (classifier-free guidance).
        learning_rate: of AdamW.
        side: "both", or the one side that it was trained for.
        threshold: probability from which a voxel counts as vessel, chosen on validation cases.
        thin_threshold: the same where the masks' vessels are thin (see `thresholds`); 0 is `threshold`.
        source: where the weights come from, one sentence.

    Raises:
        InputError: a value outside its range.
    """

    spacing_mm: float = 0.5
    truth_parts: int = 1
    start: str = ""
    channels: tuple[int, ...] = (32, 48, 64, 96, 128)
    view_channels: int = 32
    child_channels: int = 24
    train_steps: int = 1000
    schedule: str = "squaredcos_cap_v2"
    drop_probability: float = 0.1
    learning_rate: float = 3e-3
    side: str = "both"
    threshold: float = 0.5
    thin_threshold: float = 0.0
    source: str = ""

    def __post_init__(self) -> None:
        value = self.channels
        try:
            channels = tuple(int(word) for word in (value.split(",") if isinstance(value, str) else value))
        except (TypeError, ValueError):
            raise InputError(f"channels must be whole numbers, as 32,48,64; got {value!r}") from None
        if not 1 <= len(channels) <= 7 or not all(4 <= count <= 1024 for count in channels):
            raise InputError(f"channels must be 1 to 7 numbers of 4 to 1024, got {channels}")
        object.__setattr__(self, "channels", channels)
        check_range("spacing_mm", self.spacing_mm, 0.1, 5, unit="mm")
        check_range("truth_parts", self.truth_parts, 1, 2)
        for name in ("view_channels", "child_channels"):
            check_range(name, getattr(self, name), 4, 1024)
        check_range("train_steps", self.train_steps, 1, 100_000)
        check_range("drop_probability", self.drop_probability, 0, 1)
        check_range("learning_rate", self.learning_rate, 0, 1, open_minimum=True)
        check_choice("side", self.side, SIDES)
        check_range("threshold", self.threshold, 0, 1, open_minimum=True)
        check_range("thin_threshold", self.thin_threshold, 0, 1)

    def thresholds(self, radius_mm: Tensor) -> Tensor:
        """Return the threshold of voxels where the masks' vessels have such radii (any shape, mm).

        A voxel beside the middle of a thin vessel misses all of it: thin ones are kept where they are less sure.
        """
        thick = ((radius_mm - THIN_MM) / (THICK_MM - THIN_MM)).clamp(0, 1)
        thin = self.thin_threshold or self.threshold
        return thin + (self.threshold - thin) * thick

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
