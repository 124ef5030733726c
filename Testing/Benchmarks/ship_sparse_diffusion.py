"""Weights of training runs -> the shipped file: chooses the thresholds on validation cases and writes them along.

    PYTHONPATH=XRADiffSlicer python Testing/Benchmarks/ship_sparse_diffusion.py runs/broad/last.safetensors

Of several files the mean of the weights is shipped. It can be better than each where runs began with the same weights
and went on with other cases (Wortsman et al. 2022, model soups, arXiv:2203.05482), and costs a reconstruction nothing.

The validation cases (seed 990,010; exact, damaged and moved ones of both sides) are in no table and no training.
The two thresholds, that of thin vessels not above the other, are those with the highest clDice of all pairs that lose
no more than 0.001 of the sum of Dice and clDice against the best: where both are alike, middle lines count.
"""

from __future__ import annotations

import argparse
import itertools
from dataclasses import fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor
from xradiff.progress import silent
from xradiff.quantification import cldice, dice, on_common_grid
from xradiff.reconstruction.interface import ReconstructionInputs
from xradiff.reconstruction.methods.sparse_diffusion.active import LEAST_TOLERANCE_MM
from xradiff.reconstruction.methods.sparse_diffusion.answers import probabilities_of
from xradiff.reconstruction.methods.sparse_diffusion.case import prepare_case
from xradiff.reconstruction.methods.sparse_diffusion.coarse import coarse_start
from xradiff.reconstruction.methods.sparse_diffusion.config import SparseDiffusionConfig
from xradiff.reconstruction.methods.sparse_diffusion.features import MEAN_RADIUS
from xradiff.reconstruction.methods.sparse_diffusion.method import volume_of
from xradiff.reconstruction.methods.sparse_diffusion.network import SparseDenoiser, load_denoiser
from xradiff.reconstruction.methods.sparse_diffusion.recipe import Recipe
from xradiff.resources import resource
from xradiff.training.mixtures import MixedCases
from xradiff.weights import WeightsFile, open_weights, read_tensors, save_weights

SEED = 990_010
THRESHOLDS, THIN_THRESHOLDS = (0.3, 0.35, 0.4, 0.45, 0.5, 0.55), (0.15, 0.2, 0.25, 0.3, 0.35, 0.4)
PAIRS = [pair for pair in itertools.product(THRESHOLDS, THIN_THRESHOLDS) if pair[1] <= pair[0]]
LOSS = 0.001
CHOSEN = "Thresholds"
"""What a recipe's source tells of them begins with it."""
FREE = ("learning_rate", "drop_probability", "threshold", "thin_threshold", "source")
"""What recipes may differ in where their weights are averaged: how they were trained, and what is chosen here."""
DAMAGED_TOLERANCE_MM = 1.0
"""About what calibration states where masks are damaged or a vessel moved between the views."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path, nargs="*", help="last.safetensors of a run; of several, their mean")
    parser.add_argument("--cases", type=int, default=24)
    options = parser.parse_args()
    if not options.weights:
        print("nothing shipped: name the weights of a run")
        return
    runs = [open_weights(file, "sparse_diffusion") for file in options.weights]
    recipes = [Recipe.from_json(run.recipe) for run in runs]
    check_alike(recipes)
    tensors = mean_of(runs)
    told = " ".join(recipe.source.split(f" {CHOSEN}")[0] for recipe in recipes)
    told = f"Mean of the weights of {len(runs)} runs. {told}" if len(runs) > 1 else told
    recipe = replace(recipes[0], threshold=0.5, thin_threshold=0.0, source=told)
    with TemporaryDirectory() as folder:
        trial = save_weights(Path(folder) / "trial.safetensors", tensors, "sparse_diffusion", recipe.to_json())
        network = load_denoiser(trial, recipe, "cpu")
    threshold, thin = best_pair(network, recipe, options.cases)
    told += f" {CHOSEN} {threshold} and {thin} (thin vessels) chosen on {options.cases} further cases."
    recipe = replace(recipe, threshold=threshold, thin_threshold=thin, source=told)
    path = resource("Models") / "sparse_diffusion_both.safetensors"
    saved = save_weights(path, tensors, "sparse_diffusion", recipe.to_json())
    print(f"{saved.path}, SHA-256 {saved.sha256}, {path.stat().st_size / 1e6:.1f} MB, thresholds {threshold}, {thin}")


def check_alike(recipes: list[Recipe]) -> None:
    """End with one line where the recipes differ in more than FREE: the same tensors would mean something else."""
    for other in recipes[1:]:
        for field in fields(Recipe):
            ours, theirs = getattr(recipes[0], field.name), getattr(other, field.name)
            if field.name not in FREE and ours != theirs:
                raise SystemExit(f"only runs of one recipe have a mean: {field.name} is {ours!r} and {theirs!r}")


def mean_of(runs: list[WeightsFile]) -> dict[str, Tensor]:
    """Return the mean of all files' tensors, which must have the same names and shapes."""
    expected = {name: tuple(shape) for name, shape in runs[0].shapes.items()}
    read = [read_tensors(run, expected) for run in runs]
    return {name: torch.stack([tensors[name] for tensors in read]).mean(0) for name in expected}


def best_pair(network: SparseDenoiser, recipe: Recipe, cases: int) -> tuple[float, float]:
    """Return the thresholds that the validation cases ask for, and print what each pair gives."""
    mixture, scores = MixedCases("broad", SEED, cases), []
    for number in range(cases):
        views, truth = mixture.case(number)
        tolerance_mm = LEAST_TOLERANCE_MM if truth.exact_masks else DAMAGED_TOLERANCE_MM
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
    return max(good, key=lambda pair: means[pair][1])


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
