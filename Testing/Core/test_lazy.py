"""Packages that load on demand offer what they say, and their light parts stay light."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
import xradiff
from xradiff import masks, views
from xradiff.lazy import loads_on_demand


@pytest.mark.parametrize("package", [masks, views])
def test_every_name_is_offered_by_its_home(package):
    assert set(package._HOMES) == set(package.__all__)
    for name in package.__all__:
        home = importlib.import_module(f"{package.__name__}.{package._HOMES[name]}")
        assert getattr(package, name) is getattr(home, name)
        assert getattr(getattr(package, name), "__module__", home.__name__) == home.__name__


def test_other_names_are_refused_as_python_does():
    find = loads_on_demand("xradiff.masks", {"binary_mask": "binary"})
    with pytest.raises(AttributeError, match="module 'xradiff.masks' has no attribute 'nothing'"):
        find("nothing")


def test_what_a_form_needs_at_once_loads_nothing_heavy():
    code = (
        "import sys; from xradiff.masks import binary_mask; from xradiff.views import acquisition_from; "
        "import xradiff.geometry, xradiff.reconstruction.registry; "
        "assert not {'scipy', 'SimpleITK', 'pydicom', 'torch'} & set(sys.modules)"
    )
    folder = Path(xradiff.__file__).parents[1]
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300, cwd=folder)
