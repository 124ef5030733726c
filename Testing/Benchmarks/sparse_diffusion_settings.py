"""What each input, each setting and each trick of the sparse diffusion gives: Dice and clDice of generated cases.

Inputs are taken away from the trained network: their numbers are replaced by their mean over the case. That shows
what it relies on; a network trained without them would do better than that.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from bench_tools import write_table
from xradiff.datatypes import SparseVolume
from xradiff.postprocess import PostprocessConfig, postprocess
from xradiff.postprocess.components import component_labels
from xradiff.progress import silent
from xradiff.quantification import cldice, dice
from xradiff.reconstruction.interface import ReconstructionInputs
from xradiff.reconstruction.methods.sparse_diffusion.active import LEAST_TOLERANCE_MM
from xradiff.reconstruction.methods.sparse_diffusion.answers import probabilities_of
from xradiff.reconstruction.methods.sparse_diffusion.case import SparseCase, prepare_case
from xradiff.reconstruction.methods.sparse_diffusion.coarse import coarse_start
from xradiff.reconstruction.methods.sparse_diffusion.config import SparseDiffusionConfig
from xradiff.reconstruction.methods.sparse_diffusion.mask_guidance import fill_pixels
from xradiff.reconstruction.methods.sparse_diffusion.method import bridged_without_ghosts, volume_of
from xradiff.reconstruction.methods.sparse_diffusion.network import load_denoiser
from xradiff.reconstruction.methods.sparse_diffusion.recipe import Recipe
from xradiff.synthetic.case import CaseOptions, draw_case
from xradiff.synthetic.tubes import occupancy, tubes_of
from xradiff.weights import find_weights, open_weights

SEED = 990_001
PLAIN = SparseDiffusionConfig(
    steps=1, passes=3, moved_passes=0, samples=1, guidance=1.0, mask_guidance=0, connect_mm=0.0, largest_ghost_mm3=0.0
)
SETTINGS = {
    "by default": SparseDiffusionConfig(),
    "by default, mask guidance 0": SparseDiffusionConfig(mask_guidance=0),
    "by default, least_coverage 0": SparseDiffusionConfig(least_coverage=0.0),
    "by default, least_coverage 1": SparseDiffusionConfig(least_coverage=1.0),
    "by default, float32": SparseDiffusionConfig(precision="float32"),
    "by default, ghosts kept": SparseDiffusionConfig(largest_ghost_mm3=0.0),
    "by default, 4 samples": SparseDiffusionConfig(samples=4, steps=2, moved_passes=1),
    "1 step of 3 passes": PLAIN,
    "1 pass": replace(PLAIN, passes=1),
    "2 passes": replace(PLAIN, passes=2),
    "6 passes": replace(PLAIN, passes=6),
    "1 pass, 1 on moved blocks": replace(PLAIN, passes=1, moved_passes=1),
    "1 pass, 3 on moved blocks": replace(PLAIN, passes=1, moved_passes=3),
    "1 pass, 5 on moved blocks": replace(PLAIN, passes=1, moved_passes=5),
    "1 pass, 7 on moved blocks": replace(PLAIN, passes=1, moved_passes=7),
    "2 passes, 1 on moved blocks": replace(PLAIN, passes=2, moved_passes=1),
    "2 passes, 7 on moved blocks": replace(PLAIN, passes=2, moved_passes=7),
    "3 steps of 1 pass": replace(PLAIN, steps=3, passes=1),
    "10 steps of 1 pass": replace(PLAIN, steps=10, passes=1),
    "3 steps of 1 pass, 4 samples": replace(PLAIN, steps=3, passes=1, samples=4),
    "guidance 1.5": replace(PLAIN, guidance=1.5),
    "guidance 3": replace(PLAIN, guidance=3.0),
    "mask guidance 3": replace(PLAIN, mask_guidance=3),
    "mask guidance 10": replace(PLAIN, mask_guidance=10),
    "mask guidance 40": replace(PLAIN, mask_guidance=40),
    "gaps bridged up to 5 mm": replace(PLAIN, connect_mm=5.0),
    "gaps bridged up to 10 mm": replace(PLAIN, connect_mm=10.0),
    "gaps bridged up to 10 mm, no ghosts": replace(PLAIN, connect_mm=10.0, largest_ghost_mm3=15.0),
}
SINGLE = {"edge distance": range(8), "radius": [8], "clarity, obliqueness": range(9, 12), "rivals": range(12, 14)}
SHARED = {
    "direction both images imply": range(6), "lines of sight": range(6, 12), "radius mean, least": [12, 13],
    "radius agreement": [14], "place in the tree": range(15, 18),
    "implied wall": range(20, 29), "agreement of calibres": [29],
}  # fmt: skip


def without(case: SparseCase, single: object = (), shared: object = ()) -> SparseCase:
    """Return the case with columns of its features replaced by their means."""
    one, both = case.features.single.copy(), case.features.shared.copy()
    for column in single:
        one[..., column] = one[..., column].mean(axis=1, keepdims=True)
    for column in shared:
        both[:, column] = both[:, column].mean()
    return replace(case, features=replace(case.features, single=one, shared=both))


def ways() -> dict[str, tuple[SparseDiffusionConfig, Callable[[SparseCase], SparseCase], str]]:
    """Return name -> (settings, change of the case, side told)."""
    found = {name: (config, lambda case: case, "auto") for name, config in SETTINGS.items()}
    found["side told"] = (PLAIN, lambda case: case, "as it is")
    for name, columns in SINGLE.items():
        found[f"without {name}"] = (PLAIN, lambda case, c=columns: without(case, single=c), "auto")
    for name, columns in SHARED.items():
        found[f"without {name}"] = (PLAIN, lambda case, c=columns: without(case, shared=c), "auto")
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=5, help="of each side")
    parser.add_argument("--weights", default="sparse_diffusion_both")
    options = parser.parse_args()
    weights = open_weights(find_weights(options.weights, "train some"), "sparse_diffusion")
    recipe = Recipe.from_json(weights.recipe)
    network, tried = load_denoiser(weights, recipe, "cpu"), ways()
    scores: dict[str, dict[str, list[tuple[float, ...]]]] = {name: {"left": [], "right": []} for name in tried}
    for side in ("left", "right"):
        for number in range(options.cases):
            drawn = draw_case(CaseOptions(side=side), SEED, number)
            start = coarse_start(
                ReconstructionInputs(drawn.views, 0.5), PLAIN, recipe, LEAST_TOLERANCE_MM, np.random.default_rng(0)
            )
            case = prepare_case(drawn.views, recipe.spacing_mm, thinning=start)
            truth = occupancy(tubes_of(drawn.subject.tree), case.voxels.fine)
            for name, (config, change, told) in tried.items():
                inputs = ReconstructionInputs(drawn.views, 0.5, side if told == "as it is" else "auto")
                shares: list[float] = []
                mean = probabilities_of(
                    network, change(case), inputs, recipe, config, generator=np.random.default_rng(0), progress=silent,
                    filled=shares.append,
                ).mean(axis=0)  # fmt: skip
                if shares and config.samples > 1:
                    mean = fill_pixels(mean, case.voxels, drawn.views)
                found = bridged_without_ghosts(volume_of(case.voxels, mean), case, config, filled=bool(shares))
                scores[name][side].append(score(found, truth))
    rows = [[name, *cells(by_side)] for name, by_side in scores.items()]
    columns = ["", *(f"{side} {what}" for side in ("left", "right") for what in ("Dice", "clDice", "components"))]
    title = f"Sparse diffusion: settings and inputs, {options.cases} cases a side, exact masks"
    script = f"sparse_diffusion_settings.py --cases {options.cases}"
    write_table("sparse_diffusion_settings", title, columns, rows, "Means, after the default postprocessing.", script)


def score(found: SparseVolume, truth: SparseVolume) -> tuple[float, ...]:
    """Return Dice, clDice and number of components after the default postprocessing."""
    inside = postprocess(found, PostprocessConfig())
    if not len(inside.indices):
        return 0.0, 0.0, 0
    masks = np.zeros((2, *truth.grid.shape), dtype=bool)
    for mask, volume in zip(masks, (inside, truth), strict=True):
        mask[tuple(volume.indices.T)] = True
    return dice(*masks), cldice(*masks).value, int(component_labels(inside).max()) + 1


def cells(by_side: dict[str, list[tuple[float, int]]]) -> list[str]:
    """Return the table's cells."""
    means = [np.mean(by_side[side], axis=0) for side in ("left", "right")]
    return [text for mean in means for text in (f"{mean[0]:.3f}", f"{mean[1]:.3f}", f"{mean[2]:.1f}")]


if __name__ == "__main__":
    main()
