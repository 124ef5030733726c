"""Where a result comes from: versions, inputs with checksums, settings, times. Kept in run.json."""

from __future__ import annotations

import importlib.metadata
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from . import __version__
from .datatypes import AngiogramView

__all__ = ["Stopwatch", "describe_view", "machine", "now", "versions"]

PACKAGES = ("numpy", "scipy", "SimpleITK", "pydicom", "vtk", "torch", "odl", "diffusers")


def versions() -> dict[str, str]:
    """Return the versions of xradiff, Python and the packages that are installed."""
    found = {"xradiff": __version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def machine() -> str:
    """Return the operating system and processor type; nothing that identifies the machine."""
    return f"{platform.system()} {platform.machine()}"


def now() -> str:
    """Return the current time, UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def describe_view(view: AngiogramView) -> dict[str, Any]:
    """Return a JSON-ready description of a view as given: files, frame, geometry, notes, segmentation; no pixels."""
    return {
        "name": view.name,
        "files": [asdict(file) for file in view.files],
        "frame": view.frame,
        "shape": list(view.shape),
        "acquisition": asdict(view.acquisition),
        "notes": list(view.notes),
        "segmented": None if view.segmented is None else asdict(view.segmented),
    }


@dataclass
class Stopwatch:
    """Seconds spent in each named part of a run."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Add the time spent in the block to `name`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - start
            self.seconds[name] = round(self.seconds.get(name, 0.0) + spent, 4)
