"""Stage 2, frames -> vessel masks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import loads_on_demand

if TYPE_CHECKING:
    from .binary import binary_mask, with_masks
    from .frames import FrameChoice, choose_frames
    from .raw_views import read_views, segmented_view
    from .segmentation import SegmentationConfig, VesselMaskResult, segment_frame

__all__ = [
    "FrameChoice",
    "SegmentationConfig",
    "VesselMaskResult",
    "binary_mask",
    "choose_frames",
    "read_views",
    "segment_frame",
    "segmented_view",
    "with_masks",
]

_HOMES = {"binary_mask": "binary", "with_masks": "binary", "FrameChoice": "frames", "choose_frames": "frames"}
_HOMES |= dict.fromkeys(("read_views", "segmented_view"), "raw_views")
_HOMES |= dict.fromkeys(("SegmentationConfig", "VesselMaskResult", "segment_frame"), "segmentation")
__getattr__ = loads_on_demand(__name__, _HOMES)
