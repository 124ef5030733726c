"""What sparse XRA-Diff loses without an input or a trick when it may learn to do without: a short training each.

    PYTHONPATH=XRADiffSlicer python Testing/Benchmarks/sparse_diffusion_ablation.py --steps 200 --cases 6

Every row goes on from the shipped weights with the same examples in the same order, without the one thing; the first
row without nothing. Tested on other cases: exact masks, a threshold of 0.5, no mask guidance, no postprocessing.
`sparse_diffusion_settings.py` takes inputs away from the trained network, which may not learn to do without.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import torch
from bench_tools import write_table
from sparse_diffusion_settings import SHARED, SINGLE
from torch import Tensor, nn
from torch.nn.functional import mse_loss
from xradiff.datatypes import SparseVolume
from xradiff.quantification import cldice, dice, on_common_grid
from xradiff.reconstruction.interface import ReconstructionInputs
from xradiff.reconstruction.methods.sparse_diffusion import training
from xradiff.reconstruction.methods.sparse_diffusion.active import LEAST_TOLERANCE_MM
from xradiff.reconstruction.methods.sparse_diffusion.case import SparseCase, prepare_case
from xradiff.reconstruction.methods.sparse_diffusion.coarse import coarse_start
from xradiff.reconstruction.methods.sparse_diffusion.conditions import conditions_of_case
from xradiff.reconstruction.methods.sparse_diffusion.config import SparseDiffusionConfig
from xradiff.reconstruction.methods.sparse_diffusion.method import volume_of
from xradiff.reconstruction.methods.sparse_diffusion.recipe import Recipe
from xradiff.synthetic.case import CaseOptions, draw_case
from xradiff.training.config import TrainingConfig
from xradiff.training.mixtures import MixedCases
from xradiff.training.networks import Networks
from xradiff.training.processes import Processes
from xradiff.training.truth import TreeTruth
from xradiff.training.validation import chance
from xradiff.weights import find_weights, open_weights, read_tensors

TRAIN_SEED, TEST_SEED = 990_030, 990_031
LEARNING_RATE = 1e-3
THRESHOLD = 0.5
TWO_LEVELS = 1
Change = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
Test = tuple[SparseCase, SparseVolume]


class Same(nn.Module):
    """In the place of a layer that adds to its input: nothing is added."""

    def forward(self, rows: Tensor, *_: object) -> Tensor:
        return rows


class Nothing(nn.Module):
    """In the place of what comes up from the coarser level."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, coarse: Tensor, level) -> Tensor:
        return coarse.new_zeros(len(level), self.width)


