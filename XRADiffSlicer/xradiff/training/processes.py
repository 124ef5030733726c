"""One process or many, on CPUs or GPUs, on one machine or several: what the loop needs of Hugging Face accelerate."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from importlib import import_module
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from ..devices import choose_device
from ..errors import InputError, MissingDependencyError
from .config import TrainingConfig

__all__ = ["Processes"]


class Processes:
    """The processes of a run. All hold the same networks and take their part of each batch.

    Gradients are averaged here and not by DistributedDataParallel: a step may consist of several losses over
    different parameters, which that does not know, and the result equals one process with the whole batch.

    Raises:
        MissingDependencyError: accelerate is missing, or CUDA is asked for and cannot be used.
        InputError: a batch that cannot be shared equally.
    """

    def __init__(self, config: TrainingConfig) -> None:
        device = choose_device(config.device, uses_torch=True)
        precision = {"float32": "no", "bfloat16": "bf16"}[config.precision]
        self._accelerator: Any = _accelerator_class()(cpu=device.name == "cpu", mixed_precision=precision)
        self.count: int = self._accelerator.num_processes
        self.number: int = self._accelerator.process_index
        self.device: torch.device = self._accelerator.device
        if config.batch % self.count:
            raise InputError(f"a batch of {config.batch} cannot be shared equally by {self.count} processes")

    @property
    def first(self) -> bool:
        """Whether this is the process that reports and writes."""
        return self.number == 0

    def own(self, numbers: list[int]) -> list[int]:
        """Return this process's part of `numbers`; parts differ by one at most."""
        return numbers[self.number :: self.count]

    def arithmetic(self) -> AbstractContextManager[None]:
        """Return the context of the chosen precision."""
        context: AbstractContextManager[None] = self._accelerator.autocast()
        return context

    def wait(self) -> None:
        """Wait until all processes are here."""
        self._accelerator.wait_for_everyone()

    def summed(self, values: Tensor) -> Tensor:
        """Return the sum of `values` over all processes, on the CPU."""
        if self.count == 1:
            return values
        total: Tensor = self._accelerator.reduce(values.to(self.device), "sum")
        return total.cpu()

    def average_gradients(self, parameters: Iterable[Parameter]) -> None:
        """Replace the gradients by their means over all processes."""
        if self.count == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        mean = self._accelerator.reduce(torch.cat([gradient.flatten() for gradient in gradients]), "mean")
        for gradient, part in zip(gradients, mean.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def end(self) -> None:
        """Leave the group of processes."""
        self._accelerator.end_training()


def _accelerator_class() -> Any:
    """Return accelerate's class, and import what must be there before a group of processes exists.

    Defaults of functions in torch.distributed.nn hold the group of the moment in which they are imported, as the first
    optimiser does: imported later, that group and its threads outlive `end`, and one that still held a tensor while
    Python ended aborted the process (https://github.com/pytorch/pytorch/pull/179291).
    """
    if torch.distributed.is_available():
        import_module("torch.distributed.nn")
    try:
        from accelerate import Accelerator
    except ImportError as error:
        raise MissingDependencyError(
            "training needs the package accelerate; install it with: pip install accelerate"
        ) from error
    return Accelerator
