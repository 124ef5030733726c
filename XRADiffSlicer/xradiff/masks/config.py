"""Settings of the segmentation of grey frames: `--set` of `segment`, `--set segmentation.KEY` of `reconstruct`."""

from __future__ import annotations

from dataclasses import dataclass

from ..checks import check_range
from ..config import check_config, setting
from ..devices import DEVICES

__all__ = ["METHODS", "SegmentationConfig"]

METHODS = ("auto", "network", "ridge")


@dataclass(frozen=True)
class SegmentationConfig:
    """Settings of `segment_frame`.

    Raises:
        InputError: a value outside its range.
    """

    method: str = setting("auto", "How vessels are found; auto: the network where it is installed.", choices=METHODS)
    weights: str = setting("segmentation", "Network: a weight file, by name or path.")
    device: str = setting("auto", "Network: where it runs.", choices=DEVICES)
    threshold: float = setting(0.5, "Network: probability from which a pixel is vessel.", minimum=0.01, maximum=0.99)
    certain: float = setting(0.8, "Network: a part must reach this probability.", minimum=0.0, maximum=1.0)
    high: float = setting(
        6.0, "Ridge: strength in SD of the noise that is vessel for certain.", minimum=0, maximum=1000
    )
    low: float = setting(3.0, "Ridge: strength that is vessel beside a certain one.", minimum=0, maximum=1000)
    edge: float = setting(0.25, "Ridge: share of a vessel's depth at which its edge lies.", minimum=0.1, maximum=0.9)
    suppress_catheter: bool = setting(True, "Ridge: even lines from the upper border are removed.")
    minimum_length_mm: float = setting(
        8.0, "Parts shorter than this in the patient are removed; 0 removes none.", minimum=0, maximum=1000, unit="mm"
    )

    def __post_init__(self) -> None:
        check_config(self)
        check_range("low", self.low, 0, self.high)
