"""XRA-Diff's sampler against a straightforward loop: same random weights, same start, n = 10, one case.

The straightforward loop calls the network twice a step in float32, encoders included, as a first program would. The
floor is the operations of all network calls over the peak of the machine: of dense bfloat16 on a GPU (give it with
--peak-tflops), of a large matrix product in the sampler's precision on a CPU, measured. On a GPU it runs the published
configuration (60^3, 811 M parameters), elsewhere a small one. --compile also measures torch.compile, and
--channels-last the memory format of the 2D convolutions.
"""

from __future__ import annotations

import argparse
import copy
import time

import numpy as np
import torch
from bench_tools import write_table
from xradiff.progress import silent
from xradiff.reconstruction.methods.unet3d_diffusion.conditions import NetworkInputs
from xradiff.reconstruction.methods.unet3d_diffusion.config import Unet3dDiffusionConfig
from xradiff.reconstruction.methods.unet3d_diffusion.cost import call_operations
from xradiff.reconstruction.methods.unet3d_diffusion.network import NoisePredictor3D
from xradiff.reconstruction.methods.unet3d_diffusion.recipe import NetworkConfig, Recipe
from xradiff.reconstruction.methods.unet3d_diffusion.sampling import draw
from xradiff.reconstruction.samplers import sample_ddim

SMALL = NetworkConfig(
    size=24, channels=(16, 32), attention=(False,) * 2, attention_up=(False,) * 2, layers_per_block=1,
    norm_groups=8, head_size=4, token_size=64, encoder_channels=16,
)  # fmt: skip
REPEATS = 2
SEED = 0


def straightforward(network, given, recipe, config, device):
    """Return the sample (N, N, N) of two sequential float32 calls a step, the encoders in each."""
    chance = torch.Generator().manual_seed(int(np.random.default_rng(SEED).integers(2**63 - 1)))
    start = torch.randn(given.backprojection.shape, generator=chance).to(device)
    volume, views = given.backprojection.to(device), given.views.to(device)

    def predict(noisy, times):
        conditional = network(noisy, times, network.encode(volume, views))
        unconditional = network(noisy, times, network.encode(0 * volume, 0 * views))
        return unconditional + config.guidance * (conditional - unconditional)

    drawn = sample_ddim(predict, start, recipe.noise_schedule, config.steps, clip=config.clip)
    return drawn[0, 0].cpu().numpy()


def ours(network, given, recipe, config, device):
    """Return the sample (N, N, N) of the method's sampler."""
    return draw(network, given, recipe, config, device, np.random.default_rng(SEED), silent)[0]


@torch.no_grad()
def measured(function, device):
    """Return (fastest seconds, peak GB beyond what was there, the answer); the first call warms up."""
    clock = time.perf_counter if device == "cuda" else time.process_time  # the latter does not see other programs
    answer, seconds = function(), []
    before = 0
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
    for _ in range(REPEATS):
        begin = clock()
        function()
        seconds.append(clock() - begin)
    if device == "cuda":
        return min(seconds), (torch.cuda.max_memory_allocated() - before) / 2**30, answer
    return min(seconds), float("nan"), answer


def peak_of(device, tflops, half):
    """Return operations a second: as given, else of a large matrix product."""
    if tflops:
        return tflops * 1e12
    size = 8192 if device == "cuda" else 2048
    matrix = torch.randn(size, size, device=device, dtype=torch.bfloat16 if half else torch.float32)

    def product():
        return (matrix @ matrix)[0, 0].item()

    return 2 * size**3 / measured(product, device)[0]


def randomised(config):
    """Return a network with random weights; those that a new U-Net sets to zero are drawn too."""
    torch.manual_seed(SEED)
    network = NoisePredictor3D(config).eval().requires_grad_(False)
    for parameter in network.parameters():
        if not parameter.any():
            parameter.normal_(std=0.02)
    return network


def ways(network, device, options):
    """Return name, precision and network of each way to run the sampler."""
    listed = [("sampler, float32", "float32", network), ("sampler, bfloat16", "bfloat16", network)]
    if options.channels_last:
        other = copy.deepcopy(network)
        for parameter in other.parameters():
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        listed.append(("sampler, bfloat16, channels last", "bfloat16", other))
    if options.compile:
        other = copy.deepcopy(network)
        other.unet = torch.compile(other.unet, mode="reduce-overhead" if device == "cuda" else "default")
        listed.append(("sampler, bfloat16, torch.compile", "bfloat16", other))
    return listed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compile", action="store_true", help="also with torch.compile")
    parser.add_argument("--channels-last", action="store_true", help="also with that memory format")
    parser.add_argument("--peak-tflops", type=float, default=0.0, help="of the device in bfloat16; else measured")
    options = parser.parse_args()
    torch.set_num_threads(1)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    recipe = Recipe() if device == "cuda" else Recipe(network=SMALL, spacing_mm=4.5, view_size=128)
    network = randomised(recipe.network).to(device)
    chance, edge = torch.Generator().manual_seed(SEED), recipe.view_size
    views = (torch.rand(1, 2, edge, edge, generator=chance) > 0.97).float()
    given = NetworkInputs(torch.rand(1, 1, *(recipe.network.size,) * 3, generator=chance), views, None)
    config = Unet3dDiffusionConfig().completed(recipe)
    first = measured(lambda: straightforward(network, given, recipe, config, device), device)
    rows = [["two float32 calls a step, encoders in each", f"{first[0]:.2f}", "1.0", _gb(first[1]), "0"]]
    for name, precision, chosen in ways(network, device, options):
        asked = Unet3dDiffusionConfig(precision=precision).completed(recipe)
        seconds, peak, answer = measured(lambda n=chosen, c=asked: ours(n, given, recipe, c, device), device)
        difference = f"{np.abs(answer - first[2]).max():.2g}"
        rows.append([name, f"{seconds:.2f}", f"{first[0] / seconds:.1f}", _gb(peak), difference])
    operations = 2 * config.steps * call_operations(recipe.network)
    for half in (False, True):
        if half or not options.peak_tflops:
            seconds = operations / peak_of(device, options.peak_tflops if half else 0, half)
            rows.append([f"floor, {'bfloat16' if half else 'float32'}", f"{seconds:.2f}", f"{first[0] / seconds:.1f}"])
            rows[-1] += ["", ""]
    where = torch.cuda.get_device_name() if device == "cuda" else "one CPU thread, seconds of the processor"
    notes = (
        f"{where}, torch {torch.__version__}, {recipe.network.size}^3 voxels, "
        f"{operations / 1e12:.3g} TFLOP a run, n = {config.steps}, gamma = {config.guidance:g}, fastest of {REPEATS}. "
        "The sample lies in -1 to 1. In float32 the difference is that of sums in another order; in bfloat16 one "
        "call of the small network is off by 0.006 (rms), guided at 7.5 by 0.054; the first step, where noise is "
        "6 times the signal, multiplies that for the volume; the weights are random and correct nothing later."
    )
    columns = ["way", "seconds", "times faster", "peak memory beyond weights, GiB", "max abs difference"]
    write_table("sampler_speed", "XRA-Diff's sampler against a straightforward loop", columns, rows, notes)


def _gb(value):
    return "" if np.isnan(value) else f"{value:.2f}"


if __name__ == "__main__":
    main()
