"""Many independent jobs on one machine or a cluster, with the same code: what datasets and benchmarks are made of.

A job is a number; what it does depends on that number alone, so any number of workers gives the
same result, and a job whose worker died is simply done again.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

from .checks import check_range
from .errors import MissingDependencyError, XRADiffError
from .progress import Progress, silent

__all__ = ["run_jobs"]

LOST_POOLS = 3  # pools that may die one after the other without finishing a job between


def run_jobs(
    job: Callable[[int], Any],
    numbers: Sequence[int],
    *,
    workers: int = 1,
    scheduler: str = "",
    progress: Progress = silent,
) -> None:
    """Call `job(number)` once for every number, in any order.

    Args:
        job: picklable; safe to repeat for a number that was not finished.
        numbers: what to do.
        workers: processes on this machine; 1 works in this process.
        scheduler: address of a Dask scheduler (tcp://...); then its workers are used instead.
        progress: told after each job; may raise Cancelled, which stops what has not begun.

    Raises:
        InputError: an impossible number of workers.
        MissingDependencyError: a scheduler is given and Dask is not installed or does not answer.
        XRADiffError: workers keep dying, for example for lack of memory.
    """
    check_range("number of workers", workers, 1, 1024)
    left, lost = list(numbers), 0
    total = len(left)
    while left:
        before = len(left)
        try:
            for number in _finished(job, left, workers, scheduler):
                left.remove(number)
                done = total - len(left)
                progress(done / total, f"{done} of {total} done")
        except BrokenProcessPool:
            lost = lost + 1 if len(left) == before else 1
            if lost > LOST_POOLS:
                raise XRADiffError(
                    f"workers keep dying ({len(left)} of {total} jobs are left); is there enough memory for "
                    f"{workers} of them?"
                ) from None


def _finished(job: Callable[[int], Any], numbers: Sequence[int], workers: int, scheduler: str) -> Iterator[int]:
    """Yield each number when its job is done."""
    if workers == 1 and not scheduler:
        for number in tuple(numbers):
            job(number)
            yield number
        return
    with _executor(workers, scheduler) as executor:
        futures: dict[Future[Any], int] = {executor.submit(job, number): number for number in numbers}
        try:
            while futures:
                for future in wait(futures, return_when=FIRST_COMPLETED).done:
                    future.result()
                    yield futures.pop(future)
        finally:
            for future in futures:
                future.cancel()


def _one_thread_each() -> None:
    """Keep a worker's libraries (not loaded yet) on one thread: the workers share the cores already."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"):
        os.environ.setdefault(name, "1")


@contextmanager
def _executor(workers: int, scheduler: str) -> Iterator[Executor]:
    if not scheduler:
        # "spawn" on every system: a fork of a process with threads (torch, VTK) may hang
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context, initializer=_one_thread_each) as pool:
            yield pool
        return
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingDependencyError(
            "a cluster needs the package distributed; install it with: pip install distributed"
        ) from error
    try:
        client = Client(scheduler, timeout=10)
    except (OSError, ValueError) as error:
        raise MissingDependencyError(f"no Dask scheduler answers at {scheduler!r} ({error})") from None
    with client, client.get_executor(pure=False) as pool:
        yield pool
