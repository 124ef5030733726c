"""What pixels and voxels cost: sparse XRA-Diff on the same cases with finer images, and what the truth itself covers.

    PYTHONPATH=XRADiffSlicer python Testing/Benchmarks/pixel_limits.py --cases 6

Cases as in the first table of the method's README, other seed; only the pixels differ. "edge error" is that of the
signed distance at pixels within 2 px of a mask's edge (standard deviation in mm at the isocentre, against silhouettes
drawn five times finer): of the mask's stairs, averaged along the vessels, and fitted besides as the method is told.
"truth covers" is the share of the masks' pixels on which the true voxels of 0.5 mm project: no right result in such
voxels covers more.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
from bench_tools import write_table
from xradiff.geometry import camera_of
from xradiff.pipeline import reconstruct
from xradiff.projection import signed_distance_px, silhouette
from xradiff.quantification import cldice, dice, on_common_grid
from xradiff.reconstruction.methods.sparse_diffusion.edges import averaged_along
from xradiff.reconstruction.methods.sparse_diffusion.vessel_maps import ALONG_MM, vessel_maps
from xradiff.synthetic.case import CaseOptions, draw_case
from xradiff.synthetic.tubes import silhouette as tube_silhouette
from xradiff.synthetic.tubes import tubes_of
from xradiff.training.truth import TreeTruth

SEED = 990_020
SIZES = (384, 512, 1024)
FINER = 5
NEAR_PX = 2.0


def row_of(side: str, number: int, image_px: int) -> list[float]:
    """Return Dice, clDice, the three edge errors (mm), coverage by the result and by the truth."""
    case = draw_case(CaseOptions(side=side, image_px=image_px), SEED, number)
    found = reconstruct(case.views, "sparse_diffusion", calibrate_mode="off")
    vessels = replace(found.segmentation, values=np.ones_like(found.segmentation.values))
    truth = TreeTruth(case.subject.tree).voxels(found.segmentation.grid)
    same = on_common_grid(vessels, truth)
    covered = [coverage(volume, case.views) for volume in (found.segmentation, truth)]
    errors = np.mean([edge_errors(case, view) for view in case.views], axis=0)
    return [dice(same.result, same.truth), cldice(same.result, same.truth).value, *errors, *covered]


def coverage(volume, views) -> float:
    """Return the mean share of the masks' pixels on which a voxel projects."""
    shares = [silhouette(volume, camera_of(view))[view.vessel_mask()].mean() for view in views]
    return float(np.mean(shares))


def edge_errors(case, view) -> list[float]:
    """Return the standard deviation in mm of the error of the stairs' edges, the averaged and the fitted ones."""
    camera = camera_of(view)
    fine = replace(
        camera,
        pixel_spacing_mm=tuple(size / FINER for size in camera.pixel_spacing_mm),
        principal_point=tuple(place * FINER + (FINER - 1) / 2 for place in camera.principal_point),
        shape=tuple(count * FINER for count in camera.shape),
    )
    middle = slice(FINER // 2, None, FINER)
    true = signed_distance_px(tube_silhouette(tubes_of(case.subject.tree), fine))[middle, middle] / FINER
    near = np.abs(true) < NEAR_PX
    maps = vessel_maps(view)
    pixel_mm = float(camera.pixel_size_mm(-camera.source @ camera.d))
    stairs = maps.cone.distance_px
    averaged = averaged_along(stairs, maps.tangent, maps.clarity, ALONG_MM / pixel_mm)
    return [float((found - true)[near].std() * pixel_mm) for found in (stairs, averaged, maps.edge.distance_px)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=6)
    cases = parser.parse_args().cases
    rows = []
    for side in ("right", "left"):
        for image_px in SIZES:
            means = np.mean([row_of(side, number, image_px) for number in range(cases)], axis=0)
            rows.append([side, image_px, cases, *(f"{value:.3f}" for value in means)])
            print(*rows[-1], flush=True)
    columns = ["side", "image, px", "cases", "Dice", "clDice", "edge error, stairs mm", "averaged mm", "fitted mm"]
    columns += ["result covers", "truth covers"]
    title = "What pixels and voxels cost sparse XRA-Diff"
    write_table("pixel_limits", title, columns, rows, script=f"pixel_limits.py --cases {cases}")


if __name__ == "__main__":
    main()
