"""All methods on new generated cases of both sides: synthesize, benchmark, one table.

    PYTHONPATH=XRADiffSlicer python Testing/Benchmarks/method_comparison.py WORK

Exact masks and geometry, two views, no motion, no calibration. WORK keeps cases and finished runs: the same command
goes on.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from bench_tools import RESULTS
from xradiff.benchmark.records import Run
from xradiff.benchmark.run import run_benchmark
from xradiff.benchmark.tables import TABLES, table_text
from xradiff.provenance import machine
from xradiff.reconstruction.registry import METHODS

SEED = 990_001  # no case of any training or validation
NAME = "method_comparison"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, nargs="?", help="default: a folder that is removed in the end")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--cases", type=int, default=24, help="of each side")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs = runs_of(options.methods.split(","), options.cases, options.work or Path(folder), options.workers)
    words, table = f"--methods {options.methods} --cases {options.cases}", table_text(TABLES[0], runs).rstrip()
    text = (
        f"# Methods on {options.cases} generated cases a side\n\n"
        f"`PYTHONPATH=XRADiffSlicer python Testing/Benchmarks/{NAME}.py WORK {words}`, seed {SEED}, {machine()}: two "
        f"views of XRA-Diff's table 2, exact masks and geometry, no motion.\n\n{table}\n"
    )
    print(text)
    (RESULTS / f"{NAME}.md").write_text(text, encoding="utf-8")


def runs_of(methods: list[str], cases: int, work: Path, workers: int) -> list[Run]:
    """Return the runs of all methods on `cases` of each side."""
    runs: list[Run] = []
    for side in ("right", "left"):
        make = ["--out", work / side, "--cases", cases, "--seed", SEED, "--side", side, "--progress", "none"]
        subprocess.run([sys.executable, "-m", "xradiff", "synthesize", *map(str, make)], check=True)
        config = {"calibrate": "off"}
        runs += run_benchmark(
            work / side, methods, work / f"b-{side}", configs=(config,), workers=workers, progress=show
        ).runs
    return runs


def show(fraction: float, message: str) -> None:
    print(f"{fraction:4.0%} {message}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
