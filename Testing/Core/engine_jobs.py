"""Jobs for the tests of the engine; in a file of their own because workers import them."""

from __future__ import annotations

import os
from pathlib import Path


def square(folder: str, number: int) -> None:
    """Write number^2 into a file."""
    (Path(folder) / f"{number}.txt").write_text(str(number**2))


def die_once(folder: str, number: int) -> None:
    """End the worker process at the first try of job 3, as the kernel does when memory runs out."""
    marker = Path(folder) / "died"
    if number == 3 and not marker.exists():
        marker.touch()
        os._exit(9)
    square(folder, number)


def die_always(folder: str, number: int) -> None:
    """End the worker process."""
    os._exit(9)


def fail(folder: str, number: int) -> None:
    """Raise as a full disk does."""
    raise OSError(28, "No space left on device")
