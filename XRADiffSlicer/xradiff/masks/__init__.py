"""Stage 2, frames -> vessel masks."""

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
