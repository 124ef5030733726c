"""What the benchmarks share: time and memory of a function in a process of its own, and the table they write.

Run a benchmark as `make bench` does, or `PYTHONPATH=XRADiffSlicer python Testing/Benchmarks/NAME.py`. Times depend
on the machine: quote the ratios within one table.
"""

from __future__ import annotations

import multiprocessing
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

RESULTS = Path(__file__).parent / "results"


def _child(function: Callable[[], Callable[[], object]], repeats: int, pipe) -> None:
    """Prepare, run once to warm up, then time; memory is the growth of the peak during the runs, and a GPU's peak."""
    import resource
    import threading

    run = function()
    process, before, peak, over = psutil.Process(), psutil.Process().memory_info().rss, 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not over.wait(0.02):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    run()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    over.set()
    watcher.join()
    scale = 1 if sys.platform == "darwin" else 1024
    total = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale
    torch = sys.modules.get("torch")
    on_gpu = torch.cuda.max_memory_allocated() if torch and torch.cuda.is_available() else 0
    pipe.send((seconds, max(0, peak - before), total, on_gpu))


def measure(function: Callable[[], Callable[[], object]], repeats: int = 5) -> dict[str, float]:
    """Return the median and smallest seconds, and MB used, of the callable that `function()` prepares."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(function, repeats, theirs))
    child.start()
    theirs.close()
    seconds, grown, total, on_gpu = ours.recv()
    child.join()
    return {
        "median": statistics.median(seconds),
        "fastest": min(seconds),
        "grown_mb": grown / 2**20,
        "total_mb": total / 2**20,
        "gpu_mb": on_gpu / 2**20,
    }


def write_table(
    name: str, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], notes: str = "", script: str = ""
) -> None:
    """Print a Markdown table and keep it in results/NAME.md with the command that made it, NAME.py by default."""
    command = f"PYTHONPATH=XRADiffSlicer python Testing/Benchmarks/{script or f'{name}.py'}"
    where = f"{psutil.cpu_count()} CPU cores, {platform.system()} {platform.machine()}"
    lines = [
        f"# {title}",
        "",
        f"`{command}`, {where}, Python {platform.python_version()}.",
        "",
        "| " + " | ".join(columns) + " |",
        "|" + "---|" * len(columns),
        *("| " + " | ".join(str(value) for value in row) + " |" for row in rows),
    ]
    text = "\n".join([*lines, *(["", notes] if notes else []), ""])
    print(text)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text(text)
