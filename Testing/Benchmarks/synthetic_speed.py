"""How fast synthetic cases are made: one for training in memory, one on disk, and how workers share the work.

PYTHONPATH=XRADiffSlicer python Testing/Benchmarks/synthetic_speed.py
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
from bench_tools import write_table
from xradiff.dataset import synthesize, write_case
from xradiff.synthetic.case import CaseOptions, draw_case
from xradiff.synthetic.training_case import training_case

CASES = 40
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"), "1")
WORKERS = sorted({1, 2, psutil.cpu_count(logical=False) or 1})
OPTIONS = {
    "no motion, exact masks": CaseOptions(),
    "beating heart, damaged masks": CaseOptions(motion="heart", corruption=0.5),
}


def seconds(run: Callable[[int], object]) -> str:
    """Return the median and the 90th percentile of `run(number)`."""
    run(0)
    taken = []
    for number in range(1, CASES + 1):
        start = time.perf_counter()
        run(number)
        taken.append(time.perf_counter() - start)
    return f"{statistics.median(taken):.3f} ({statistics.quantiles(taken, n=10)[-1]:.3f})"


def on_disk(options: CaseOptions) -> str:
    """Return the seconds of full cases on disk."""
    folder = Path(tempfile.mkdtemp())
    try:
        return seconds(lambda n: write_case(folder / f"{n}", draw_case(options, 0, n), options.truth_spacing_mm))
    finally:
        shutil.rmtree(folder)


def dataset_seconds(workers: int) -> float:
    """Return the time of a dataset of 400 cases on disk, the start of the processes included."""
    folder = Path(tempfile.mkdtemp())
    try:
        start = time.perf_counter()
        synthesize(folder / "d", CaseOptions(), cases=400, workers=workers)
        return time.perf_counter() - start
    finally:
        shutil.rmtree(folder)


def main() -> None:
    """Measure and write the table."""
    if ONE_THREAD.items() - os.environ.items():  # libraries read these when they are loaded: start again
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | ONE_THREAD)
    write_table("synthetic_speed", "Speed of synthetic cases", ["what", "seconds: median (90th percentile)"], _rows())


def _rows() -> list[list[str]]:
    rows = []
    for name, options in OPTIONS.items():
        run = seconds(lambda n, o=options: training_case(draw_case(o, 0, n)))
        rows.append([f"training case in memory, 1 mm, {name}", run])
        rows.append([f"case on disk, truth at 0.5 mm, {name}", on_disk(options)])
    raw = replace(CaseOptions(), frames=30)
    rows.append(["two raw runs of 30 frames, 512 x 512", _few(raw)])
    single = dataset_seconds(1)
    rows.append(["dataset of 400 cases, 1 worker", f"{single:.1f} in all"])
    for workers in WORKERS[1:]:
        taken = dataset_seconds(workers)
        rows.append(
            [f"dataset of 400 cases, {workers} workers, start included", f"{taken:.1f} in all: {single / taken:.2f} x"]
        )
    return rows


def _few(options: CaseOptions) -> str:
    start = time.perf_counter()
    for number in range(3):
        draw_case(options, 0, number)
    return f"{(time.perf_counter() - start) / 3:.1f} (mean of 3)"


if __name__ == "__main__":
    main()
