"""What does not fit is refused before it is allocated, with and without psutil."""

from __future__ import annotations

import sys

import pytest
from xradiff.errors import InputError
from xradiff.memory import available_bytes, check_memory


@pytest.mark.parametrize("psutil_there", [True, False])
def test_available_memory_is_plausible(monkeypatch, psutil_there):
    if not psutil_there:
        monkeypatch.setitem(sys.modules, "psutil", None)
    assert 64 << 20 < available_bytes() <= sys.maxsize


def test_message_says_need_stock_and_advice():
    check_memory(1000, "a small thing", "nothing to do")
    with pytest.raises(
        InputError, match=r"the moon needs about 1048576.0 GB of memory, .* GB are available; shrink it"
    ):
        check_memory(2.0**50, "the moon", "shrink it")
