"""Settings of the method; the variants of the paper's ablation (sec. 3.2) are among them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ....config import check_config, setting

if TYPE_CHECKING:  # listing the settings loads no network
    from .recipe import Recipe

__all__ = ["Unet3dDiffusionConfig"]


@dataclass(frozen=True)
class Unet3dDiffusionConfig:
    """Settings of the method. A number of -1 takes what the weights recommend: for the authors' the paper's."""

    weights: str = setting(
        "auto",
        "Name or path of the weights; auto takes unet3d_diffusion_left or _right where the side is given and they are "
        "there, else unet3d_diffusion_both.",
    )
    steps: int = setting(
        -1,
        "Number n of denoising steps; -1: as the weights recommend (published: 10).",
        minimum=-1,
        maximum=1000,
        basic=True,
    )
    guidance: float = setting(
        -1.0,
        "Guidance scale gamma: 1 is without guidance, more follows the views closer; -1: as the weights recommend "
        "(published: 7.5).",
        minimum=-1,
        maximum=100,
        basic=True,
    )
    samples: int = setting(1, "Number of samples that are drawn and averaged.", minimum=1, maximum=64, basic=True)
    quantile: float = setting(
        -1.0,
        "Fraction delta of all voxels that get a probability below 0.5 (eq. 4); 0 takes the network's values as "
        "probabilities; -1: as the weights recommend (published: 0.99).",
        minimum=-1,
        maximum=0.9999,
    )
    schedule: str = setting(
        "training",
        "Noise schedule of the sampling: that of the training, or linear as the authors' program samples.",
        choices=("training", "linear"),
    )
    clip: bool = setting(
        True,
        "Whether each step's estimate of the volume is clipped to -1..1; false as in the authors' program.",
    )
    precision: str = setting(
        "auto",
        "Arithmetic of the network: auto is bfloat16 on a GPU and float32 on a CPU, where bfloat16 is faster only on "
        "processors that have it.",
        choices=("auto", "float32", "bfloat16"),
    )

    def __post_init__(self) -> None:
        check_config(self)

    def completed(self, recipe: Recipe) -> Unet3dDiffusionConfig:
        """Return the settings with what weights of `recipe` recommend in place of -1."""
        return replace(
            self,
            steps=recipe.steps if self.steps < 0 else self.steps,
            guidance=recipe.guidance if self.guidance < 0 else self.guidance,
            quantile=recipe.quantile if self.quantile < 0 else self.quantile,
        )
