"""Settings of the visual hull."""

from __future__ import annotations

from dataclasses import dataclass

from ....config import check_config, setting

__all__ = ["VisualHullConfig"]


@dataclass(frozen=True)
class VisualHullConfig:
    """Settings of the visual hull."""

    tolerance_mm: float = setting(
        0.05,
        "How far outside a mask a voxel may project and still belong.",
        minimum=0,
        maximum=20,
        unit="mm",
        basic=True,
    )
    output: str = setting(
        "soft",
        "Soft keeps sub-voxel edges (minimum of the backprojections), hard gives 0 or 1.",
        choices=("soft", "hard"),
        basic=True,
    )

    def __post_init__(self) -> None:
        check_config(self)
