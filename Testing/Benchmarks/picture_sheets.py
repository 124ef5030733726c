"""Sheets of generated coronary trees in textbook views, to be looked at by someone who knows coronaries.

    PYTHONPATH=XRADiffSlicer python Testing/Benchmarks/picture_sheets.py

Writes Screenshots/trees-right.png and Screenshots/trees-left.png: twenty patients each, dominance (R, L, C) and sex
above each column. What to look for: the right coronary artery as a C in LAO and an L in RAO; LAD and LCX spread in
RAO caudal; in the spider view the left main towards the viewer and its daughters like legs.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from xradiff.datatypes import Acquisition
from xradiff.geometry.camera import camera_from
from xradiff.synthetic import silhouette, tubes_of
from xradiff.synthetic.anatomy import AnatomyOptions, draw_anatomy

PATIENTS = 20
plt.switch_backend("Agg")
OUT = Path(__file__).parents[2] / "Screenshots"
VIEWS = {
    "right": {"LAO 45": (45, 0), "RAO 30": (-30, 0), "AP CRA 30": (0, 30)},
    "left": {
        "RAO 30 CAU 25": (-30, -25),
        "LAO 40 CRA 25": (40, 25),
        "spider: LAO 45 CAU 30": (45, -30),
        "AP CRA 40": (0, 40),
    },
}


def sheet(side: str) -> Path:
    """Draw one sheet and return its file."""
    views = VIEWS[side]
    figure, axes = plt.subplots(2 * len(views), PATIENTS // 2, figsize=(15, 3.0 * len(views) + 0.4))
    for number in range(PATIENTS):
        anatomy = draw_anatomy(np.random.default_rng(number), AnatomyOptions(), (side,))
        points = anatomy.trees[side].points_lps_mm()
        tubes = tubes_of(anatomy.translated(-(points.min(axis=0) + points.max(axis=0)) / 2).trees[side])
        half, column = divmod(number, PATIENTS // 2)
        for row, (name, (primary, secondary)) in enumerate(views.items()):
            axis = axes[half * len(views) + row, column]
            camera = camera_from(Acquisition(primary, secondary, 1050.0, 750.0, (0.36, 0.36)), (512, 512))
            axis.imshow(~silhouette(tubes, camera), cmap="gray", vmin=-0.15)
            axis.set(xticks=[], yticks=[])
            if column == 0:
                axis.set_ylabel(name, fontsize=8)
            if row == 0:
                axis.set_title(f"{anatomy.patient.dominance[0].upper()} {anatomy.patient.sex}", fontsize=8)
    figure.tight_layout(pad=0.3)
    path = OUT / f"trees-{side}.png"
    figure.savefig(path, dpi=75, pil_kwargs={"optimize": True})
    plt.close(figure)
    return path


if __name__ == "__main__":
    for side in VIEWS:
        print(sheet(side))
