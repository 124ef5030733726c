"""Settings of the method."""

from __future__ import annotations

from dataclasses import dataclass

from ....checks import check_range
from ....config import check_config, setting

__all__ = ["SparseDiffusionConfig"]


@dataclass(frozen=True)
class SparseDiffusionConfig:
    """Settings of the method; what was measured of them is in README.md."""

    weights: str = setting(
        "auto",
        "Name or path of the weights; auto takes sparse_diffusion_left or _right where the side is given and they are "
        "there, else sparse_diffusion_both.",
    )
    steps: int = setting(1, "Number n of denoising steps.", minimum=1, maximum=1000)
    passes: int = setting(
        1,
        "How often the network is asked at each step, each time shown its answer before.",
        minimum=1,
        maximum=20,
    )
    moved_passes: int = setting(
        7,
        "How often it is then asked on blocks moved by a voxel, each time in another direction and shown the answer "
        "before; the mean of the last four answers, of all if they are fewer, is taken. 0 is never.",
        minimum=0,
        maximum=7,
    )
    samples: int = setting(
        1,
        "Number of samples that are drawn and averaged, of more than one in 2 steps at least and with 1 pass on moved "
        "blocks at most; their standard deviation is the uncertainty.",
        minimum=1,
        maximum=64,
        basic=True,
    )
    guidance: float = setting(
        1.0, "Guidance scale gamma: 1 is without guidance, more follows the views closer.", minimum=0, maximum=100
    )
    mask_guidance: int = setting(
        5,
        "How often an answer is pushed towards a vessel on the ray of every pixel of the masks before it is shown "
        "to the network again; 0 is not at all.",
        minimum=0,
        maximum=1000,
    )
    least_coverage: float = setting(
        0.85,
        "Share of each mask that the answer must explain; where it does not, every pixel still empty gets its "
        "likeliest voxel, beside a vessel if it can be. 0 is never, 1 practically always; nothing is done where "
        "mask_guidance is 0.",
        minimum=0,
        maximum=1,
        basic=True,
    )
    tolerance_mm: str = setting(
        "auto",
        "By how many mm the masks may disagree; auto takes what calibration leaves, at least 0.25, which is half a "
        "voxel, also with calibration off.",
    )
    coarse_start: str = setting(
        "auto",
        "Whether a network on voxels of 1 mm first says where to look at all; auto: always where the weights were "
        "trained on that, as the shipped ones were, else where the masks allow more than 100,000 blocks.",
        choices=("auto", "never", "always"),
    )
    connect_mm: float = setting(
        10.0,
        "Gaps up to this long are bridged where all masks allow it and the probability is at least 0.08; 0 bridges "
        "none.",
        minimum=0,
        maximum=30,
        unit="mm",
        basic=True,
    )
    largest_ghost_mm3: float = setting(
        15.0,
        "Parts smaller than this that hang in the air are left out where larger ones hide 80 % of them or more in all "
        "views, or in all but one; 0 leaves out none. Nothing is left out where pixels of any sample had to be filled "
        "(least_coverage, which is measured before).",
        minimum=0,
        maximum=1000,
        unit="mm3",
    )
    precision: str = setting(
        "auto",
        "Arithmetic of the network: auto is bfloat16 on a GPU and on processors that multiply such matrices, else "
        "float32.",
        choices=("auto", "float32", "bfloat16"),
    )

    def __post_init__(self) -> None:
        check_config(self)
        if self.tolerance_mm != "auto":
            object.__setattr__(self, "tolerance_mm", f"{self.tolerance:g}")

    @property
    def tolerance(self) -> float | None:
        """The tolerance in mm; None for that of the calibration."""
        if self.tolerance_mm == "auto":
            return None
        return check_range("tolerance_mm (auto or a number)", self.tolerance_mm, 0, 10, unit="mm")  # type: ignore[arg-type]
