"""What else sparse XRA-Diff could predict, be told or learn from first: a short training from random weights each.

    PYTHONPATH=XRADiffSlicer python Testing/Benchmarks/sparse_diffusion_alternatives.py --steps 150 --cases 2

Every row sees the same examples (exact masks, the part between two epipolar planes where they are large). Tested on
other cases, without mask guidance, moved blocks and postprocessing, at the best of the thresholds for each row.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from unittest.mock import patch

import numpy as np
import torch
from bench_tools import write_table
from scipy.spatial import cKDTree
from sparse_diffusion_ablation import squared
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, mse_loss
from xradiff.datatypes import SparseVolume
from xradiff.quantification import cldice, dice, on_common_grid
from xradiff.reconstruction.methods.sparse_diffusion import training
from xradiff.reconstruction.methods.sparse_diffusion.case import SparseCase, prepare_case
from xradiff.reconstruction.methods.sparse_diffusion.conditions import conditions_of, conditions_of_case
from xradiff.reconstruction.methods.sparse_diffusion.example import SparseExample
from xradiff.reconstruction.methods.sparse_diffusion.method import volume_of
from xradiff.reconstruction.methods.sparse_diffusion.network import SparseDenoiser
from xradiff.reconstruction.methods.sparse_diffusion.recipe import Recipe
from xradiff.reconstruction.methods.unet3d_diffusion.network import BackprojectionEncoder, ViewEncoder
from xradiff.reconstruction.samplers import NoiseSchedule, prediction_target, sample_ddim
from xradiff.synthetic.case import CaseOptions, draw_case
from xradiff.training.config import TrainingConfig
from xradiff.training.mixtures import MixedCases
from xradiff.training.networks import Networks
from xradiff.training.processes import Processes
from xradiff.training.truth import TreeTruth
from xradiff.training.validation import chance

TRAIN_SEED, TEST_SEED = 990_032, 990_033
LEARNING_RATE = 3e-3
MOST_BLOCKS = 4_000
THRESHOLDS = (0.3, 0.4, 0.5, 0.6)
IMAGE_PX, CUBE = 64, 32
"""What the paper's encoders are shown here: masks of IMAGE_PX^2, a backprojection of CUBE^3."""
TOKEN = 128
FINE_MM = 0.1
SIDES = ("left", "right")
Example = dict[str, Tensor]


@dataclass(frozen=True)
class Row:
    """One alternative.

    Attributes:
        prediction: what the network answers: the clean volume ("sample"), velocity or noise.
        squared: whether the loss is the squared error alone.
        distance_mm: where not 0 the target is the distance from the vessel's wall, cut off there, not occupancy.
        steps: denoising steps of the test; 1 is the method's single step, in three passes.
        even: whether all time steps are trained alike, not most of them in pure noise.
        encoders: whether the network is told what the paper's encoders make of masks and backprojection.
        easy_first: whether the examples come by falling share of vessels among the blocks.
    """

    prediction: str = "sample"
    squared: bool = False
    distance_mm: float = 0.0
    steps: int = 1
    even: bool = False
    encoders: bool = False
    easy_first: bool = False


ROWS = {
    "as it is": Row(),
    "squared error": Row(squared=True),
    "distance from the wall, cut off at 1 mm, squared error": Row(squared=True, distance_mm=1.0),
    "distance from the wall, cut off at 3 mm, squared error": Row(squared=True, distance_mm=3.0),
    "all time steps alike, 10 steps": Row(even=True, steps=10),
    "velocity, squared error, all time steps alike, 10 steps": Row("v_prediction", True, even=True, steps=10),
    "noise, squared error, all time steps alike, 10 steps": Row("epsilon", True, even=True, steps=10),
    "the paper's encoders beside the mean": Row(encoders=True),
    "easy cases first": Row(easy_first=True),
}


class Told(nn.Module):
    """The denoiser, its token shifted by what the paper's encoders make of two masks and the backprojection."""

    def __init__(self, network: SparseDenoiser) -> None:
        super().__init__()
        self.network, self.pictures = network, nn.ModuleList([ViewEncoder(16, TOKEN), ViewEncoder(16, TOKEN)])
        self.cube = BackprojectionEncoder(16, TOKEN, "instance")
        self.out = nn.Linear(3 * TOKEN, network.token[2].out_features)
        self.shown: Mapping[str, Tensor] = {}
        network.token.register_forward_hook(self._shift)

    def _shift(self, module: nn.Module, given: tuple[Tensor, ...], token: Tensor) -> Tensor:
        images = [encoder(self.shown["images"][:, n : n + 1]) for n, encoder in enumerate(self.pictures)]
        return token + self.out(torch.cat([*images, self.cube(self.shown["cube"])], dim=1))

    def forward(self, *given: object) -> Tensor:
        answer: Tensor = self.network(*given)
        return answer


