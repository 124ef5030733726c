"""Weights of a training run -> the shipped file: chooses the thresholds on validation cases and writes them along.

    PYTHONPATH=XRADiffSlicer python Testing/Benchmarks/ship_sparse_diffusion.py runs/broad/last.safetensors

The validation cases (seed 990,010; exact, damaged and moved ones of both sides) are in no table and no training.
The two thresholds, that of thin vessels not above the other, are those with the highest clDice of all pairs that lose
no more than 0.001 of the sum of Dice and clDice against the best: where both are alike, middle lines count.
"""

from __future__ import annotations

import argparse
import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from xradiff.progress import silent
from xradiff.quantification import cldice, dice, on_common_grid
from xradiff.reconstruction.interface import ReconstructionInputs
from xradiff.reconstruction.methods.sparse_diffusion.answers import probabilities_of
from xradiff.reconstruction.methods.sparse_diffusion.case import prepare_case
from xradiff.reconstruction.methods.sparse_diffusion.coarse import coarse_start
from xradiff.reconstruction.methods.sparse_diffusion.config import SparseDiffusionConfig
from xradiff.reconstruction.methods.sparse_diffusion.features import MEAN_RADIUS
from xradiff.reconstruction.methods.sparse_diffusion.method import volume_of
from xradiff.reconstruction.methods.sparse_diffusion.network import load_denoiser
from xradiff.reconstruction.methods.sparse_diffusion.recipe import Recipe
from xradiff.resources import resource
from xradiff.training.mixtures import MixedCases
from xradiff.weights import open_weights, read_tensors, save_weights

SEED = 990_010
THRESHOLDS, THIN_THRESHOLDS = (0.3, 0.35, 0.4, 0.45, 0.5, 0.55), (0.15, 0.2, 0.25, 0.3, 0.35, 0.4)
PAIRS = [pair for pair in itertools.product(THRESHOLDS, THIN_THRESHOLDS) if pair[1] <= pair[0]]
LOSS = 0.001
MOVED_TOLERANCE_MM = 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path, nargs="?", help="last.safetensors of a run")
    parser.add_argument("--cases", type=int, default=24)
    options = parser.parse_args()
    if options.weights is None:
        print("nothing shipped: name the weights of a run")
        return
    weights = open_weights(options.weights, "sparse_diffusion")
    recipe = replace(Recipe.from_json(weights.recipe), threshold=0.5, thin_threshold=0.0)
    network, scores = load_denoiser(weights, recipe, "cpu"), []
    mixture = MixedCases("broad", SEED, options.cases)
    for number in range(options.cases):
        views, truth = mixture.case(number)
        tolerance_mm = MOVED_TOLERANCE_MM if mixture.kind(number).aligned else 0.0
        inputs, chance = ReconstructionInputs(views, 0.5), np.random.default_rng(0)
        config = SparseDiffusionConfig(least_coverage=0)  # what the network says, not what is filled in
        start = coarse_start(inputs, config, recipe, tolerance_mm, chance)
        case = prepare_case(views, recipe.spacing_mm, tolerance_mm, thinning=start)
        answer = probabilities_of(
            network, case, inputs, recipe, config, generator=np.random.default_rng(0), progress=silent
        ).mean(axis=0)  # fmt: skip
        scores.append(scores_of(answer, case, truth.voxels(case.voxels.fine)))
    means = dict(zip(PAIRS, np.mean(scores, axis=0), strict=True))
    for pair, (overlap, middle) in means.items():
        print(f"{pair}: Dice {overlap:.4f}, clDice {middle:.4f}, sum {overlap + middle:.4f}")
    best = max(sum(mean) for mean in means.values())
    good = [pair for pair in PAIRS if sum(means[pair]) >= best - LOSS]
    threshold, thin = max(good, key=lambda pair: means[pair][1])
    expected = {name: tuple(shape) for name, shape in weights.shapes.items()}
    told = f"{recipe.source} Thresholds {threshold} and {thin} (thin vessels) chosen on {options.cases} further cases."
    path = resource("Models") / "sparse_diffusion_both.safetensors"
    tensors = read_tensors(weights, expected)
    recipe = replace(recipe, threshold=threshold, thin_threshold=thin, source=told)
    saved = save_weights(path, tensors, "sparse_diffusion", recipe.to_json())
    print(f"{saved.path}, SHA-256 {saved.sha256}, {path.stat().st_size / 1e6:.1f} MB, thresholds {threshold}, {thin}")


def scores_of(answer, case, true) -> list[tuple[float, float]]:
    """Return Dice and clDice for each of PAIRS; `answer` (N, 8) has 0.5 in the place of a threshold."""
    radii = torch.from_numpy(case.features.shared[:, MEAN_RADIUS, None])
    found = []
    for threshold, thin in PAIRS:
        vessel = answer >= Recipe(threshold=threshold, thin_threshold=thin).thresholds(radii).numpy()
        same = on_common_grid(volume_of(case.voxels, vessel.astype(np.float32)), true)
        found.append((dice(same.result, same.truth), cldice(same.result, same.truth).value))
    return found


if __name__ == "__main__":
    main()
