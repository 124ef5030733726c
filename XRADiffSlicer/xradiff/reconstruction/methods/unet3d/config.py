"""Settings of the method."""

from __future__ import annotations

from dataclasses import dataclass

from ....config import check_config, setting

__all__ = ["Unet3dConfig"]


@dataclass(frozen=True)
class Unet3dConfig:
    """Settings of the method."""

    weights: str = setting(
        "auto",
        "Name or path of the weights; auto takes unet3d_left or unet3d_right where the side is given and they are "
        "there, else unet3d_both.",
    )

    def __post_init__(self) -> None:
        check_config(self)
