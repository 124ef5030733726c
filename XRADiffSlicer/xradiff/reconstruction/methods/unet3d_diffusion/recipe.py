"""What a network is and how it was trained: travels with the weights, as JSON in their file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ....checks import check_choice, check_range
from ....config import config_from
from ....errors import InputError
from ...published import PUBLISHED_EDGE_MM, SIDES
from ...samplers import NoiseSchedule

__all__ = ["TIME_STEPS", "NetworkConfig", "Recipe"]

TIME_STEPS = 1000
GEOMETRIES = ("patient", "published")
NORMS = ("batch", "instance")


@dataclass(frozen=True)
class NetworkConfig:
    """Size of the network; the defaults are the paper's (table 3: 811,030,625 parameters).

    Attributes:
        size: voxels along each edge of the cubic volume.
        channels: channels of each level of the U-Net, finest first.
        attention: which of the levels attend to the condition on the way down, finest first.
        attention_up: the same on the way up, coarsest first; the middle always attends.
        layers_per_block: residual blocks a level (one more on the way up).
        norm_groups: groups of each group normalisation; divides every channel count.
        head_size: channels of an attention head; divides the channels of attending levels.
        token_size: length of the condition vector.
        encoder_channels: channels of the three encoders.
        views: projection encoders; 0 conditions on the backprojection alone ("no projections").
        patch: voxels along each edge of the blocks that enter and leave the U-Net as channels (1 in the paper): it
            then works on (size / patch)^3 places, patch^3 times fewer.
        vessels: whether it answers with logits of the vessels, the backprojection added, instead of what the paper
            predicts; needs the recipe's prediction "sample". Its loss is cross-entropy + soft Dice. The noisy volume
            enters times cos(pi/2 (t + 1) / 1000), about the signal that is left, so that pure noise disturbs nothing.
        encoder_norm: of the backprojection's encoder: "batch" (the paper's) or "instance", for batches of few cases.

    Raises:
        InputError: a number outside its range, or numbers that do not fit together.
    """

    size: int = 60
    channels: tuple[int, ...] = (32, 64, 128, 256, 512, 1024)
    attention: tuple[bool, ...] = (False, False, False, False, True, False)
    attention_up: tuple[bool, ...] = (False, True, False, False, False, False)
    layers_per_block: int = 5
    norm_groups: int = 32
    head_size: int = 64
    token_size: int = 1024
    encoder_channels: int = 64
    views: int = 2
    patch: int = 1
    vessels: bool = False
    encoder_norm: str = "batch"

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", tuple(int(count) for count in self.channels))
        for name in ("attention", "attention_up"):
            object.__setattr__(self, name, tuple(bool(value) for value in getattr(self, name)))
            if len(getattr(self, name)) != len(self.channels):
                raise InputError(
                    f"{name} must hold {len(self.channels)} values, one a level, got {getattr(self, name)}"
                )
        counts = ("size", "layers_per_block", "norm_groups", "head_size", "token_size", "encoder_channels")
        for name in counts:
            check_range(name, getattr(self, name), 1, 65_536)
        check_range("views", self.views, 0, 8)
        check_range("patch", self.patch, 1, 8)
        if self.size % self.patch:
            raise InputError(f"size must be a multiple of patch {self.patch}, got {self.size}")
        check_choice("encoder_norm", self.encoder_norm, NORMS)
        for count in self.channels:
            if count < 1 or count % self.norm_groups:
                raise InputError(f"channels must be multiples of norm_groups {self.norm_groups}, got {self.channels}")
        attending = {*zip(self.channels, self.attention, strict=True), (self.channels[-1], True)}
        attending |= {*zip(self.channels[::-1], self.attention_up, strict=True)}
        if any(attends and count % self.head_size for count, attends in attending):
            raise InputError(f"channels of attending levels must be multiples of head_size ({self.head_size})")


@dataclass(frozen=True)
class Recipe:
    """What a weight file was trained as; a reconstruction must do the same.

    Attributes:
        network: the network.
        spacing_mm: voxel edge of its volume. 1.7067 is the paper's: 128 voxels of 0.8 mm as 60.
        geometry: "patient" (DICOM geometry, grid centred on the tree) or "published" (that of the
            authors' weights; see published.py).
        view_size: pixels along each edge that masks are resampled to for the projection encoders.
        schedule: noise schedule of the training, a name of `NoiseSchedule`.
        train_steps: its number of time steps.
        prediction: what the network predicts: "epsilon" (the noise, as published), "sample" or "v_prediction".
        zero_terminal_snr: whether its last time step is pure noise.
        drop_probability: how likely a case of the training loses its condition, so that guidance can be used.
        pure_noise: how often a case of the training is shown at the last time step, where a sampler begins and most
            is decided, instead of at a drawn one (0 in the paper).
        dropout: of the U-Net's temporal convolutions in the training (0.1 in diffusers).
        steps, guidance, quantile: settings of the method that these weights are best sampled with.
        side: "left", "right" or "both" (side-agnostic).
        source: where the weights come from, one sentence.

    Raises:
        InputError: a value outside its range, or a published geometry with another cube than theirs.
    """

    network: NetworkConfig = field(default_factory=NetworkConfig)
    spacing_mm: float = PUBLISHED_EDGE_MM / 60
    geometry: str = "patient"
    view_size: int = 512
    schedule: str = "squaredcos_cap_v2"
    train_steps: int = TIME_STEPS
    prediction: str = "epsilon"
    zero_terminal_snr: bool = False
    drop_probability: float = 0.1
    pure_noise: float = 0.0
    dropout: float = 0.1
    steps: int = 10
    guidance: float = 7.5
    quantile: float = 0.99
    side: str = "both"
    source: str = ""

    def __post_init__(self) -> None:
        check_range("spacing_mm", self.spacing_mm, 0.05, 20, unit="mm")
        check_choice("geometry", self.geometry, GEOMETRIES)
        check_range("view_size", self.view_size, 1, 8192)
        _ = self.noise_schedule
        if self.network.vessels and (self.prediction, self.train_steps) != ("sample", TIME_STEPS):
            raise InputError(
                f"a network of vessels needs the prediction sample and {TIME_STEPS} time steps, got {self.prediction} "
                f"and {self.train_steps}"
            )
        for name in ("drop_probability", "pure_noise", "dropout"):
            check_range(name, getattr(self, name), 0, 1)
        check_range("steps", self.steps, 1, self.train_steps)
        check_range("guidance", self.guidance, 0, 100)
        check_range("quantile", self.quantile, 0, 0.9999)
        check_choice("side", self.side, SIDES)
        if self.geometry == "published" and not math.isclose(self.spacing_mm * self.network.size, PUBLISHED_EDGE_MM):
            raise InputError(
                f"the published geometry has a cube of {PUBLISHED_EDGE_MM:g} mm, got {self.network.size} voxels of "
                f"{self.spacing_mm:g} mm"
            )

    @property
    def noise_schedule(self) -> NoiseSchedule:
        """The schedule of the training, and by default of the sampling."""
        return NoiseSchedule(self.schedule, self.train_steps, self.prediction, self.zero_terminal_snr)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary; `from_json` is the way back."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Recipe:
        """Return the recipe of a dictionary.

        Raises:
            InputError: an unknown key or a value that is not accepted.
        """
        try:
            network = config_from(NetworkConfig, values.get("network", {}))
            return config_from(cls, {**values, "network": network})
        except (AttributeError, TypeError, ValueError) as error:
            raise InputError(f"the recipe of the weights cannot be read: {error}") from None
