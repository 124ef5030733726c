"""Small networks whose answer is known: the weights of the diffusion's are set by hand; an untrained 3D U-Net."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from xradiff.reconstruction.methods.gan.network import Generator3D
from xradiff.reconstruction.methods.gan.recipe import Recipe as GanRecipe
from xradiff.reconstruction.methods.sparse_diffusion.network import SparseDenoiser
from xradiff.reconstruction.methods.sparse_diffusion.recipe import Recipe as SparseRecipe
from xradiff.reconstruction.methods.unet3d.network import VesselUNet3D
from xradiff.reconstruction.methods.unet3d.recipe import Recipe as UnetRecipe
from xradiff.reconstruction.methods.unet3d_diffusion.network import NoisePredictor3D
from xradiff.reconstruction.methods.unet3d_diffusion.recipe import NetworkConfig, Recipe
from xradiff.weights import WeightsFile, save_weights

TINY = NetworkConfig(
    size=16,
    channels=(8, 8),
    attention=(False, False),
    attention_up=(False, False),
    layers_per_block=1,
    norm_groups=4,
    head_size=4,
    token_size=8,
    encoder_channels=4,
)

SMALL_UNET = UnetRecipe(size=16, spacing_mm=3.0, channels=(8, 16), layers_per_level=1)
SMALL_GAN = GanRecipe(size=16, spacing_mm=3.0, channels=(8, 16), critic_channels=(8, 16))

SMALL_SPARSE = SparseRecipe(channels=(8, 16), view_channels=8, child_channels=8)


def believer(config: NetworkConfig = TINY) -> NoisePredictor3D:
    """Return the network that takes the backprojection b for the truth: noise (x - b) / rms(x - b).

    conv_in makes the channels z = x - b and -z, every other branch adds nothing, the last shortcut takes
    z from the skip connection, the group norm over the pair divides by rms(z) of each slice, and conv_out uses that
    silu(z) - silu(-z) = z.
    """
    network = NoisePredictor3D(config).eval().requires_grad_(False)
    for tensor in network.parameters():
        tensor.zero_()
    unet, width = network.unet, config.channels[0]
    sign = torch.tensor([1.0, -1.0])
    unet.conv_in.weight[:2, 0, 1, 1] = sign
    unet.conv_in.weight[:2, 1, 1, 1] = -sign
    unet.up_blocks[-1].resnets[-1].conv_shortcut.weight[:, -width:, 0, 0] = torch.eye(width)
    unet.conv_norm_out.weight.fill_(1)
    unet.conv_out.weight[0, :2, 1, 1] = sign
    return network


def write_believer(folder: Path, name: str = "unet3d_diffusion_both", **recipe: object) -> WeightsFile:
    """Write the believer's weight file and return it."""
    told = Recipe(**({"network": TINY, "spacing_mm": 3.0, "view_size": 32} | recipe))
    tensors = believer(told.network).state_dict()
    return save_weights(folder / f"{name}.safetensors", tensors, "unet3d_diffusion", told.to_json())


def write_unet3d(folder: Path, name: str = "unet3d_both", seed: int = 0) -> WeightsFile:
    """Write an untrained 3D U-Net, which answers with the backprojection, and return its file."""
    torch.manual_seed(seed)
    tensors = VesselUNet3D(SMALL_UNET).state_dict()
    return save_weights(folder / f"{name}.safetensors", tensors, "unet3d", SMALL_UNET.to_json())


def write_gan(folder: Path, name: str = "gan_both") -> WeightsFile:
    """Write an untrained generator, which answers with the backprojection, and return its file."""
    torch.manual_seed(0)
    tensors = Generator3D(SMALL_GAN).state_dict()
    return save_weights(folder / f"{name}.safetensors", tensors, "gan", SMALL_GAN.to_json())


def write_sparse_diffusion(folder: Path, name: str = "sparse_diffusion_both", **recipe: object) -> WeightsFile:
    """Write a sparse denoiser that takes what all masks hold for the truth: logit = -10 (edge distance in mm)."""
    told = replace(SMALL_SPARSE, **recipe)
    torch.manual_seed(0)
    network = SparseDenoiser(SMALL_SPARSE)
    for tensor in network.head.parameters():
        tensor.data.zero_()
    edge = SMALL_SPARSE.child_channels  # the first of what is told of a child
    network.head[0].weight.data[0, edge], network.head[0].weight.data[1, edge] = -10.0, 10.0
    network.head[2].weight.data[0, :2] = torch.tensor([1.0, -1.0])  # silu(z) - silu(-z) = z
    return save_weights(folder / f"{name}.safetensors", network.state_dict(), "sparse_diffusion", told.to_json())
