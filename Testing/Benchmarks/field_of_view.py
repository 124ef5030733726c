"""What is lost where an image does not show the whole tree: a finished benchmark, split by what both images show.

    PYTHONPATH=XRADiffSlicer python Testing/Benchmarks/field_of_view.py right b-right left b-left

Pairs of a data folder and the benchmark of it (all views used). A case is "whole" where at least 99 % of the true
voxels project into every image; no method can find what is not shown.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
from bench_tools import write_table
from xradiff.benchmark.cases import list_cases
from xradiff.geometry import camera_of

WHOLE = 0.99
METRICS = ("dice", "cldice", "chamfer_mm", "components")


def shown(case) -> float:
    """Return the share of the true voxels that lie in the field of view of all images."""
    points = case.truth().points_lps_mm()
    seen = np.ones(len(points), dtype=bool)
    for view in case.views():
        camera = camera_of(view)
        pixels = camera.project(points)
        seen &= ((pixels >= -0.5) & (pixels <= np.subtract(camera.shape, 0.5))).all(axis=1)
    return float(seen.mean())


def rows_of(data: Path, results: Path):
    """Yield the table's rows of one benchmark."""
    shares = {case.name: shown(case) for case in list_cases(data)}
    runs = [run for run in csv.DictReader((results / "cases.csv").open()) if run["metric_set"] == "as reconstructed"]
    for method in dict.fromkeys(run["method"] for run in runs):
        for name, whole in (("whole", True), ("cut off", False)):
            own = [run for run in runs if run["method"] == method and (shares[run["case"]] >= WHOLE) == whole]
            if own:
                share = np.mean([shares[run["case"]] for run in own])
                means = [f"{np.mean([float(run[metric]) for run in own]):.2f}" for metric in METRICS]
                yield [data.name, method, name, len(own), f"{share:.1%}", *means]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="*", help="DATA RESULT DATA RESULT ...")
    folders = parser.parse_args().folders
    if not folders or len(folders) % 2:
        print("nothing measured: name pairs of a data folder and the result folder of its benchmark")
        return
    rows = [row for data, results in zip(folders[::2], folders[1::2], strict=True) for row in rows_of(data, results)]
    columns = ["data", "method", "trees", "cases", "in both images", "Dice", "clDice", "Chamfer (sum), mm", "parts"]
    command = "field_of_view.py " + " ".join(folder.name for folder in folders)
    write_table("field_of_view", "Trees that the images show whole, and others", columns, rows, script=command)


if __name__ == "__main__":
    main()
