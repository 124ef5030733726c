"""Cases -> batches, in an order that depends on the seed and the step alone, made in worker processes."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Generator, Iterable, Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ..errors import InputError
from ..reconstruction.trainable import ExampleMaker
from .cases import CaseSource

__all__ = ["batch_stream", "cases_of_step", "make_example"]

Example = dict[str, Tensor]
DRAWS = 3


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, cases: int) -> tuple[int, ...]:
    return tuple(np.random.default_rng((seed, epoch)).permutation(cases).tolist())


def cases_of_step(step: int, batch: int, cases: int, seed: int) -> list[int]:
    """Return the `batch` case numbers of a step: all `cases` once in a drawn order, then all in another order."""
    positions = range(step * batch, (step + 1) * batch)
    return [_order(seed, position // cases, cases)[position % cases] for position in positions]


def make_example(source: CaseSource, example: ExampleMaker, number: int) -> Example:
    """Return the example of a case. One that was drawn and cannot be used is replaced by another drawn one.

    Raises:
        InputError: the case cannot be used; names it.
    """
    for attempt in range(DRAWS if source.drawn else 1):
        try:
            return example(*source.case(number + attempt * source.count))
        except InputError as error:
            wrong = error
    raise InputError(f"training case {number} cannot be used: {wrong}")


def batch_stream(
    source: CaseSource, example: ExampleMaker, numbers: Iterable[list[int]], workers: int
) -> Generator[Example, None, None]:
    """Yield one batch for each list of `numbers`, made ahead by `workers` processes (0: here, when it is needed).

    Closed early, it waits until the processes have handed over what they have begun: one that ends while it does so
    is aborted, and says so.

    Raises:
        InputError: a case cannot be used.
    """
    ended = False
    loader = DataLoader(
        _Examples(source, example),
        batch_sampler=itertools.takewhile(lambda _: not ended, numbers),
        num_workers=workers,
        collate_fn=_Join(example),
        worker_init_fn=_leave_signals_to_parent,
        multiprocessing_context="spawn" if workers else None,
        generator=torch.Generator(),  # not the global one: resuming must change nothing
    )
    batches = iter(loader)
    try:
        for batch in batches:
            if isinstance(batch, str):
                raise InputError(batch)
            yield batch
    except (GeneratorExit, InputError):
        ended = True
        for _ in batches:
            pass
        raise


class _Examples(Dataset[Example | str]):
    """Examples by case number; a text is what is wrong with a case (an exception would arrive as a traceback)."""

    def __init__(self, source: CaseSource, example: ExampleMaker) -> None:
        self.source, self.example = source, example

    def __getitem__(self, number: int) -> Example | str:
        try:
            return make_example(self.source, self.example, number)
        except InputError as error:
            return str(error)


class _Join:
    """Examples -> batch, or the first text."""

    def __init__(self, example: ExampleMaker) -> None:
        self.example = example

    def __call__(self, examples: Sequence[Example | str]) -> Example | str:
        for example in examples:
            if isinstance(example, str):
                return example
        return self.example.join([example for example in examples if not isinstance(example, str)])


def _leave_signals_to_parent(worker: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
