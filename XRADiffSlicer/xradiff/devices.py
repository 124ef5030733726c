"""Choice of the compute device, and the reason for it."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

from .checks import check_choice
from .errors import MissingDependencyError

__all__ = ["DEVICES", "Device", "choose_device"]

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


def _why_not_cuda() -> str | None:
    if importlib.util.find_spec("torch") is None:
        return "PyTorch is not installed"
    import torch

    if torch.version.cuda is None:
        return "this PyTorch was built for the CPU only"
    return None if torch.cuda.is_available() else "PyTorch sees no usable CUDA device or driver"
