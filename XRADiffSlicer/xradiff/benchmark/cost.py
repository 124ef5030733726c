"""Peak memory of a block of code."""

from __future__ import annotations

import threading

__all__ = ["PeakMemory"]

PERIOD_S = 0.02
MEGABYTE = 2**20


class PeakMemory:
    """Resident memory of this process, sampled while a block runs.

    Attributes:
        megabytes: the most seen, None where psutil is not installed.
    """

    megabytes: float | None = None

    def __enter__(self) -> PeakMemory:
        try:
            import psutil
        except ImportError:
            return self
        self._process = psutil.Process()
        self._stop = threading.Event()
        self._look()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._stop.wait(PERIOD_S):
            self._look()

    def _look(self) -> None:
        self.megabytes = max(self.megabytes or 0.0, self._process.memory_info().rss / MEGABYTE)

    def __exit__(self, *error: object) -> None:
        if self.megabytes is not None:
            self._stop.set()
            self._thread.join()
            self._look()
