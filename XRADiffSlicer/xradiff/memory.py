"""Refuse work that does not fit into memory before allocating for it."""

from __future__ import annotations

from .errors import InputError

__all__ = ["available_bytes", "check_memory"]


def available_bytes() -> int:
    """Return how much memory can be allocated without swapping, in bytes."""
    import psutil  # in Slicer it may be installed later than this module is loaded

    return int(psutil.virtual_memory().available)


def check_memory(needed_bytes: float, purpose: str, advice: str) -> None:
    """Raise when `needed_bytes` is more than is available.

    Raises:
        InputError: says what it is for, what it needs, what there is and the `advice`.
    """
    available = available_bytes()
    if needed_bytes > available:
        raise InputError(
            f"{purpose} needs about {needed_bytes / 2**30:.1f} GB of memory, "
            f"{available / 2**30:.1f} GB are available; {advice}"
        )
