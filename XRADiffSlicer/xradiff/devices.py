"""Choice of the compute device, and the reason for it."""

from __future__ import annotations

import ctypes
import importlib.util
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from .checks import check_choice
from .errors import MissingDependencyError

__all__ = ["DEVICES", "Device", "choose_device", "expected_device"]

DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class Device:
    """A device and, in one sentence, why it was taken."""

    name: str
    reason: str


def choose_device(wanted: str, uses_torch: bool) -> Device:
    """Return the device for a method; torch is loaded only when the method uses it.

    Raises:
        InputError: an unknown device name.
        MissingDependencyError: CUDA is asked for and cannot be used; says why.
    """
    check_choice("device", wanted, DEVICES)
    if not uses_torch:
        if wanted == "cuda":
            raise MissingDependencyError("this method runs on the CPU only; use --device cpu or auto")
        return Device("cpu", "this method does not use a GPU")
    if wanted == "cpu":
        return Device("cpu", "asked for")
    reason = _why_not_cuda()
    if reason is None:
        return Device("cuda", "a CUDA device is available")
    if wanted == "cuda":
        raise MissingDependencyError(f"CUDA cannot be used: {reason}; use --device cpu or auto")
    return Device("cpu", f"CUDA is not used: {reason}")


def expected_device(uses_torch: bool) -> Device:
    """Return the device that "auto" will most likely take, told without loading torch: for a form, before a run.

    What PyTorch was built for is read from its version file; whether the driver accepts it is known only in the run.
    """
    if not uses_torch:
        return Device("cpu", "this method does not use a GPU")
    found = importlib.util.find_spec("torch")
    if found is None:
        return Device("cpu", "PyTorch is not installed")
    built = _cuda_of_build(Path(found.origin or "").with_name("version.py"))
    if not built:
        return Device("cpu", "CUDA is not used: this PyTorch was built for the CPU only")
    if not _has_cuda_driver():
        return Device("cpu", f"CUDA is not used: there is no NVIDIA driver (PyTorch is built for CUDA {built})")
    return Device("cuda", f"PyTorch is built for CUDA {built} and there is an NVIDIA driver")


def _cuda_of_build(version_file: Path) -> str:
    """Return the CUDA version in PyTorch's version.py, "" for a build without."""
    text = version_file.read_text(encoding="utf-8") if version_file.is_file() else ""
    match = re.search(r"^cuda\b[^=]*=\s*['\"]([\d.]+)['\"]", text, re.MULTILINE)
    return match[1] if match else ""


def _has_cuda_driver() -> bool:
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


def _why_not_cuda() -> str | None:
    if importlib.util.find_spec("torch") is None:
        return "PyTorch is not installed"
    import torch

    if torch.version.cuda is None:
        return "this PyTorch was built for the CPU only"
    return None if torch.cuda.is_available() else "PyTorch sees no usable CUDA device or driver"