class NoCase(nn.Module):
    """In front of the token's network: nothing of mean and size over the case."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.numbers = 2 * width

    def forward(self, token: Tensor) -> Tensor:
        return torch.cat([token[:, : -self.numbers], torch.zeros_like(token[:, -self.numbers :])], dim=1)


def without(single: Sequence[int] = (), shared: Sequence[int] = ()) -> Change:
    """Return what replaces columns of the features by their means over the case."""

    def change(one: Tensor, both: Tensor) -> tuple[Tensor, Tensor]:
        one, both = one.clone(), both.clone()
        for column in single:
            one[..., column] = one[..., column].mean(dim=1, keepdim=True)
        for column in shared:
            both[:, column] = both[:, column].mean()
        return one, both

    return change


def no_rays(network) -> None:
    network.compete = nn.ModuleList([Same() for _ in network.compete])


def near_alone(network) -> None:
    network.widen[TWO_LEVELS] = Nothing(network.widen[TWO_LEVELS].outputs)


def no_case(network) -> None:
    network.token = nn.Sequential(NoCase(network.norm.weight.numel()), network.token)


def squared(logits: Tensor, volume: Tensor, weight: Tensor) -> Tensor:
    """Return the squared error in the place of the cross-entropy."""
    return mse_loss(logits.sigmoid(), volume)


INPUTS: dict[str, Change] = {
    "nothing": without(),
    **{name: without(single=list(columns)) for name, columns in SINGLE.items()},
    **{name: without(shared=list(columns)) for name, columns in SHARED.items()},
}
LAYERS = {"attention along rays": no_rays, "context beyond 4 mm": near_alone, "mean over the case": no_case}
TRAINING: dict[str, dict[str, object]] = {
    "its own answer (1 pass)": {"ANSWERS_BEFORE": (1.0,), "PASSES": 1},
    "weight of thin vessels": {"THIN_POWER": 0.0},
    "soft Dice in the loss": {"_soft_dice_loss": lambda *_: 0.0},
    "both losses: squared error": {"_soft_dice_loss": lambda *_: 0.0, "binary_cross_entropy_with_logits": squared},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--cases", type=int, default=6, help="of each side, to test")
    parser.add_argument("--weights", default="sparse_diffusion_both", help="to begin with (default: the shipped ones)")
    options = parser.parse_args()
    weights = open_weights(find_weights(options.weights, "train some"), "sparse_diffusion")
    settings = Recipe.from_json(weights.recipe).to_json() | {"learning_rate": LEARNING_RATE}
    tensors = read_tensors(weights, {name: tuple(shape) for name, shape in weights.shapes.items()})
    maker = training.SparseTraining.from_settings(settings).example
    source = MixedCases("exact", TRAIN_SEED, options.steps)
    examples = [small(maker(*source.case(number)), number) for number in range(options.steps)]
    tests = {
        side: [test_case(side, number, weights.recipe) for number in range(options.cases)]
        for side in ("left", "right")
    }
    rows = []
    for name in [*INPUTS, *LAYERS, *TRAINING]:
        with ExitStack() as patched:
            for constant, value in TRAINING.get(name, {}).items():
                patched.enter_context(patch.object(training, constant, value))
            trainable = training.SparseTraining.from_settings(settings)
            trainable.network.load_state_dict(tensors)
            LAYERS.get(name, lambda network: None)(trainable.network)
            change = INPUTS.get(name, INPUTS["nothing"])
            network = trained(trainable, examples, change)
            scores = [score(trainable, network, change, one) for side in tests.values() for one in side]
        means = torch.tensor(scores).view(2, options.cases, 2).mean(1).flatten().tolist()
        rows.append([name, *(f"{mean:.3f}" for mean in means)])
        print(*rows[-1], flush=True)
    command = f"sparse_diffusion_ablation.py --steps {options.steps} --cases {options.cases}"
    columns = ["without", *(f"{side} {what}" for side in tests for what in ("Dice", "clDice"))]
    title = f"Sparse diffusion: {options.steps} further steps without one thing, {options.cases} cases a side"
    write_table("sparse_diffusion_ablation", title, columns, rows, script=command)


def small(example: Mapping[str, Tensor], number: int) -> dict[str, Tensor]:
    """Return what a step uses of an example: the part between two epipolar planes where it is large."""
    batch = dict(example) | {"counts": torch.tensor([len(example["indices"])])}
    return training.cropped(batch, training.MOST_BLOCKS, chance(TRAIN_SEED, number))


def test_case(side: str, number: int, recipe: Mapping[str, object]) -> Test:
    """Return a case prepared for the network, and the true vessels."""
    drawn = draw_case(CaseOptions(side=side), TEST_SEED, number)
    inputs, config = ReconstructionInputs(drawn.views, 0.5), SparseDiffusionConfig()
    start = coarse_start(inputs, config, Recipe.from_json(recipe), LEAST_TOLERANCE_MM, np.random.default_rng(0))
    case = prepare_case(drawn.views, 0.5, thinning=start)
    return case, TreeTruth(drawn.subject.tree).voxels(case.voxels.fine)


def trained(trainable: training.SparseTraining, examples: Sequence[Mapping[str, Tensor]], change: Change) -> nn.Module:
    """Return the network after one step an example."""
    config = TrainingConfig(steps=len(examples), batch=1, warmup=20, average=0.95, precision="bfloat16", device="cpu")
    networks = Networks(trainable, config, Processes(config))
    for step, example in enumerate(examples):
        single, shared = change(example["single"], example["shared"])
        networks.step(dict(example) | {"single": single, "shared": shared}, step)
    return networks.average


@torch.no_grad()
def score(trainable: training.SparseTraining, network: nn.Module, change: Change, test: Test) -> tuple[float, float]:
    """Return Dice and clDice of one case."""
    case, truth = test
    recipe = Recipe.from_json(trainable.recipe)
    given = conditions_of_case(case, "auto", len(recipe.channels), "cpu")
    single, shared = change(given.single, given.shared)
    noise = torch.randn(len(case.voxels), 8, generator=chance(TEST_SEED))
    with torch.autocast("cpu", torch.bfloat16):
        answer = training.sample(
            network, replace(given, single=single, shared=shared), noise, recipe,
            steps=1, guidance=1.0, passes=training.PASSES,
        )  # fmt: skip
    found = volume_of(case.voxels, (answer.float().numpy() >= THRESHOLD).astype("float32"))
    same = on_common_grid(found, truth)
    return dice(same.result, same.truth), cldice(same.result, same.truth).value


if __name__ == "__main__":
    main()
