"""How far calibrated masks still disagree in truth, and the tolerance that calibration states for it.

    python Testing/Benchmarks/calibration_tolerance.py --cases 7

Generated trees of both sides, two views. The truth: a point of the middle line, where each view saw it, projects onto
two rays; half the gap between them, after calibration, is by how much the masks disagree there. A row has its 95th
percentile over the points of a tree and the stated tolerance, as means over the trees, and their rank correlation.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "XRADiffSlicer"))

from xradiff.calibration import calibrate
from xradiff.calibration.frame import ray_normals
from xradiff.geometry import camera_of
from xradiff.synthetic import case as synthetic

SEED = 990_020
KINDS = (("none", 0.0), ("none", 0.5), ("rigid", 0.0), ("rigid", 0.5), ("heart", 0.0), ("heart", 0.5))
COLUMNS = (
    "motion",
    "damage",
    "moved by calibration",
    "masks disagree by, mm",
    "tolerance, mm",
    "largest",
    "rank correlation",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=4, help="trees of each side a row (default 4)")
    arguments = parser.parse_args()
    print("| " + " | ".join(COLUMNS) + " |")
    print("|" + "---|" * len(COLUMNS))
    for motion, damage in KINDS:
        found = np.array([
            one_tree(synthetic.CaseOptions(side=side, motion=motion, corruption=damage), number)
            for side in ("left", "right") for number in range(arguments.cases)
        ])  # fmt: skip
        moved, truth, stated = found.T
        alike = f"{spearmanr(truth, stated).statistic:.2f}" if np.ptp(truth) > 0.01 and np.ptp(stated) else ""
        numbers = f"{truth.mean():.2f} | {stated.mean():.2f} | {stated.max():.2f} | {alike} |"
        print(f"| {motion} | {damage:g} | {int(moved.sum())} of {len(moved)} | {numbers}", flush=True)


def one_tree(options: synthetic.CaseOptions, number: int) -> tuple[bool, float, float]:
    """Return whether a view was moved, by how much the masks disagree in truth (mm), and the stated tolerance (mm)."""
    seen, moved_tree = [], synthetic.moved_tree

    def kept(*words):
        seen.append(moved_tree(*words).points_lps_mm())
        return moved_tree(*words)

    synthetic.moved_tree = kept
    try:
        case = synthetic.draw_case(options, SEED, number)
    finally:
        synthetic.moved_tree = moved_tree
    report = calibrate(case.views)
    pixels = [camera_of(view).project(points) for view, points in zip(case.views, seen[:2], strict=True)]
    _, gaps = ray_normals(*(camera_of(view) for view in report.views), *pixels)
    accepted = any(correction.accepted for correction in report.corrections)
    return accepted, float(np.percentile(np.abs(gaps), 95)) / 2, report.tolerance_mm


if __name__ == "__main__":
    main()
