"""Where the sparse diffusion fails: of each kind of case the worst of some held-out ones, drawn beside the truth.

Writes Screenshots/sparse-failure-KIND.png, seen from the front and from the left: what is right (grey), false (red)
and missed (blue); where several lie behind each other the wrong is drawn on top, false and missed together in purple.
Prints the Dice of the drawn and the median case. Of the kind "crossings" only trees are drawn that both images show
whole.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import matplotlib as mpl
import numpy as np
from xradiff.datatypes import SparseVolume
from xradiff.geometry import camera_of
from xradiff.pipeline import reconstruct
from xradiff.synthetic.case import CaseOptions, SyntheticCase, draw_case
from xradiff.synthetic.tubes import occupancy, tubes_of

mpl.use("Agg")
import matplotlib.pyplot as plt

RIGHT, FALSE, MISSED, BOTH = (0.72, 0.72, 0.72), (0.85, 0.15, 0.1), (0.1, 0.3, 0.85), (0.6, 0.1, 0.6)
WRONG_VOXELS = 2
"""Along a line of sight: a single voxel beside a wall is no failure that one could see."""
WHOLE = 0.99
OUT = Path(__file__).parents[2] / "Screenshots"
SEED = 990_004
KINDS = {
    "crossings": (CaseOptions(side="left"), "off"),
    "motion": (CaseOptions(motion="heart", corruption=0.5), "auto"),
    "damage": (CaseOptions(corruption=1.0), "off"),
}


def answer(case: SyntheticCase, calibrate: str) -> tuple[float, np.ndarray, np.ndarray]:
    """Return Dice, and the result and the truth as dense masks of one grid."""
    found = reconstruct(case.views, "sparse_diffusion", calibrate_mode=calibrate).segmentation
    truth = occupancy(tubes_of(case.subject.tree), found.grid)
    masks = [dense(volume) for volume in (found, truth)]
    return 2 * (masks[0] & masks[1]).sum() / (masks[0].sum() + masks[1].sum()), masks[0], masks[1]


def shown(case: SyntheticCase) -> float:
    """Return the share of the centreline that lies in all images."""
    points = case.subject.tree.points_lps_mm()
    seen = np.ones(len(points), dtype=bool)
    for view in case.views:
        pixels = camera_of(view).project(points)
        seen &= ((pixels >= 0) & (pixels < view.shape)).all(axis=1)
    return float(seen.mean())


def dense(volume: SparseVolume) -> np.ndarray:
    mask = np.zeros(volume.grid.shape, dtype=bool)
    mask[tuple(volume.indices.T)] = True
    return mask


def picture(found: np.ndarray, truth: np.ndarray, axis: int) -> np.ndarray:
    """Return (z, other, 3): the colours of what is right, false and missed along an axis."""
    right, false, missed = (
        (part.sum(axis=axis) >= least).T[::-1]
        for part, least in ((found & truth, 1), (found & ~truth, WRONG_VOXELS), (truth & ~found, WRONG_VOXELS))
    )
    image = np.ones((*right.shape, 3))
    for part, colour in ((right, RIGHT), (false, FALSE), (missed, MISSED), (false & missed, BOTH)):
        image[part] = colour
    return image


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=12, help="of each kind")
    options = parser.parse_args()
    for kind, (drawn, calibrate) in KINDS.items():
        drawn_one_by_one = (draw_case(drawn, SEED, number) for number in itertools.count())
        if kind == "crossings":
            drawn_one_by_one = (case for case in drawn_one_by_one if shown(case) >= WHOLE)
        cases = list(itertools.islice(drawn_one_by_one, options.cases))
        answers = [answer(case, calibrate) for case in cases]
        scores = np.array([one[0] for one in answers])
        worst, found, truth = answers[int(scores.argmin())]
        used = [slice(low, high + 1) for low, high in zip(*extent(found | truth), strict=True)]
        found, truth = found[tuple(used)], truth[tuple(used)]
        figure, axes = plt.subplots(1, 2, figsize=(9, 4.8), dpi=110)
        for axes_, axis, title in zip(axes, (1, 0), ("from the front", "from the left"), strict=True):
            axes_.imshow(picture(found, truth, axis), interpolation="nearest")
            axes_.set_title(title)
            axes_.axis("off")
        figure.suptitle(f"{kind}: worst of {len(scores)}, Dice {worst:.2f} (median {np.median(scores):.2f})")
        figure.savefig(OUT / f"sparse-failure-{kind}.png", bbox_inches="tight")
        plt.close(figure)
        print(f"{kind}: worst {worst:.3f} (number {int(scores.argmin())}), median {np.median(scores):.3f}", flush=True)


def extent(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    filled = np.argwhere(mask)
    return filled.min(axis=0), filled.max(axis=0)


if __name__ == "__main__":
    main()
