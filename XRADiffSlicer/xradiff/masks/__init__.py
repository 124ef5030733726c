"""Stage 2, frames -> vessel masks."""

from .binary import binary_mask, with_masks

__all__ = ["binary_mask", "with_masks"]
