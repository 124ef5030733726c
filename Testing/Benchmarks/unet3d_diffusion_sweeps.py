"""XRA-Diff on generated arteries: steps n, guidance gamma, number of views P, motion of the second image.

    PYTHONPATH=XRADiffSlicer python Testing/Benchmarks/unet3d_diffusion_sweeps.py WORK

Each sweep is one call of `xradiff benchmark` on the same cases, with the shipped weights; exact masks and geometry,
no calibration. The views are those of XRA-Diff's table 2; it has two, so that the number of views is swept over cases
with four views of the clinic. WORK keeps cases and finished runs, and a plot of each sweep: the same command goes on.
With --picture FILE Dice and Chamfer distance of all four are drawn into one picture.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bench_tools import write_table
from matplotlib.figure import Figure
from xradiff.benchmark.records import Run
from xradiff.benchmark.run import BenchmarkResult, run_benchmark
from xradiff.benchmark.settings import sweep
from xradiff.benchmark.tables import groups_of
from xradiff.quantification import title_of

SEED = 990_101  # no case of any training or validation
METHOD = "unet3d_diffusion"
SWEEPS = {
    "steps": ("1", "2", "4", "8"),
    "guidance": ("1", "2", "4", "7.5"),
    "views": ("2", "3", "4"),
    "motion": ("0", "0.25", "0.5", "1"),
}
LABELS = {
    "steps": "steps n",
    "guidance": "guidance scale γ",
    "views": "views P (poses of the clinic)",
    "motion": "motion of the second image",
}
METRICS = ("dice", "cldice", "chamfer_mm", "hd95_mm", "centreline_chamfer_mm")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, nargs="?", help="default: a folder that is removed in the end")
    parser.add_argument("--cases", type=int, default=3, help="of each side (default %(default)s)")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="PNG of all sweeps")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        results = {key: swept(key, options.cases, options.work or Path(folder)) for key in SWEEPS}
    if options.picture:
        draw({key: result.runs for key, result in results.items()}, options.picture)
    rows = [row for key, result in results.items() for row in rows_of(key, result.runs)]
    job = results["steps"].runs[0].job
    heading = ["setting", "side", "cases", *(title_of(name) for name in METRICS)]
    note = (
        f"Weights {job.weights}, SHA-256 {job.weights_sha256[:12]}; seed {SEED}; mean (bootstrapped 95 % interval, "
        f"too narrow for {options.cases} cases a side); the same cases in every row but those of `views`, "
        "whose cases have four views of the clinic. Definitions as in method_comparison.md."
    )
    words = f"{METHOD}_sweeps.py WORK --cases {options.cases}"
    write_table(f"{METHOD}_sweeps", "XRA-Diff's settings on generated arteries", heading, rows, note, words)


def swept(key: str, cases: int, work: Path) -> BenchmarkResult:
    """Return the runs of one sweep over the cases of both sides."""
    poses, views = ("clinical", 4) if key == "views" else ("xradiff", 2)
    for side in ("right", "left"):
        make = ["--out", work / poses / side, "--cases", cases, "--seed", SEED, "--side", side, "--views", views]
        make = [sys.executable, "-m", "xradiff", "synthesize", *map(str, make), "--poses", poses, "--progress", "none"]
        if not (work / poses / side).is_dir():
            subprocess.run(make, check=True)
    return run_benchmark(
        both_sides(work / poses),
        [METHOD],
        work / f"by-{key}",
        configs=sweep({"calibrate": "off"}, {key: SWEEPS[key]}),
        progress=lambda fraction, message: print(f"{key}: {fraction:4.0%} {message}", file=sys.stderr, flush=True),
    )


def both_sides(folder: Path) -> Path:
    """Return one data folder with the cases of both sides, named by side."""
    joined = folder / "both"
    for side in ("right", "left"):
        for case in (folder / side).glob("case*"):
            target = joined / f"{side}-{case.name}"
            if case.is_dir() and not target.is_dir():
                shutil.copytree(case, target)
    return joined


def rows_of(key: str, runs: tuple[Run, ...]) -> list[list[str]]:
    """Return a row for each value and side."""
    rows = []
    for group in sorted(groups_of(runs, both=False), key=lambda g: (g.side != "right", g.runs[0].job.given[key])):
        cells = [group.interval(name) for name in METRICS]
        text = [f"{cell.mean:.2f} ({cell.low:.2f}-{cell.high:.2f})" for cell in cells]
        rows.append([f"{key}={group.runs[0].job.given[key]:g}", group.side, str(group.done), *text])
    return rows


def draw(runs: dict[str, tuple[Run, ...]], file: Path) -> None:
    """Draw Dice and Chamfer distance by each swept setting: a column a setting, right solid, left dashed."""
    figure = Figure(figsize=(9.6, 4.2), layout="constrained")
    for row, metric in enumerate(("dice", "chamfer_mm")):
        for column, (key, swept_runs) in enumerate(runs.items()):
            axes = figure.add_subplot(2, 4, 4 * row + column + 1)
            for side, style in (("right", "o-"), ("left", "s--")):
                groups = [group for group in groups_of(swept_runs, both=False) if group.side == side]
                values = [group.runs[0].job.given[key] for group in groups]
                axes.plot(
                    values, [group.interval(metric).mean for group in groups], style, color="#0072b2", label=side
                )
            axes.set_xticks(values, [f"{value:g}" for value in values])
            axes.set_ylim(0, {"dice": 0.7, "chamfer_mm": 13}[metric])
            axes.grid(alpha=0.3)
            axes.tick_params(labelsize=8)
            if row:
                axes.set_xlabel(LABELS[key], fontsize=9)
            if not column:
                axes.set_ylabel(title_of(metric), fontsize=9)
    figure.axes[0].legend(fontsize=8, frameon=False)
    figure.savefig(file, dpi=100)


if __name__ == "__main__":
    main()
