"""A method that works on a cube against the backprojection it starts from, on new generated cases of several kinds.

Dice (XRA-Diff eq. 7) of the voxels of at least 0.5 on the method's own grid; the truth is every voxel that a vessel
touches, as in its training. The backprojection of the same grid is also cut where its mean Dice is best. Coverage is
the share of the masks that the result projects onto. 95 % intervals by bootstrap over cases.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
import torch
from bench_tools import write_table
from xradiff.config import config_from
from xradiff.geometry import camera_of
from xradiff.progress import silent
from xradiff.projection.silhouette import silhouette
from xradiff.quantification import coverage, dice
from xradiff.reconstruction.interface import ReconstructionInputs
from xradiff.reconstruction.registry import config_class, load_method, load_trainable, method_spec
from xradiff.resources import resource
from xradiff.synthetic.case import CaseOptions
from xradiff.training.cases import GeneratedCases
from xradiff.weights import find_weights, open_weights

SEED = 1_000_003  # no case of the training, whose seed is 0
METHODS = ("unet3d", "gan", "unet3d_diffusion")
KINDS = {
    "left, as trained": {"side": "left"},
    "right, as trained": {"side": "right"},
    "masks damaged (0.5)": {"corruption": 0.5},
    "rigid motion between the views": {"motion": "rigid"},
    "as thick as CTA labels": {"thickness": "cta_label"},
    "poses of the clinic": {"poses": "clinical"},
}
CASES = 20
CUTS = (0.01, 0.1, 0.3, 0.5, 0.7, 0.9)


def example_maker(spec, recipe):
    """Return what made the training examples of weights with this recipe."""
    settings = {name: value for name, value in recipe.items() if name not in ("network", "source")}
    return load_trainable(spec).from_settings(settings | recipe.get("network", {})).example


def scores(spec, config, example, options, cases):
    """Return Dice of the method, and of the backprojection at each of CUTS, and coverage: (cases, 1 + cuts + 1)."""
    source, found = GeneratedCases(CaseOptions(**options), SEED, cases), []
    for number in range(cases):
        views, truth = source.case(number)
        given = example(views, truth)
        true, hull = given["volume"][0].numpy() > 0, given["backprojection"][0].numpy()
        volume = (
            load_method(spec)
            .reconstruct(ReconstructionInputs(views), config, generator=np.random.default_rng(number), progress=silent)
            .volume
        )
        vessel = volume.where(volume.values >= 0.5)
        answer = np.zeros(true.shape, dtype=bool)
        answer[tuple(vessel.indices.T)] = True
        shown = [coverage(silhouette(vessel, camera_of(view)), view.vessel_mask()) for view in views]
        found.append([dice(answer, true), *(dice(hull >= cut, true) for cut in CUTS), np.mean(shown)])
    return np.array(found)


def interval(values):
    """Return "mean (low to high)"."""
    draws = np.random.default_rng(0).choice(values, (2000, len(values))).mean(axis=1)
    low, high = np.quantile(draws, (0.025, 0.975))
    return f"{values.mean():.2f} ({low:.2f} to {high:.2f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("methods", nargs="*", help="default: those whose weights are shipped")
    parser.add_argument("--weights", default="", help="name or path; default METHOD_both")
    parser.add_argument("--cases", type=int, default=CASES, help="of each kind")
    parser.add_argument("--kinds", type=int, default=len(KINDS), help="how many of the kinds, in their order")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of the method")
    options = parser.parse_args()
    shipped = [name for name in METHODS if (resource("Models") / f"{name}_both.safetensors").is_file()]
    for name in options.methods or shipped:
        table(name, options)


def table(name, options):
    """Write the table of one method."""
    spec = method_spec(name)
    path = find_weights(options.weights or f"{name}_both", "train them first")
    weights = open_weights(path, name)
    settings = dict(pair.split("=", 1) for pair in options.set)
    config = config_from(config_class(spec), settings | {"weights": str(path)})
    example, rows = example_maker(spec, weights.recipe), []
    for kind, values in list(KINDS.items())[: options.kinds]:
        found = scores(spec, config, example, values, options.cases)
        best = 1 + int(found[:, 1:-1].mean(axis=0).argmax())
        hull = 1 + CUTS.index(0.5)
        rows.append([kind, interval(found[:, 0]), interval(found[:, hull]), f"{found[:, best].mean():.2f}"])
        rows[-1].append(f"{found[:, -1].mean():.2f}")
        print(name, *rows[-1], sep=" | ", file=sys.stderr, flush=True)
    note = (
        f"Weights {weights.sha256[:12]}; {options.cases} cases of each kind, seed {SEED}. {weights.recipe['source']}"
    )
    heading = ["cases", spec.title, "backprojection at 0.5", "backprojection, best cut", f"coverage by {spec.title}"]
    script = f"cube_accuracy.py {name}" + (f" --cases {options.cases}" if options.cases != CASES else "")
    write_table(f"{name}_accuracy", f"{spec.title}: mean Dice on new generated cases", heading, rows, note, script)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
