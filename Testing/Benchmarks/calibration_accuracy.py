"""How well the shift between two views is recovered from their masks alone.

    python Testing/Benchmarks/calibration_accuracy.py --trees 40

Each case: a random analytic tree, two exact silhouettes (512 x 512, 0.308 mm, SID 1080, SOD 749), the
patient displaced in the second by up to 20 mm (uniform) in any direction, or along n only. "Damaged" masks
lack 2 distal ends, have 3 breaks and 6 spurs each. The error is that of the displacement along
n = d_A x d_B; "worse" means more than 0.1 mm worse than no correction at all.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "XRADiffSlicer"))

from xradiff.calibration import calibrate
from xradiff.datatypes import Acquisition, AngiogramView
from xradiff.geometry import camera_of, detector_axes
from xradiff.geometry.epipolar import epipolar_normal
from xradiff.synthetic import CorruptionOptions, corrupt_mask, random_tubes, silhouette

ANGLES = {"right": ((40.0, -8.0), (-39.0, 6.0)), "left": ((45.0, -25.0), (-30.0, 25.0))}
LARGEST_MM = 20.0
COLUMNS = (
    "masks",
    "displacement",
    "tree",
    "cases",
    "median displacement along n (mm)",
    "median error along n (mm)",
    "90th percentile (mm)",
    "above 0.5 mm",
    "worse than before",
    "corrected",
    "median error along m, before -> after (mm)",
    "seconds",
)

DAMAGE = CorruptionOptions.only(missing_ends=2, breaks=3, spurs=6)


def make_case(side: str, seed: int, damaged: bool, along_n: bool) -> tuple[list[AngiogramView], NDArray[np.float64]]:
    """Return two views and the true displacement (3,) in the second one, LPS mm."""
    rng = np.random.default_rng(seed)
    tree = random_tubes(side, rng)
    a, b = (detector_axes(*angles)[2] for angles in ANGLES[side])
    direction = np.cross(a, b) * rng.choice([-1, 1]) if along_n else rng.normal(size=3)
    shift = direction / np.linalg.norm(direction) * rng.uniform(0, LARGEST_MM)
    views = []
    for k, (primary, secondary) in enumerate(ANGLES[side]):
        acquisition = Acquisition(primary, secondary, 1080.0, 749.0, (0.308, 0.308))
        view = AngiogramView(f"view {k}", np.zeros((512, 512), np.uint8), acquisition)
        mask = silhouette(tree.translate(k * shift), camera_of(view))
        views.append(view.with_mask(corrupt_mask(mask, rng, DAMAGE) if damaged else mask))
    return views, shift


def row(side: str, damaged: bool, along_n: bool, trees: int, first_seed: int) -> str:
    """Return one line of the table."""
    errors, before, across, seconds, accepted = [], [], [], [], []
    for seed in range(first_seed, first_seed + trees):
        views, truth = make_case(side, seed, damaged, along_n)
        a, b = (camera_of(view) for view in views)
        n = epipolar_normal(a, b)
        m = np.cross(n, b.source - a.source) / np.linalg.norm(b.source - a.source)
        start = time.perf_counter()
        correction = calibrate(views).corrections[0]
        seconds.append(time.perf_counter() - start)
        rest = np.asarray(correction.shift_lps_mm) - truth
        errors.append(abs(rest @ n))
        across.append((abs(truth @ m), abs(rest @ m)))
        before.append(abs(truth @ n))
        accepted.append(correction.accepted)
    worse = np.mean(np.array(errors) > np.array(before) + 0.1)
    m_before, m_after = np.median(across, axis=0)
    cells = [
        "damaged" if damaged else "clean",
        "along n" if along_n else "any direction",
        side,
        str(trees),
        f"{np.median(before):.2f}",
        f"{np.median(errors):.3f}",
        f"{np.percentile(errors, 90):.2f}",
        f"{np.mean(np.array(errors) > 0.5):.1%}",
        f"{worse:.1%}",
        f"{np.mean(accepted):.0%}",
        f"{m_before:.1f} -> {m_after:.1f}",
        f"{np.median(seconds):.2f}",
    ]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trees", type=int, default=40, help="trees a row (default 40)")
    parser.add_argument("--seed", type=int, default=1000, help="seed of the first tree (default 1000)")
    arguments = parser.parse_args()
    print("| " + " | ".join(COLUMNS) + " |")
    print("|" + "---|" * len(COLUMNS))
    for damaged in (False, True):
        for along_n in (False, True):
            for side in ANGLES:
                print(row(side, damaged, along_n, arguments.trees, arguments.seed), flush=True)


if __name__ == "__main__":
    main()
