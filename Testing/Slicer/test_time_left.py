"""The guess of the time that is left."""

from __future__ import annotations

import pytest
from XRADiffSlicerLib.TimeLeft import TimeLeft


@pytest.mark.parametrize(
    ("passed", "fraction", "words"),
    [(10, 0.5, "about 10 s left"), (10, 0.8, "about 2 s left"), (30, 0.1, "about 4 min left"), (0.5, 0.5, ""),
     (5, 0.01, ""), (20, 1.0, ""), (99, 0.999, "about 1 s left")],
)  # fmt: skip
def test_rest_goes_as_fast_as_what_is_done(passed, fraction, words):
    now = [100.0]
    left = TimeLeft(lambda: now[0])
    now[0] = 700.0
    left.restart()
    now[0] += passed
    assert left.words(fraction) == words
