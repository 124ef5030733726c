"""When each frame of a run was taken, from whichever of the cine tags the file has."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pydicom
from numpy.typing import NDArray

from .header_values import numbers_of, text_in

__all__ = ["USUAL_FRAME_TIME_MS", "frame_times_ms"]

USUAL_FRAME_TIME_MS = 1000 / 15
_LONGEST_MS = 10_000.0


def frame_times_ms(header: pydicom.Dataset, frames: int, notes: list[str]) -> NDArray[np.float64]:
    """Return the time (N,) of each frame in ms from the first one; what was assumed goes to `notes`.

    In this order: each frame's own date and time (0018,9074; Enhanced XA), frame time vector (0018,1065), frame
    time (0018,1063), cine rate (0018,0040), recommended display rate (0008,2144); else 15 frames/s.
    """
    clock = _clock_ms(header, frames)
    if _usable(list(np.diff(clock))):
        return clock
    vector = numbers_of(header.get("FrameTimeVector"))
    if len(vector) >= frames > 1 and _usable(vector[1:frames]):
        return np.concatenate([[0.0], np.cumsum(vector[1:frames])])  # its first entry is 0 by definition
    time = numbers_of(header.get("FrameTime"))[:1]
    rates = numbers_of(header.get("CineRate"))[:1], numbers_of(header.get("RecommendedDisplayFrameRate"))[:1]
    steps = [time, *([1000 / rate for rate in found if rate > 0] for found in rates)]
    step = next((found[0] for found in steps if _usable(found)), None)
    if step is None:
        step = USUAL_FRAME_TIME_MS
        if frames > 1:
            notes.append("the file does not say its frame rate; 15 frames/s were assumed")
    return np.arange(frames, dtype=np.float64) * step


def _usable(steps_ms: list[float]) -> bool:
    return bool(steps_ms) and all(0 < step <= _LONGEST_MS for step in steps_ms)


def _clock_ms(header: pydicom.Dataset, frames: int) -> NDArray[np.float64]:
    """Return the frames' own times (N,) in ms from the first one; empty where one lacks it."""
    texts = [text_in(header, "FrameAcquisitionDateTime", frame).split("+")[0].split("-")[0] for frame in range(frames)]
    try:
        times = [datetime.strptime(text, "%Y%m%d%H%M%S.%f" if "." in text else "%Y%m%d%H%M%S") for text in texts]
    except ValueError:
        return np.zeros(0)
    return np.array([(time - times[0]).total_seconds() * 1000 for time in times])
