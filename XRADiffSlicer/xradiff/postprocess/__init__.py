"""Stage 7, volume -> clean volume: threshold, isolated voxels, gaps, components (XRA-Diff 2.5)."""

from .clean import postprocess, segmentation, surface_field
from .components import keep_components, remove_small_components
from .config import PostprocessConfig
from .gaps import close_gaps
from .isolated import count_neighbours, remove_isolated
from .threshold import adaptive_threshold, apply_threshold

__all__ = [
    "PostprocessConfig",
    "adaptive_threshold",
    "apply_threshold",
    "close_gaps",
    "count_neighbours",
    "keep_components",
    "postprocess",
    "remove_isolated",
    "remove_small_components",
    "segmentation",
    "surface_field",
]
