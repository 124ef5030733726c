"""Settings of the method; the variants of the paper's ablation (sec. 3.2) are among them."""

from __future__ import annotations

from dataclasses import dataclass

from ...config import check_config, setting

__all__ = ["Unet3dDiffusionConfig"]


@dataclass(frozen=True)
class Unet3dDiffusionConfig:
    """Settings of the method; the defaults are the paper's."""

    weights: str = setting(
        "auto",
        "Name or path of the weights; auto takes unet3d_diffusion_left or _right where the side is given and they are "
        "there, else unet3d_diffusion_both.",
    )
    steps: int = setting(10, "Number n of denoising steps.", minimum=1, maximum=1000)
    guidance: float = setting(
        7.5, "Guidance scale gamma: 1 is without guidance, more follows the views closer.", minimum=0, maximum=100
    )
    samples: int = setting(1, "Number of samples that are drawn and averaged.", minimum=1, maximum=64)
    quantile: float = setting(
        0.99,
        "Fraction delta of all voxels that get a probability below 0.5 (eq. 4); 0 takes the network's values as "
        "probabilities.",
        minimum=0,
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
