"""How long a run will still take, from how far it is."""

from __future__ import annotations

import time
from collections.abc import Callable

from slicer.i18n import tr as _

LEAST_FRACTION = 0.05  # before, a guess would jump
LEAST_SECONDS = 1.0


class TimeLeft:
    """Guesses that the rest of a run goes as fast as what is done.

    :param clock: returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._start = clock()

    def restart(self) -> None:
        """A run begins."""
        self._start = self._clock()

    def words(self, fraction: float) -> str:
        """Return "about 12 s left", "" as long as that cannot be said.

        :param fraction: of the run, 0 to 1.
        """
        passed = self._clock() - self._start
        if not LEAST_FRACTION <= fraction < 1 or passed < LEAST_SECONDS:
            return ""
        seconds = passed * (1 - fraction) / fraction
        if seconds < 90:
            return _("about {seconds:.0f} s left").format(seconds=max(seconds, 1))
        return _("about {minutes:.0f} min left").format(minutes=seconds / 60)
