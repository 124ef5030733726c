"""The 3D U-Net against the backprojection it starts from, on new generated cases and on kinds it was not trained on.

Dice (XRA-Diff eq. 7) of the voxels of at least 0.5 on the network's own grid; the truth is every voxel that a vessel
touches (2^3 points a voxel). The backprojection is also cut where its mean Dice is best. Coverage is the share of the
masks that the result projects onto. 95 % intervals by bootstrap over cases.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
import torch
from bench_tools import write_table
from xradiff.datatypes import SparseVolume
from xradiff.geometry import camera_of
from xradiff.projection.silhouette import silhouette
from xradiff.quantification import coverage, dice
from xradiff.reconstruction.backprojection import backprojection_cube
from xradiff.reconstruction.cube_networks import load_network
from xradiff.reconstruction.methods.unet3d.network import VesselUNet3D
from xradiff.reconstruction.methods.unet3d.recipe import Recipe
from xradiff.reconstruction.weights import find_weights, open_weights
from xradiff.synthetic.case import CaseOptions
from xradiff.training.cases import GeneratedCases

SEED = 1_000_003  # no case of the training, whose seed is 0
KINDS = {
    "left, as trained": {"side": "left"},
    "right, as trained": {"side": "right"},
    "masks damaged (0.5)": {"corruption": 0.5},
    "rigid motion between the views": {"motion": "rigid"},
    "as thick as CTA labels": {"thickness": "cta_label"},
    "poses of the clinic": {"poses": "clinical"},
}
CUTS = (0.01, 0.1, 0.3, 0.5, 0.7, 0.9)


def scores(network, recipe, options, cases):
    """Return Dice of the network, and of the backprojection at each of CUTS: (cases, 1 + cuts + 1); and coverage."""
    source, found = GeneratedCases(CaseOptions(**options), SEED, cases), []
    for number in range(cases):
        views, truth = source.case(number)
        cube = backprojection_cube(views, recipe.size, recipe.spacing_mm)
        true = truth.occupancy(cube.grid) > 0
        with torch.no_grad():
            answer = network(torch.from_numpy(cube.values)[None, None]).sigmoid()[0, 0].numpy()
        shown = [_covered(SparseVolume.from_dense(answer >= 0.5, cube.grid), view) for view in views]
        cuts = [dice(cube.values >= cut, true) for cut in CUTS]
        found.append([dice(answer >= 0.5, true), *cuts, np.mean(shown)])
    return np.array(found)


def _covered(volume, view):
    """Return the share of the view's mask that `volume` projects onto."""
    return coverage(silhouette(volume, camera_of(view)), view.vessel_mask())


def interval(values):
    """Return "mean (low to high)"."""
    draws = np.random.default_rng(0).choice(values, (2000, len(values))).mean(axis=1)
    low, high = np.quantile(draws, (0.025, 0.975))
    return f"{values.mean():.2f} ({low:.2f} to {high:.2f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", default="unet3d_both", help="name or path")
    parser.add_argument("--cases", type=int, default=20, help="of each kind")
    options = parser.parse_args()
    weights = open_weights(find_weights(options.weights, "train them first"), "unet3d")
    recipe = Recipe.from_json(weights.recipe)
    with torch.device("meta"):
        empty = VesselUNet3D(recipe)
    network = load_network(empty, weights)
    rows = []
    for kind, values in KINDS.items():
        found = scores(network, recipe, values, options.cases)
        best = 1 + int(found[:, 1:-1].mean(axis=0).argmax())
        hull = 1 + CUTS.index(0.5)
        rows.append([kind, interval(found[:, 0]), interval(found[:, hull]), f"{found[:, best].mean():.2f}"])
        rows[-1].append(f"{found[:, -1].mean():.2f}")
        print(*rows[-1], sep=" | ", file=sys.stderr, flush=True)
    note = f"Weights {weights.sha256[:12]}; {options.cases} cases of each kind, seed {SEED}. {recipe.source}"
    heading = ["cases", "3D U-Net", "backprojection at 0.5", "backprojection, best cut", "coverage of the U-Net"]
    write_table("unet3d_accuracy", "3D U-Net: mean Dice on new generated cases", heading, rows, note)


if __name__ == "__main__":
    main()
