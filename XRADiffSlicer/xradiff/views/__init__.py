"""Stage 1, files -> AngiogramView: pixels and acquisition facts. Nothing here computes geometry.

The parts are loaded when they are first used: geometry alone needs neither pydicom nor scipy, whose loading an
application would feel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import loads_on_demand

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

_HOMES = {"check_runs": "together", "read_view": "read", "Opening": "opening", "opening_of": "opening"}
_HOMES |= dict.fromkeys(("acquisition_from", "read_geometry_json"), "geometry_json")
_HOMES |= dict.fromkeys(("AngiogramRun", "read_run", "view_of"), "run")
__getattr__ = loads_on_demand(__name__, _HOMES)
