"""Stage 2, frames -> vessel masks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import loads_on_demand

if TYPE_CHECKING:
    from .binary import binary_mask, with_masks
    from .config import SegmentationConfig
    from .frames import FrameChoice, choose_frames
    from .raw_views import read_views, segmented_view
    from .segmentation import VesselMaskResult, segment_frame
    from .side import SIDES, SideFinding, find_side

__all__ = [
    "SIDES",
    "FrameChoice",
    "SegmentationConfig",
    "SideFinding",
    "VesselMaskResult",
    "binary_mask",
    "choose_frames",
    "find_side",
    "read_views",
    "segment_frame",
    "segmented_view",
    "with_masks",
]

_HOMES = {"binary_mask": "binary", "with_masks": "binary", "FrameChoice": "frames", "choose_frames": "frames"}
_HOMES |= dict.fromkeys(("read_views", "segmented_view"), "raw_views")
_HOMES |= {"SegmentationConfig": "config", "VesselMaskResult": "segmentation", "segment_frame": "segmentation"}
_HOMES |= dict.fromkeys(("SIDES", "SideFinding", "find_side"), "side")
__getattr__ = loads_on_demand(__name__, _HOMES)
