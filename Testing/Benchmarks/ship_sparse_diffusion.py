"""Weights of a training run -> the shipped file: chooses the thresholds on validation cases and writes them along.

    PYTHONPATH=XRADiffSlicer python Testing/Benchmarks/ship_sparse_diffusion.py runs/broad/last.safetensors

The validation cases (seed 990,010; exact, damaged and moved ones of both sides) are in no table and no training.
The threshold is the lowest that loses no more than 0.001 of Dice against the best. That of thin vessels is the lowest
which loses no more than 0.002 of the sum of Dice and clDice: what a mask shows should be found.
"""

from __future__ import annotations

import argparse
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
THRESHOLDS = np.arange(0.2, 0.71, 0.05)
THIN_THRESHOLDS = np.arange(0.2, 0.51, 0.05)
LOSS, LOSS_OF_DICE = 0.002, 0.001
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
    network, scores, answers = load_denoiser(weights, recipe, "cpu"), [], []
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
        scores.append(dices(answer, case.voxels, truth))
        answers.append((answer, case, truth.voxels(case.voxels.fine)))
    means = np.mean(scores, axis=0)
    best = float(np.round(THRESHOLDS[np.argmax(means >= means.max() - LOSS_OF_DICE)], 2))
    print({f"{threshold:.2f}": round(float(dice), 4) for threshold, dice in zip(THRESHOLDS, means, strict=True)})
    recipe = replace(recipe, threshold=best)
    sums = [np.mean([dice_and_cldice(replace(recipe, thin_threshold=thin), *one) for one in answers])
            for thin in THIN_THRESHOLDS]  # fmt: skip
    print({f"{thin:.2f}": round(float(one), 4) for thin, one in zip(THIN_THRESHOLDS, sums, strict=True)})
    thin = float(np.round(next(t for t, one in zip(THIN_THRESHOLDS, sums, strict=True) if one >= max(sums) - LOSS), 2))
    expected = {name: tuple(shape) for name, shape in weights.shapes.items()}
    told = f"{recipe.source} Thresholds {best} and {thin} (thin vessels) chosen on {options.cases} further cases."
    path = resource("Models") / "sparse_diffusion_both.safetensors"
    tensors = read_tensors(weights, expected)
    recipe = replace(recipe, thin_threshold=thin, source=told)
    saved = save_weights(path, tensors, "sparse_diffusion", recipe.to_json())
    print(f"{saved.path}, SHA-256 {saved.sha256}, {path.stat().st_size / 1e6:.1f} MB, thresholds {best}, {thin}")


def dices(answer, voxels, truth) -> list[float]:
    """Return the Dice at every threshold; vessel voxels outside the blocks count as missed."""
    true = truth.voxels(voxels.fine).indices
    numbers = [
        np.ravel_multi_index(tuple(indices.T), voxels.fine.shape)
        for indices in (voxels.children().reshape(-1, 3), true)
    ]
    inside = np.isin(*numbers).reshape(answer.shape)
    found = [answer >= threshold for threshold in THRESHOLDS]
    return [float(2 * (one & inside).sum() / (one.sum() + len(true))) for one in found]


def dice_and_cldice(recipe, answer, case, true) -> float:
    """Return Dice + clDice with the thresholds of `recipe`; `answer` has 0.5 in the place of a threshold."""
    vessel = answer >= recipe.thresholds(torch.from_numpy(case.features.shared[:, MEAN_RADIUS, None])).numpy()
    same = on_common_grid(volume_of(case.voxels, vessel.astype(np.float32)), true)
    return dice(same.result, same.truth) + cldice(same.result, same.truth).value


if __name__ == "__main__":
    main()
