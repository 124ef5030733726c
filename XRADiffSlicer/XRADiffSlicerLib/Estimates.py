"""What a method will cost on this computer, in words."""

from __future__ import annotations

import os
from typing import Any

from slicer.i18n import tr as _

TYPICAL_CORES = 2  # the times of the registry are measured on so many
GIGABYTE = 2**30


def estimateText(spec: Any, device: str, availableBytes: float, cores: int | None = None) -> str:
    """Return time and memory of a case beside what this computer has.

    :param spec: of the method; its times hold for two CPU cores or, not measured, a current GPU, at 0.5 mm.
    :param device: "cpu" or "cuda".
    :param availableBytes: memory that is free.
    :param cores: CPU cores; None to ask the system.
    """
    cores = cores or os.cpu_count() or 1
    if device == "cuda" and spec.seconds_gpu is not None:
        time = _("About {time} on a current GPU ({source})").format(
            time=duration(spec.seconds_gpu), source=spec.gpu_source
        )
    else:
        # One core does the work of two in twice the time; more than two help little and are not promised.
        factor = max(1.0, TYPICAL_CORES / cores)
        time = _("About {time} on the CPU, which has {cores} cores here").format(
            time=duration(spec.seconds_cpu * factor), cores=cores
        )
    free = _("{free:.1f} GB are free").format(free=availableBytes / GIGABYTE)
    memory = _("{needed:g} GB of memory").format(needed=spec.memory_gb)
    if availableBytes < spec.memory_gb * GIGABYTE:
        return _("{time}; needs {memory}, but only {free}: it may be ended for lack of memory.").format(
            time=time, memory=memory, free=free
        )
    rest = _("Loading, surface and report take some seconds more.")
    return _("{time}; {memory} ({free}).").format(time=time, memory=memory, free=free) + f" {rest}"


def duration(seconds: float) -> str:
    """Return a time in the unit that suits it."""
    if seconds < 90:
        return _("{seconds:g} s").format(seconds=float(f"{seconds:.2g}"))
    return _("{minutes:.0f} min").format(minutes=seconds / 60)
