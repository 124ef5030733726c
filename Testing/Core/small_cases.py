"""Small cases for the benchmark, and what of its runs must be the same each time."""

from __future__ import annotations

import json

import numpy as np
import SimpleITK as sitk
from xradiff.centreline_tree import Branch, CentrelineTree
from xradiff.datatypes import Acquisition, VolumeGrid
from xradiff.export import write_centreline_vtp
from xradiff.export.volumes import shared_box, write_volume
from xradiff.geometry.camera import camera_from
from xradiff.synthetic import occupancy, random_tubes, silhouette

SHAPE = (96, 96)
VIEWS = ((35.0, 5.0), (-35.0, -10.0), (0.0, 35.0))
COST = ("seconds", "method_seconds", "peak_memory_mb")


def write_case(folder, side, seed, shift_mm=(0.0, 0.0, 0.0), views=2):
    """Write one case: a small coronary tree (0.35 of its size), displaced in the second view."""
    folder.mkdir(parents=True)
    tree = random_tubes(side, np.random.default_rng(seed)).transform(0.35 * np.eye(3))
    shifts = [[0.0, 0.0, 0.0], list(shift_mm), [0.0, 0.0, 0.0]][:views]
    for number, ((primary, secondary), shift) in enumerate(zip(VIEWS, shifts, strict=False)):
        acquisition = Acquisition(primary, secondary, 1070.0, 750.0, (0.8, 0.8))
        mask = silhouette(tree.translate(shift), camera_from(acquisition, SHAPE))
        sitk.WriteImage(sitk.GetImageFromArray(mask.astype(np.uint8) * 255), str(folder / f"view{number}.png"))
        facts = {"alpha": primary, "beta": secondary, "sid": 1070.0, "sod": 750.0, "spacing": 0.8}
        (folder / f"view{number}.json").write_text(json.dumps(facts))
    truth = occupancy(tree, VolumeGrid.centred((180, 180, 180), 0.5))
    write_volume(folder / "truth.nii.gz", truth, *shared_box(truth), binary=True)
    names = [f"B{number}" for number in range(len(tree.tubes))]
    branches = [
        Branch(name, tube.points_lps_mm, tube.radii_mm, np.full(len(tube.radii_mm), ""), min(0, number - 1), 0)
        for number, (name, tube) in enumerate(zip(names, tree.tubes, strict=True))
    ]
    write_centreline_vtp(folder / "truth_centreline.vtp", CentrelineTree(side, tuple(branches)))
    facts = {"side": side, "seed": seed} | ({"true_shift_lps_mm": shifts} if any(shift_mm) else {})
    (folder / "case.json").write_text(json.dumps(facts))


def numbers(runs):
    """What must not depend on workers, times or machines."""
    return {
        (run.job.case, run.job.method, run.job.setting): {k: v for k, v in run.metrics.items() if k not in COST}
        for run in runs
    }
