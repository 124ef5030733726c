"""How often calibration notices that an angle of the last view is wrong, and how often it says so without reason.

    python Testing/Benchmarks/calibration_misfit.py --cases 6

Generated trees of both sides. Both angles of the last view are off by the same number of degrees; a row has the median
distance of matched points of the view that fits worst after calibration, and in how many cases it warned.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "XRADiffSlicer"))

from xradiff.calibration import calibrate
from xradiff.synthetic.case import CaseOptions, draw_case

SEED = 990_079
KINDS = (
    (2, 0.0, "xradiff", "none", (0, 2, 4, 8)),
    (2, 0.5, "clinical", "none", (0, 2, 4, 8)),
    (3, 0.0, "clinical", "none", (0, 2, 4, 8)),
    (4, 0.0, "clinical", "none", (0, 2, 4)),
    (2, 0.0, "xradiff", "rigid", (0,)),
    (2, 0.0, "xradiff", "heart", (0,)),
    (2, 0.5, "xradiff", "heart", (0,)),
)
"""Views, damage of the masks, poses, motion, degrees."""
COLUMNS = (
    "views",
    "damage",
    "motion",
    "wrong by, degrees",
    "matched points apart, mm (median)",
    "warned",
    "wrong view named",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=2, help="trees of each side a row (default 2)")
    arguments = parser.parse_args()
    print("| " + " | ".join(COLUMNS) + " |")
    print("|" + "---|" * len(COLUMNS))
    for count, damage, poses, motion, wrong in KINDS:
        cases = [
            draw_case(CaseOptions(side=side, views=count, poses=poses, corruption=damage, motion=motion), SEED, number)
            for side in ("left", "right") for number in range(arguments.cases)
        ]  # fmt: skip
        for degrees in wrong:
            found = [told(case.views, degrees) for case in cases]
            gap, warned = np.median([one[0] for one in found]), sum(one[1] for one in found)
            named = str(sum(one[2] for one in found)) if count > 2 and degrees else ""
            print(
                f"| {count} | {damage:g} | {motion} | {degrees} | {gap:.2f} | {warned} of {len(found)} | {named} |",
                flush=True,
            )


def told(views, degrees: float) -> tuple[float, bool, bool]:
    """Return the matched gap in mm, whether calibration warned, and whether it named the last view alone."""
    *others, last = views
    pose = last.acquisition
    turned = replace(pose, primary_deg=pose.primary_deg + degrees, secondary_deg=pose.secondary_deg + degrees)
    report = calibrate((*others, last.with_acquisition(turned)))
    bad = [warning for warning in report.warnings if "fit one another badly" in warning]
    named = any(f"without {last.name} the others fit" in warning for warning in bad)
    return report.matched_gap_mm, bool(bad), named


if __name__ == "__main__":
    main()
