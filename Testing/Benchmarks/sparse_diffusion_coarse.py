"""What the coarser start of the sparse diffusion leaves, gains and loses, for several tolerances.

    PYTHONPATH=XRADiffSlicer python Testing/Benchmarks/sparse_diffusion_coarse.py --cases 4

Exact cases of both sides, two views. "Lost" is the share of the vessels' blocks, of those that the masks allow, near
which the coarse network found nothing.
"""

from __future__ import annotations

import argparse
import time
from unittest.mock import patch

import numpy as np
from bench_tools import write_table
from xradiff.errors import InputError
from xradiff.progress import silent
from xradiff.quantification import cldice, dice, on_common_grid
from xradiff.reconstruction.interface import ReconstructionInputs
from xradiff.reconstruction.methods.sparse_diffusion import method
from xradiff.reconstruction.methods.sparse_diffusion.active import BLOCK
from xradiff.reconstruction.methods.sparse_diffusion.case import SparseCase, prepare_case
from xradiff.reconstruction.methods.sparse_diffusion.config import SparseDiffusionConfig
from xradiff.synthetic.case import CaseOptions, draw_case
from xradiff.training.truth import TreeTruth

SEED = 990_020
TOLERANCES = ("0", "0.25", "1", "2")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=4, help="of each side")
    options = parser.parse_args()
    rows = []
    for side in ("left", "right"):
        drawn = [draw_case(CaseOptions(side=side), SEED, number) for number in range(options.cases)]
        for tolerance in TOLERANCES:
            for start in ("never", "always"):
                found = [one_case(each, side, tolerance, start) for each in drawn]
                rows.append([side, tolerance, start, *cells(found)])
                print(*rows[-1], flush=True)
    columns = ["side", "tolerance, mm", "coarser start", "refused", "blocks", "lost", "Dice", "clDice", "seconds"]
    title = f"A coarser start of the sparse diffusion, {options.cases} cases a side; means over those not refused"
    write_table(
        "sparse_diffusion_coarse", title, columns, rows, "", f"sparse_diffusion_coarse.py --cases {options.cases}"
    )


def one_case(drawn, side: str, tolerance: str, start: str) -> tuple[float, ...] | None:
    """Return blocks, share of true ones lost, Dice, clDice and seconds; None where the method refuses the case."""
    kept: list[SparseCase] = []

    def prepared(*words, **settings):
        kept.append(prepare_case(*words, **settings))
        return kept[-1]

    config, began = SparseDiffusionConfig(tolerance_mm=tolerance, coarse_start=start), time.perf_counter()
    try:
        with patch.object(method, "prepare_case", prepared):
            result = method.SparseDiffusion().reconstruct(
                ReconstructionInputs(drawn.views, 0.5, side),
                config,
                generator=np.random.default_rng(0),
                progress=silent,
            )
    except InputError:
        return None
    seconds, case = time.perf_counter() - began, kept[0]
    truth = TreeTruth(drawn.subject.tree).voxels(case.voxels.fine)
    true = np.unique(truth.indices // BLOCK, axis=0)
    numbers = [np.ravel_multi_index(each.T, case.voxels.grid.shape) for each in (true, case.allowed.indices)]
    held = np.intersect1d(*numbers)
    left = np.isin(held, np.ravel_multi_index(case.voxels.indices.T, case.voxels.grid.shape)).mean()
    same = on_common_grid(result.volume, truth)
    scores = dice(same.result, same.truth), cldice(same.result, same.truth).value
    return len(case.voxels), 1 - float(left), *scores, seconds


def cells(found: list[tuple[float, ...] | None]) -> list[str]:
    """Return the table's cells."""
    done = [one for one in found if one is not None]
    refused = f"{len(found) - len(done)} of {len(found)}"
    if not done:
        return [refused, "", "", "", "", ""]
    blocks, lost, overlap, lines, seconds = np.mean(done, axis=0)
    return [refused, f"{blocks:.0f}", f"{lost:.2%}", f"{overlap:.3f}", f"{lines:.3f}", f"{seconds:.1f}"]


if __name__ == "__main__":
    main()
