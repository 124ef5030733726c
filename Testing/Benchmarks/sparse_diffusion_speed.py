"""What a case costs with the sparse diffusion, stage by stage, and the published dense network on the same device.

Ten guided steps of the dense network are 20 calls; one is timed (bfloat16, the faster way) where 12 GB are free.
With `--device cuda` the networks work on a GPU, and the table is one of its own.
"""

from __future__ import annotations

import argparse
from functools import partial

import psutil
from bench_tools import measure, write_table
from xradiff.devices import choose_device
from xradiff.errors import MissingDependencyError

SEED, CASES = 990_001, 3
STAGES = (
    "masks, coarser start, blocks", "network, 1 pass and 7 on moved blocks", "network, 4 steps of them",
    "whole method, 1 on moved blocks", "whole method, no coarser start", "whole method, tolerance of 1 mm",
    "whole method, float32", "whole method",
)  # fmt: skip


def stage(name: str, side: str, device: str):
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
    inputs = [ReconstructionInputs(each, 0.5, side, device) for each in views]
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
    network, cases = load_denoiser(weights, recipe, device), list(prepared())
    config = SparseDiffusionConfig(steps=4 if "4 steps" in name else 1)
    return lambda: [
        probabilities_of(
            network, case, one, recipe, config, generator=np.random.default_rng(0), progress=silent
        )
        for case, one in zip(cases, inputs, strict=True)
    ]  # fmt: skip


def published_call(device: str):
    """Return a call of the published network, with random weights."""
    import torch
    from xradiff.reconstruction.methods.unet3d_diffusion.network import Condition, NoisePredictor3D
    from xradiff.reconstruction.methods.unet3d_diffusion.recipe import NetworkConfig

    network = NoisePredictor3D(NetworkConfig()).eval().requires_grad_(False).to(device)
    volume = torch.randn(1, 1, 60, 60, 60, device=device)
    condition = Condition(torch.randn(1, 1, 1024, device=device), torch.rand_like(volume))

    def run():
        with torch.autocast(device, torch.bfloat16):
            return network(volume, torch.tensor([500], device=device), condition).cpu()

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    device, rows = parser.parse_args().device, []
    try:
        choose_device(device, True)
    except MissingDependencyError as error:
        parser.error(str(error))
    on_gpu = device == "cuda"
    for name in STAGES:
        repeats = 1 if "whole method," in name else 3  # float32 takes long
        left, right = (measure(partial(stage, name, side, device), repeats) for side in ("left", "right"))
        seconds = [f"{one['median'] / CASES:.{3 if on_gpu else 2}f}" for one in (left, right)]
        rows.append([name, *seconds, f"{left['total_mb']:.0f}", *[f"{left['gpu_mb']:.0f}"] * on_gpu])
    whole = max(float(rows[-1][1]), float(rows[-1][2]))
    notes = "Seconds a case, mean of 3 cases, median of 3 runs (float32, tolerance: 1); memory of the whole process."
    if psutil.virtual_memory().available > 14 * 2**30:
        dense = measure(partial(published_call, device), 1)
        seconds = [f"{dense['median']:.{3 if on_gpu else 1}f}", "", f"{dense['total_mb']:.0f}"]
        rows.append(["published network, one call", *seconds, *[f"{dense['gpu_mb']:.0f}"] * on_gpu])
        notes += f" Ten guided steps of the published network take {20 * dense['median'] / whole:.0f} times as long."
    columns = ["stage", "left s", "right s", "MB", *["MB of the GPU"] * on_gpu]
    title = f"A case with the sparse diffusion at 0.5 mm, {'CUDA' if on_gpu else 'CPU'}"
    name = "sparse_diffusion_speed"
    write_table(name + "_cuda" * on_gpu, title, columns, rows, notes, name + ".py" + " --device cuda" * on_gpu)


if __name__ == "__main__":
    main()
