"""Stage 1, files -> AngiogramView: pixels and acquisition facts. Nothing here computes geometry.

The parts are loaded when they are first used: geometry alone needs neither pydicom nor scipy, whose loading an
application would feel.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_PARTS = {
    "acquisition_from": "geometry_json",
    "read_geometry_json": "geometry_json",
    "Opening": "opening",
    "opening_of": "opening",
    "read_view": "read",
    "AngiogramRun": "run",
    "read_run": "run",
    "view_of": "run",
    "check_runs": "together",
}


def __getattr__(name: str) -> Any:
    """Load the part that holds `name`."""
    if name not in _PARTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_PARTS[name]}", __name__), name)
