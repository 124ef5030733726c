"""What clDice loses: why points of the true skeleton are not in the result of sparse XRA-Diff.

    PYTHONPATH=XRADiffSlicer python Testing/Benchmarks/sparse_diffusion_missed.py --cases 12

Cases as in the first table of the method's README. A missed point lies beside the result (within 1.5 mm), or far from
it; of the far ones, whether its pixel in each image is covered by the result all the same, within a pixel: then no
mask says that anything is missing.
"""

from __future__ import annotations

import argparse

import numpy as np
from bench_tools import write_table
from scipy.ndimage import binary_dilation, distance_transform_edt
from xradiff.geometry import camera_of
from xradiff.pipeline import reconstruct
from xradiff.projection import silhouette
from xradiff.quantification import skeleton
from xradiff.synthetic.case import CaseOptions, draw_case
from xradiff.training.truth import TreeTruth

SEED = 990_001
BESIDE_MM = 1.5
KINDS = ("beside it", "outside of an image", "covered in every image", "not covered in one image", "in more")


def missed(case) -> np.ndarray:
    """Return the number of points of the true skeleton: all of them, then the missed ones of each of KINDS."""
    found = reconstruct(case.views, "sparse_diffusion", calibrate_mode="off")
    grid = found.segmentation.grid
    true = TreeTruth(case.subject.tree).voxels(grid)
    low = np.minimum(true.indices.min(axis=0), found.segmentation.indices.min(axis=0)) - 1
    high = np.maximum(true.indices.max(axis=0), found.segmentation.indices.max(axis=0)) + 2
    masks = np.zeros((2, *(high - low)), dtype=bool)
    for mask, volume in zip(masks, (true, found.segmentation), strict=True):
        mask[tuple((volume.indices - low).T)] = True
    places = np.argwhere(skeleton(masks[0]))
    distance = distance_transform_edt(~masks[1])[tuple(places.T)] * grid.spacing_mm[0]
    far = distance > BESIDE_MM
    unexplained, outside = views_of(found, grid.centres(places[far] + low))
    kinds = [
        ((distance > 0) & ~far).sum(),
        outside.sum(),
        *(((unexplained == count) & ~outside).sum() for count in (0, 1)),
        ((unexplained > 1) & ~outside).sum(),
    ]
    return np.array([len(places), *kinds])


def views_of(found, points) -> tuple[np.ndarray, np.ndarray]:
    """Return in how many images the result does not cover each point (N, 3), and whether one does not show it."""
    count, outside = np.zeros(len(points), dtype=int), np.zeros(len(points), dtype=bool)
    for view in found.views:
        camera = camera_of(view)
        pixels = np.rint(camera.project(points)).astype(int)
        shown = ((pixels >= 0) & (pixels < camera.shape)).all(axis=1)
        covered = binary_dilation(silhouette(found.segmentation, camera), np.ones((3, 3)))
        nearest = np.clip(pixels, 0, np.subtract(camera.shape, 1))
        count += ~covered[tuple(nearest.T)]
        outside |= ~shown
    return count, outside


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=12)
    options = parser.parse_args()
    rows = []
    for side in ("right", "left"):
        cases = [draw_case(CaseOptions(side=side), SEED, number) for number in range(options.cases)]
        total, *kinds = np.sum([missed(case) for case in cases], axis=0)
        rows.append([side, len(cases), *(f"{count / total:.1%}" for count in (sum(kinds), *kinds))])
    command = f"sparse_diffusion_missed.py --cases {options.cases}"
    columns = ["side", "cases", "missed", *KINDS]
    write_table("sparse_diffusion_missed", "Share of the true skeleton that is missed", columns, rows, script=command)


if __name__ == "__main__":
    main()
