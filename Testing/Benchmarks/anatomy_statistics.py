"""What the generator draws beside what is published.

PYTHONPATH=XRADiffSlicer python Testing/Benchmarks/anatomy_statistics.py
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from bench_tools import write_table
from xradiff.centreline_tree import Branch
from xradiff.synthetic.anatomy import Anatomy, AnatomyOptions, draw_anatomy

PATIENTS = 600
HEALTHY = AnatomyOptions(stenoses=0, diffuse=0, ectasia=0, occlusion=0)
PUBLISHED = {
    "left main, mm (men)": "4.5 +- 0.5 (Dodge 1992)",
    "proximal LAD, mm (men)": "3.7 +- 0.4 (Dodge 1992)",
    "distal LAD, mm (men)": "1.9 +- 0.4 (Dodge 1992)",
    "proximal RCA, right-dominant, mm (men)": "3.9 +- 0.6 (Dodge 1992)",
    "proximal RCA, left-dominant, mm (men)": "2.8 +- 0.5 (Dodge 1992)",
    "proximal LCX, right-dominant, mm (men)": "3.4 +- 0.5 (Dodge 1992)",
    "proximal LCX, left-dominant, mm (men)": "4.2 +- 0.6 (Dodge 1992)",
    "length of the left main, mm": "10.5 +- 5.3 (atlas)",
    "length of the LAD, mm": "109.5 +- 14.5 (72-145) in one series; see below",
    "length of the LCX, right-dominant, mm": "66.3 +- 11.6 (41-108)",
    "RCA to the crux, mm": "120-140",
    "angle LAD-LCX, deg": "75 +- 23 (atlas)",
    "angle LAD-LCX with a ramus, deg": "89 +- 21 (atlas)",
    "right / left / co-dominant, %": "84.2 / 10.9 / 4.8",
    "one / two / three diagonals, %": "14 / 62 / 24",
    "ramus, %": "15-32",
}


def diameter(branch: Branch, low_mm: float, high_mm: float) -> float:
    """Return the mean diameter between two distances from the branch's begin."""
    along = branch.arclength_mm
    return float(2 * branch.radii_mm[(along >= low_mm) & (along <= high_mm)].mean())


def angle_deg(a: Branch, b: Branch) -> float:
    """Return the angle between the first 8 mm of two branches."""
    steps = [branch.points_lps_mm[16] - branch.points_lps_mm[0] for branch in (a, b)]
    cosine = steps[0] @ steps[1] / np.linalg.norm(steps[0]) / np.linalg.norm(steps[1])
    return float(np.degrees(np.arccos(cosine)))


def add(found: dict[str, list[float]], anatomy: Anatomy) -> None:
    """Add one patient's numbers."""
    left, right, dominance = anatomy.trees["left"], anatomy.trees["right"], anatomy.patient.dominance
    found["length of the left main, mm"].append(left["LM"].length_mm)
    found["length of the LAD, mm"].append(left["LAD"].length_mm)
    if dominance == "right":
        found["length of the LCX, right-dominant, mm"].append(left["LCX"].length_mm)
    if "PDA" in right.names:
        found["RCA to the crux, mm"].append(right["RCA"].arclength_mm[right["PDA"].parent_point])
    ramus = " with a ramus" if "RI" in left.names else ""
    found[f"angle LAD-LCX{ramus}, deg"].append(angle_deg(left["LAD"], left["LCX"]))
    if anatomy.patient.sex == "female":
        return
    lad = left["LAD"]
    found["left main, mm (men)"].append(2 * float(left["LM"].radii_mm.mean()))
    found["proximal LAD, mm (men)"].append(diameter(lad, 4, 10))
    found["distal LAD, mm (men)"].append(diameter(lad, 0.72 * lad.length_mm, 0.82 * lad.length_mm))
    if dominance != "co":
        found[f"proximal RCA, {dominance}-dominant, mm (men)"].append(diameter(right["RCA"], 4, 15))
        found[f"proximal LCX, {dominance}-dominant, mm (men)"].append(diameter(left["LCX"], 3, 10))


def main() -> None:
    """Draw the patients and write the table."""
    population = [draw_anatomy(np.random.default_rng(seed), HEALTHY) for seed in range(PATIENTS)]
    found: dict[str, list[float]] = defaultdict(list)
    for anatomy in population:
        add(found, anatomy)
    texts = {
        name: f"{np.mean(values):.1f} +- {np.std(values):.1f} ({min(values):.1f}-{max(values):.1f})"
        for name, values in found.items()
    }
    kinds = [anatomy.patient.dominance for anatomy in population]
    texts["right / left / co-dominant, %"] = " / ".join(
        f"{100 * kinds.count(kind) / PATIENTS:.1f}" for kind in ("right", "left", "co")
    )
    names = [anatomy.trees["left"].names for anatomy in population]
    counts = [sum(name in ("D1", "D2", "D3") for name in own) for own in names]
    texts["one / two / three diagonals, %"] = " / ".join(
        f"{100 * counts.count(number) / PATIENTS:.0f}" for number in (1, 2, 3)
    )
    texts["ramus, %"] = f"{100 * np.mean(['RI' in own for own in names]):.0f}"
    rows = [[name, texts[name], published] for name, published in PUBLISHED.items()]
    write_table(
        "anatomy_statistics",
        f"{PATIENTS} generated patients",
        ["what", "generated: mean +- SD (range)", "published"],
        rows,
    )


if __name__ == "__main__":
    main()
