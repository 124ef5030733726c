"""Refuse work that does not fit into memory before allocating for it."""

from __future__ import annotations

import os
import sys

from .errors import InputError

__all__ = ["available_bytes", "check_memory"]


def available_bytes() -> int:
    """Return how much memory can be allocated without swapping, in bytes.

    Slicer does not ship psutil; without it the system is asked where it answers (free pages on
    Linux, all pages on macOS), and elsewhere memory counts as unlimited.
    """
    try:
        import psutil
    except ImportError:
        return _pages() * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else sys.maxsize
    return int(psutil.virtual_memory().available)


def _pages() -> int:
    name = "SC_AVPHYS_PAGES" if "SC_AVPHYS_PAGES" in os.sysconf_names else "SC_PHYS_PAGES"
    return os.sysconf(name)


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
