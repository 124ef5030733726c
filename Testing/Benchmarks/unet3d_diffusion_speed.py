"""Seconds of one call of XRA-Diff's U-Net for one volume on the CPU: sizes, precisions, threads."""

from __future__ import annotations

from functools import partial

from bench_tools import measure, write_table

SIZES = (((16, 32, 64, 64), 1, 8, 32), ((16, 32, 64, 128), 2, 8, 48), ((8, 16, 32, 64), 1, 4, 60))


def config(channels, layers, head, size):
    from xradiff.reconstruction.methods.unet3d_diffusion.recipe import NetworkConfig

    low = (False,) * (len(channels) - 2)
    return NetworkConfig(
        size=size, channels=channels, attention=(*low, True, False), attention_up=(False, True, *low),
        layers_per_block=layers, norm_groups=4, head_size=head, token_size=128, encoder_channels=16,
    )  # fmt: skip


def call(arguments, threads, half):
    import torch
    from xradiff.reconstruction.methods.unet3d_diffusion.network import Condition, NoisePredictor3D

    torch.set_num_threads(threads)
    network = NoisePredictor3D(config(*arguments)).eval().requires_grad_(False)
    volume = torch.randn(1, 1, *(arguments[3],) * 3)
    condition = Condition(torch.randn(1, 1, 128), torch.rand_like(volume))

    def run():
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            return network(volume, torch.tensor([500]), condition)

    return run


def main() -> None:
    from xradiff.reconstruction.methods.unet3d_diffusion.cost import call_operations
    from xradiff.reconstruction.methods.unet3d_diffusion.network import empty_network

    rows = []
    for size in SIZES:
        count = sum(parameter.numel() for parameter in empty_network(config(*size)).parameters())
        ways = [(threads, half) for threads in (1, 2) for half in (False, True)]
        seconds = [measure(partial(call, size, *way), 2)["fastest"] for way in ways]
        operations = call_operations(config(*size))
        name = f"{'-'.join(map(str, size[0]))}, {size[1]}"
        rows.append(
            [name, f"{count / 1e6:.1f} M", f"{size[3]}^3", *(f"{s:.2f}" for s in seconds),
             f"{operations / seconds[0] / 1e9:.0f}"]
        )  # fmt: skip
    columns = ["channels, layers", "parameters", "volume", "1 thread float32 s", "1 thread bfloat16 s"]
    columns += ["2 threads float32 s", "2 threads bfloat16 s", "GFLOP/s of one thread in float32"]
    notes = "A guided run of n steps has 2 n calls."
    write_table("unet3d_diffusion_speed", "One call of XRA-Diff's U-Net, one volume, CPU", columns, rows, notes)


if __name__ == "__main__":
    main()
