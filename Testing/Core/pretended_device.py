"""A GPU that is none: tensors that say they are on "cuda" and must not meet others, computed on the processor.

So a tensor that a method left behind is found on a computer without a GPU. It tells nothing of a GPU's arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

PRETENDED = torch.device("cuda", 0)
MAY_MIX = (Tensor.__getitem__, Tensor.__setitem__, Tensor.copy_)


def pretended(network: nn.Module) -> nn.Module:
    """Return the network, all of whose tensors are said to be on the device from now on."""
    for tensor in (*network.parameters(), *network.buffers()):
        tensor.pretended = True
    return network


def is_pretended(tensor: Tensor) -> bool:
    return getattr(tensor, "pretended", False)


def tensors_of(value: object) -> Iterator[Tensor]:
    """All tensors in a nest of sequences and mappings."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        yield from tensors_of(list(value.values()))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for one in value:
            yield from tensors_of(one)


def put(value: object, *, there: bool) -> object:
    for tensor in tensors_of(value):
        tensor.pretended = there
    return value


class PretendedDevice(TorchFunctionMode):
    """While it is entered, "cuda" is that device."""

    def __torch_function__(
        self, function: Callable[..., Any], types: object, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> object:
        kwargs = dict(kwargs or {})
        sides = {is_pretended(tensor) for tensor in tensors_of((args, kwargs)) if tensor.dim()}
        there = any(is_pretended(tensor) for tensor in tensors_of((args, kwargs)))
        if function == Tensor.device.__get__:
            return PRETENDED if there else torch.device("cpu")
        if function == Tensor.is_cuda.__get__:
            return there
        if function is Tensor.numpy and there:
            raise TypeError("a tensor on the pretended device has no numbers for numpy")
        if function is Tensor.cpu:
            return put(args[0].clone(), there=False)
        if function is Tensor.to:
            return self._moved(args[0], args[1:], kwargs)
        if kwargs.get("device") is not None:
            there, kwargs["device"] = torch.device(kwargs["device"]).type == "cuda", "cpu"
        elif len(sides) > 1 and function not in MAY_MIX:
            raise RuntimeError(f"{function.__name__}: tensors on two devices")
        result = function(*args, **kwargs)
        return put(result, there=True) if there else result

    def _moved(self, tensor: Tensor, words: Sequence[object], named: dict[str, Any]) -> object:
        """`Tensor.to` with a device, a type, both, or what another tensor has."""
        words = [*words, *named.values()]
        there, kind = is_pretended(tensor), tensor.dtype
        for word in words:
            if isinstance(word, Tensor):
                there, kind = is_pretended(word), word.dtype
            elif isinstance(word, (str, torch.device)):
                there = torch.device(word).type == "cuda"
            elif isinstance(word, torch.dtype):
                kind = word
        return put(tensor.type(kind).clone(), there=there)