class Alternative(training.SparseTraining):
    """The training of a row."""

    def __init__(self, row: Row) -> None:
        super().__init__(replace(Recipe(), learning_rate=LEARNING_RATE))
        self.row = row
        if row.encoders:
            self.network = self.module = Told(self.network)

    @property
    def schedule(self) -> NoiseSchedule:
        """Of the row's prediction; noise can only be told where some signal is left."""
        kind = self.row.prediction
        recipe = self._recipe
        return NoiseSchedule(recipe.schedule, recipe.train_steps, kind, zero_terminal_snr=kind != "epsilon")

    def loss(self, turn: str, batch: Mapping[str, Tensor], generator: torch.Generator) -> Tensor:
        """Return the row's loss."""
        if self.row.encoders:
            self.network.shown = batch
        if self.row.prediction == "sample":
            changed = {"PURE_NOISE": 0.0} if self.row.even else {}
            if self.row.squared:
                changed |= {"_soft_dice_loss": lambda *_: 0.0, "binary_cross_entropy_with_logits": squared}
            with patch.multiple(training, MOST_BLOCKS=MOST_BLOCKS, **changed):
                return super().loss(turn, batch, generator)
        given, clean = conditions_of(batch, len(self._recipe.channels)), 2 * batch["volume"] - 1
        time = torch.randint(0, self._recipe.train_steps, (1,), generator=generator)
        kept = (1 - self.schedule.ddim().alphas_cumprod[time]).sqrt()
        noise = torch.randn(clean.shape, generator=generator)
        noisy = (1 - kept.square()).sqrt() * clean + kept * noise
        target = prediction_target(self.schedule.ddim(), clean[None], noise[None], time)[0]
        return mse_loss(self.network(noisy / (1 - kept.square()).sqrt().clamp(min=0.1), kept, given).float(), target)

    @torch.no_grad()
    def answer(self, network: nn.Module, case: SparseCase, shown: Mapping[str, Tensor]) -> Tensor:
        """Return what stands for the probability (N, 8) of each voxel."""
        given = conditions_of_case(case, "auto", len(self._recipe.channels), "cpu")
        noise = torch.randn(len(case.voxels), 8, generator=chance(TEST_SEED))
        if self.row.encoders:
            network.shown = shown
        if self.row.prediction == "sample":
            passes = training.PASSES if self.row.steps == 1 else 1
            return training.sample(
                network, given, noise, self._recipe, steps=self.row.steps, guidance=1.0, passes=passes
            )
        levels = (1 - self.schedule.ddim().alphas_cumprod).sqrt()

        def predict(state: Tensor, times: Tensor) -> Tensor:
            level = levels[times[:1]]
            return network(state / (1 - level.square()).sqrt().clamp(min=0.1), level, given).float()

        return (sample_ddim(predict, noise, self.schedule, self.row.steps, clip=True) + 1) / 2


