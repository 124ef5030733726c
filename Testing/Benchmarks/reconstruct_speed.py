"""Whole commands as a user starts them, imports included: reconstruct without report, and the list of methods."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench_tools import write_table

REPOSITORY = Path(__file__).parents[2]
PAIR = REPOSITORY.parent / "shared" / "data" / "clinical_pair"


def seconds(arguments: list[str], repeats: int) -> float:
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "xradiff", *arguments],
            check=True,
            cwd=REPOSITORY / "XRADiffSlicer",
            capture_output=True,
        )
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def views(folder: Path, image: str, geometry: str) -> list[str]:
    return [
        word for k in (0, 1) for word in ("--view", str(folder / image.format(k)), str(folder / geometry.format(k)))
    ]


def main() -> None:
    demo = views(REPOSITORY / "XRADiffSlicer" / "Resources" / "SampleData" / "demo", "view{}.png", "view{}.json")
    rows = [["methods", f"{seconds(['methods'], 5):.2f}"]]
    with tempfile.TemporaryDirectory() as folder:
        out = ["--out", f"{folder}/out", "--progress", "none"]
        rows.append(
            ["reconstruct, bundled case, no report", f"{seconds(['reconstruct', *demo, *out, '--no-report'], 3):.2f}"]
        )
        rows.append(["demo (with report and renderings)", f"{seconds(['demo', *out], 3):.2f}"])
        if PAIR.is_dir():
            pair = views(PAIR, "xray{}.png", "params{}.json")
            time_pair = seconds(["reconstruct", *pair, *out, "--no-report"], 3)
            rows.append(["reconstruct, real pair, no report", f"{time_pair:.2f}"])
    write_table("reconstruct_speed", "Whole commands, imports included", ["command", "median s"], rows)


if __name__ == "__main__":
    main()
