"""What a case costs with the sparse diffusion, stage by stage, and the published dense network on the same CPU.

Ten guided steps of the dense network are 20 calls; one is timed (bfloat16, the faster way) where 12 GB are free.
"""

from __future__ import annotations

from functools import partial

import psutil
from bench_tools import measure, write_table

SEED, CASES = 990_001, 3
STAGES = (
    "masks, coarser start, blocks", "network, 1 pass and 7 on moved blocks", "network, 4 steps of them",
    "whole method, 1 on moved blocks", "whole method, no coarser start", "whole method, tolerance of 1 mm",
    "whole method, float32", "whole method",
)  # fmt: skip


def stage(name: str, side: str):
    """Return a function that does one stage for all cases."""
    import numpy as np
    from xradiff.progress import silent
    from xradiff.reconstruction.interface import ReconstructionInputs
    from xradiff.reconstruction.methods.sparse_diffusion.active import LEAST_TOLERANCE_MM
    from xradiff.reconstruction.methods.sparse_diffusion.answers import probabilities_of
    from xradiff.reconstruction.methods.sparse_diffusion.case import prepare_case
    from xradiff.reconstruction.methods.sparse_diffusion.coarse import coarse_start
    from xradiff.reconstruction.methods.sparse_diffusion.config import SparseDiffusionConfig
    from xradiff.reconstruction.methods.sparse_diffusion.method import SparseDiffusion
    from xradiff.reconstruction.methods.sparse_diffusion.network import load_denoiser
    from xradiff.reconstruction.methods.sparse_diffusion.recipe import Recipe
    from xradiff.synthetic.case import CaseOptions, draw_case
    from xradiff.weights import find_weights, open_weights

    views = [draw_case(CaseOptions(side=side), SEED, number).views for number in range(CASES)]
    inputs = [ReconstructionInputs(each, 0.5, side) for each in views]
    weights = open_weights(find_weights("sparse_diffusion_both", "train some"), "sparse_diffusion")
    recipe = Recipe.from_json(weights.recipe)

    def prepared():
        for one in inputs:
            start = coarse_start(one, SparseDiffusionConfig(), recipe, LEAST_TOLERANCE_MM, np.random.default_rng(0))
            yield prepare_case(one.views, 0.5, thinning=start)

    if name == STAGES[0]:
        return lambda: list(prepared())
    if name.startswith("whole method"):
        method = SparseDiffusion()
        settings = SparseDiffusionConfig(
            tolerance_mm="1" if "tolerance" in name else "auto", precision="float32" if "float32" in name else "auto",
            coarse_start="never" if "no coarser" in name else "auto", moved_passes=1 if "1 on moved" in name else 7,
        )  # fmt: skip
        return lambda: [
            method.reconstruct(one, settings, generator=np.random.default_rng(0), progress=silent) for one in inputs
        ]
    network, cases = load_denoiser(weights, recipe, "cpu"), list(prepared())
    config = SparseDiffusionConfig(steps=4 if "4 steps" in name else 1)
    return lambda: [
        probabilities_of(
            network, case, one, recipe, config, generator=np.random.default_rng(0), progress=silent
        )
        for case, one in zip(cases, inputs, strict=True)
    ]  # fmt: skip


def published_call():
    """Return a call of the published network, with random weights."""
    import torch
    from xradiff.reconstruction.methods.unet3d_diffusion.network import Condition, NoisePredictor3D
    from xradiff.reconstruction.methods.unet3d_diffusion.recipe import NetworkConfig

    network = NoisePredictor3D(NetworkConfig()).eval().requires_grad_(False)
    volume = torch.randn(1, 1, 60, 60, 60)
    condition = Condition(torch.randn(1, 1, 1024), torch.rand_like(volume))

    def run():
        with torch.autocast("cpu", torch.bfloat16):
            return network(volume, torch.tensor([500]), condition)

    return run


def main() -> None:
    rows = []
    for name in STAGES:
        repeats = 1 if "whole method," in name else 3  # float32 takes long
        found = [measure(partial(stage, name, side), repeats) for side in ("left", "right")]
        rows.append([name, *(f"{one['median'] / CASES:.2f}" for one in found), f"{found[0]['total_mb']:.0f}"])
    whole = max(float(rows[-1][1]), float(rows[-1][2]))
    notes = "Seconds a case, mean of 3 cases, median of 3 runs (float32, tolerance: 1); memory of the whole process."
    if psutil.virtual_memory().available > 14 * 2**30:
        dense = measure(published_call, 1)
        rows.append(["published network, one call", f"{dense['median']:.1f}", "", f"{dense['total_mb']:.0f}"])
        notes += f" Ten guided steps of the published network take {20 * dense['median'] / whole:.0f} times as long."
    columns = ["stage", "left s", "right s", "MB"]
    write_table("sparse_diffusion_speed", "A case with the sparse diffusion at 0.5 mm, CPU", columns, rows, notes)


if __name__ == "__main__":
    main()
