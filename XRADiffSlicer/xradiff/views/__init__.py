"""Stage 1, files -> AngiogramView: pixels and acquisition facts. Nothing here computes geometry."""

from .geometry_json import acquisition_from, read_geometry_json
from .read import read_view

__all__ = ["acquisition_from", "read_geometry_json", "read_view"]