def pictures(views, case: SparseCase) -> Example:
    """Return what the paper's encoders are shown: (1, 2, IMAGE_PX, IMAGE_PX) and (1, 1, CUBE, CUBE, CUBE)."""
    masks = [torch.from_numpy(view.vessel_mask().astype(np.float32)) for view in views[:2]]
    small = [avg_pool2d(mask[None], mask.shape[0] // IMAGE_PX)[:, :IMAGE_PX, :IMAGE_PX] for mask in masks]
    cell = case.voxels.indices * CUBE // np.max(case.voxels.grid.shape)
    counts = np.zeros((CUBE,) * 3, dtype=np.float32)
    np.add.at(counts, tuple(cell.T), 1.0)
    return {"images": torch.cat(small)[None], "cube": torch.from_numpy(counts / counts.max())[None, None]}


def inside_mm(tree, case: SparseCase) -> Tensor:
    """Return how far (N, 8) each voxel lies inside the nearest vessel's wall in mm, negative outside."""
    points, radii = [], []
    for branch in tree:
        length = branch.arclength_mm
        at = np.arange(0, length[-1], FINE_MM)
        points.append(np.stack([np.interp(at, length, axis) for axis in branch.points_lps_mm.T], axis=1))
        radii.append(np.interp(at, length, branch.radii_mm))
    distance, nearest = cKDTree(np.concatenate(points)).query(case.voxels.children_lps_mm().reshape(-1, 3), k=4)
    inside = np.concatenate(radii)[nearest] - distance
    return torch.from_numpy(inside.max(axis=1).reshape(-1, 8).astype(np.float32))


def examples(count: int) -> list[Example]:
    """Return the examples, cut to what a step uses, with all that any row needs."""
    source, maker, made = MixedCases("exact", TRAIN_SEED, count), SparseExample(Recipe().spacing_mm), []
    for number in range(count):
        views, truth = source.case(number)
        case = prepare_case(views, maker.spacing_mm)
        batch = maker.of(case, truth) | {"inside": inside_mm(truth.tree, case)}
        batch["counts"] = torch.tensor([len(case.voxels)])
        whole = batch.pop("inside")
        part = training.cropped(batch | {"shared": torch.cat([batch["shared"], whole], dim=1)}, MOST_BLOCKS,
                                chance(TRAIN_SEED, number))  # fmt: skip
        part["shared"], part["inside"] = part["shared"].split([batch["shared"].shape[1], 8], dim=1)
        made.append(part | pictures(views, case))
    return made


def trained(row: Row, given: Sequence[Example]) -> tuple[Alternative, nn.Module]:
    """Return the row's training and its network after one step an example."""
    torch.manual_seed(0)
    trainable = Alternative(row)
    config = TrainingConfig(steps=len(given), batch=1, warmup=20, average=0.95, precision="bfloat16", device="cpu")
    networks = Networks(trainable, config, Processes(config))
    order = sorted(given, key=lambda one: -float(one["volume"].mean())) if row.easy_first else given
    for step, example in enumerate(order):
        batch = dict(example)
        if row.distance_mm:
            batch["volume"] = (1 + (batch["inside"] / row.distance_mm).clamp(-1, 1)) / 2
        networks.step(batch, step)
    return trainable, networks.average


def scores(
    trainable: Alternative, network: nn.Module, case: SparseCase, truth: SparseVolume, shown: Example
) -> Tensor:
    """Return (thresholds, 2) Dice and clDice of one case."""
    with torch.autocast("cpu", torch.bfloat16):
        answer = trainable.answer(network, case, shown).float().numpy()
    found = torch.zeros(len(THRESHOLDS), 2)
    for number, threshold in enumerate(THRESHOLDS):
        if (answer >= threshold).any():  # else 0
            same = on_common_grid(volume_of(case.voxels, (answer >= threshold).astype("float32")), truth)
            found[number] = torch.tensor([dice(same.result, same.truth), cldice(same.result, same.truth).value])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--cases", type=int, default=2, help="of each side, to test")
    options = parser.parse_args()
    given, tests = examples(options.steps), []
    for number in range(2 * options.cases):
        drawn = draw_case(CaseOptions(side=SIDES[number // options.cases]), TEST_SEED, number)
        case = prepare_case(drawn.views, 0.5)
        tests.append((case, TreeTruth(drawn.subject.tree).voxels(case.voxels.fine), pictures(drawn.views, case)))
    rows = []
    for name, row in ROWS.items():
        trainable, network = trained(row, given)
        found = torch.stack([scores(trainable, network, *test) for test in tests])
        best = int(found[..., 0].mean(0).argmax())
        means = found[:, best].view(2, options.cases, 2).mean(1).flatten().tolist()
        rows.append([name, f"{THRESHOLDS[best]:.1f}", *(f"{mean:.3f}" for mean in means)])
        print(*rows[-1], flush=True)
    columns = ["what", "threshold", *(f"{side} {what}" for side in SIDES for what in ("Dice", "clDice"))]
    title = f"Sparse diffusion: alternatives, {options.steps} steps from random weights, {options.cases} cases a side"
    command = f"sparse_diffusion_alternatives.py --steps {options.steps} --cases {options.cases}"
    write_table("sparse_diffusion_alternatives", title, columns, rows, script=command)


if __name__ == "__main__":
    main()
