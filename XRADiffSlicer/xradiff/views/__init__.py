"""Stage 1, files -> AngiogramView: pixels and acquisition facts. Nothing here computes geometry."""

from .geometry_json import acquisition_from, read_geometry_json
from .opening import Opening, opening_of
from .read import read_view
from .run import AngiogramRun, read_run, view_of
from .together import check_runs

__all__ = [
    "AngiogramRun",
    "Opening",
    "acquisition_from",
    "check_runs",
    "opening_of",
    "read_geometry_json",
    "read_run",
    "read_view",
    "view_of",
]
