"""Progress reports: `progress(fraction, message)`, which is also where a run is cancelled.

Every long step receives such a callable. It may raise `Cancelled`; a step lets that pass.
"""

from __future__ import annotations

from typing import Protocol

__all__ = ["Progress", "silent", "stage"]


class Progress(Protocol):
    """Called with the finished fraction (0 to 1) and what is being done."""

    def __call__(self, fraction: float, message: str) -> None: ...


def silent(fraction: float, message: str) -> None:
    """Report nothing."""


def stage(progress: Progress, start: float, stop: float) -> Progress:
    """Map a step's own 0..1 onto the part `start`..`stop` of a longer run."""

    def report(fraction: float, message: str) -> None:
        progress(start + (stop - start) * min(max(fraction, 0.0), 1.0), message)

    return report
