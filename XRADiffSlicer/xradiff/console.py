"""What a terminal or a calling process sees of a run: a progress bar or JSON lines, and how it is cancelled."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from .errors import Cancelled
from .progress import Progress

__all__ = ["emit_json", "progress_reporter"]

BAR_WIDTH = 30
SECONDS_BETWEEN_UPDATES = 0.1


def emit_json(kind: str, **fields: Any) -> None:
    """Write one ASCII JSON object on a line of stdout."""
    print(json.dumps({"type": kind, **fields}, ensure_ascii=True), flush=True)


def progress_reporter(style: str, cancel_file: Path | None = None) -> Progress:
    """Return a progress callable: "bar" (on a terminal), "json" lines, or "none".

    It raises Cancelled as soon as `cancel_file` exists.
    """
    last = -SECONDS_BETWEEN_UPDATES
    width = 0

    def report(fraction: float, message: str) -> None:
        nonlocal last, width
        if cancel_file is not None and cancel_file.exists():
            raise Cancelled
        if style == "json":
            emit_json("progress", fraction=round(fraction, 4), message=message)
        elif style == "bar" and sys.stderr.isatty():
            if fraction < 1 and time.monotonic() - last < SECONDS_BETWEEN_UPDATES:
                return
            last = time.monotonic()
            done = round(BAR_WIDTH * fraction)
            line = f"[{'#' * done}{'.' * (BAR_WIDTH - done)}] {fraction:4.0%} {message}"
            sys.stderr.write("\r" + line.ljust(width) + ("\n" if fraction >= 1 else ""))
            sys.stderr.flush()
            width = len(line)

    return report
