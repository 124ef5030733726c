"""Stage 2, frames -> vessel masks."""

from .binary import binary_mask, with_masks
from .frames import FrameChoice, choose_frames

__all__ = ["FrameChoice", "binary_mask", "choose_frames", "with_masks"]
