"""Settings of the method."""

from __future__ import annotations

from dataclasses import dataclass

from ....config import check_config, setting

__all__ = ["GanConfig"]


@dataclass(frozen=True)
class GanConfig:
    """Settings of the method."""

    weights: str = setting(
        "auto",
        "Name or path of the weights; auto takes gan_left or gan_right where the side is given and they are "
        "there, else gan_both.",
    )

    def __post_init__(self) -> None:
        check_config(self)
