"""What a form can say of the device before a run, without loading torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from xradiff import devices


@pytest.fixture
def torch_build(tmp_path, monkeypatch):
    """Pretend that a PyTorch with this version file is installed."""

    def pretend(version_file):
        (tmp_path / "version.py").write_text(version_file)
        found = SimpleNamespace(origin=str(tmp_path / "__init__.py"))
        monkeypatch.setattr("importlib.util.find_spec", lambda name: found)

    return pretend


CUDA, CPU = "cuda: Optional[str] = '12.8'\nhip = None\n", "cuda: Optional[str] = None\nhip = None\n"


@pytest.mark.parametrize(
    ("build", "driver", "name", "reason"),
    [
        (CUDA, True, "cuda", "PyTorch is built for CUDA 12.8 and there is an NVIDIA driver"),
        (CUDA, False, "cpu", "no NVIDIA driver"),
        (CPU, True, "cpu", "built for the CPU only"),
        ("cuda = '11.8'", True, "cuda", "CUDA 11.8"),
        ("", True, "cpu", "built for the CPU only"),
    ],
)
def test_device_is_told_by_build_and_driver(torch_build, monkeypatch, build, driver, name, reason):
    torch_build(build)
    monkeypatch.setattr(devices, "_has_cuda_driver", lambda: driver)
    expected = devices.expected_device(True)
    assert expected.name == name and reason in expected.reason


def test_without_torch_or_need_of_it(monkeypatch):
    assert devices.expected_device(False) == devices.choose_device("auto", uses_torch=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert devices.expected_device(True) == devices.Device("cpu", "PyTorch is not installed")


def test_expectation_agrees_with_the_choice_and_loads_no_torch():
    code = (
        "import sys; from xradiff.devices import *; told = expected_device(True); assert 'torch' not in sys.modules; "
        "assert told.name == choose_device('auto', uses_torch=True).name"
    )
    folder = Path(devices.__file__).parents[1]
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300, cwd=folder)
