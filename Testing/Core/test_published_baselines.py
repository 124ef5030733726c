"""The authors' checkpoints of the 3D U-Net and the GAN: same names and structure, same answer, nothing run."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from xradiff.errors import InputError
from xradiff.progress import silent
from xradiff.reconstruction import registry
from xradiff.reconstruction.interface import ReconstructionInputs
from xradiff.reconstruction.methods.gan import convert as gan
from xradiff.reconstruction.methods.gan.published import PUBLISHED_FILTERS, PublishedGenerator3D
from xradiff.reconstruction.methods.unet3d import convert as unet3d
from xradiff.reconstruction.methods.unet3d.published import PUBLISHED_CHANNELS, PublishedUNet3D
from xradiff.reconstruction.published.geometry import published_backprojection
from xradiff.weights import read_tensors

CHANNELS, FILTERS = (4, 6, 8), 4
CONVERT = {
    "unet3d": partial(unet3d.convert_checkpoint, channels=CHANNELS),
    "gan": partial(gan.convert_checkpoint, filters=FILTERS),
}
every_baseline = pytest.mark.parametrize("name", CONVERT)


class Tree(nn.Module):
    """Modules by name, and what is done with them."""

    def __init__(self, run, **parts):
        super().__init__()
        self.run = run
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, *given):
        return self.run(self, *given)


def convolution(kind, inputs, outputs, *sizes, plain=False, **more):
    """A "Convolution" of MONAI: conv, and adn with its norm N and activation A."""
    adn = {} if plain else {"adn": nn.Sequential()}
    tree = Tree(
        lambda t, x: t.conv(x) if plain else t.adn(t.conv(x)), conv=kind(inputs, outputs, *sizes, **more), **adn
    )
    if not plain:
        tree.adn.add_module("N", nn.BatchNorm3d(outputs))
        tree.adn.add_module("A", nn.PReLU())
    return tree


def residual_unit(inputs, outputs, stride, units, last=False):
    inner = nn.Sequential()
    for unit in range(units):
        first = unit == 0
        sizes = (3, stride if first else 1, 1)
        plain = last and unit == units - 1
        inner.add_module(
            f"unit{unit}", convolution(nn.Conv3d, inputs if first else outputs, outputs, *sizes, plain=plain)
        )
    beside = nn.Identity()
    if stride > 1:
        beside = nn.Conv3d(inputs, outputs, 3, stride, 1)
    elif inputs != outputs:
        beside = nn.Conv3d(inputs, outputs, 1)
    return Tree(lambda t, x: t.conv(x) + t.residual(x), conv=inner, residual=beside)


def nested(inputs, outputs, channels, top=True):
    """MONAI's U-Net as it nests: way down, a skip around the rest, way up."""
    own, *rest = channels
    rest_of_it = residual_unit(own, rest[0], 1, 2) if len(rest) == 1 else nested(own, own, rest, top=False)
    under = rest[0] if len(rest) == 1 else own
    up = convolution(nn.ConvTranspose3d, own + under, outputs, 3, 2, 1, output_padding=1)
    return nn.Sequential(
        residual_unit(inputs, own, 2, 2),
        Tree(lambda t, x: torch.cat([x, t.submodule(x)], 1), submodule=rest_of_it),
        nn.Sequential(up, residual_unit(outputs, outputs, 1, 1, last=top)),
    )


def their_unet():
    network = nested(1, 1, CHANNELS)
    for layer in network.modules():  # as after a training
        if isinstance(layer, nn.BatchNorm3d):
            layer.running_mean.normal_(0, 0.1)
            layer.running_var.uniform_(0.5, 2)
    model = Tree(lambda t, x: t.model(x), model=network)
    return Tree(lambda t, x: t.model(x), model=model), {"loss_fn.pos_weight": torch.tensor([100.0])}


def conv_block(inputs, outputs):
    layers = []
    for given in (inputs, outputs):
        layers += [nn.Conv3d(given, outputs, 3, padding=1), nn.InstanceNorm3d(outputs, affine=True), nn.ReLU()]
    return Tree(lambda t, x: t.conv_block(x), conv_block=nn.Sequential(*layers))


def transformer_layer(width):
    def attend(t, x):
        q, k, v = torch.split(t.qkv(x), width, dim=2)
        return t.multi_attn(q, k, v)[0]

    def run(t, x):
        x = t.norm1(x + t.self_attn(t.pre_norm(x)))
        return x + t.linear2(nn.functional.gelu(t.linear1(x)))

    attention = nn.MultiheadAttention(width, 8, batch_first=True, bias=False)
    return Tree(
        run, pre_norm=nn.LayerNorm(width), norm1=nn.LayerNorm(width),
        self_attn=Tree(attend, qkv=nn.Linear(width, 3 * width, bias=False), multi_attn=attention),
        linear1=nn.Linear(width, 4 * width), linear2=nn.Linear(4 * width, width),
    )  # fmt: skip


def vision_transformer(width):
    def run(t, x):
        tokens = t.tokenizer.conv_layers[0][0](x).relu().flatten(2).mT
        for block in t.trans.blocks:
            tokens = block(tokens)
        mixed = t.trans.norm(tokens).contiguous().view(1, width, 640)
        return t.trans.final_linear(mixed).view(1, width, 8, 8, 8)

    tokens = nn.Conv3d(width, width, 1, padding=(0, 0, 1), bias=False)
    layers = nn.Sequential(nn.Sequential(tokens, nn.ReLU(), nn.Identity()))
    trans = Tree(
        None, attention_pool=nn.Linear(width, 1), blocks=nn.ModuleList(transformer_layer(width) for _ in range(8)),
        norm=nn.LayerNorm(width), final_linear=nn.Linear(640, 512),
    )  # fmt: skip
    trans.positional_emb = nn.Parameter(torch.zeros(1, 640, width))
    return Tree(run, tokenizer=Tree(None, conv_layers=layers), trans=trans)


def their_gan():
    f = FILTERS

    def run(t, x):
        skips = []
        for level in (t.down1, t.down2, t.down3):
            skips.append(level.conv_block(x))
            x = nn.functional.max_pool3d(skips[-1], 2)
        x = t.combine(torch.cat([t.bridge(x), t.viTrans(x)], 1))
        for level in (t.up2, t.up3, t.up4):
            x = level.conv_block(torch.cat([level.sample(x), skips.pop()], 1))
        return t.conv_class(x).sigmoid()

    def up(inputs, outputs):
        sample = nn.ConvTranspose3d(inputs, inputs, 2, stride=2)
        return Tree(None, sample=sample, conv_block=conv_block(inputs + inputs // 2, outputs))

    downs = {
        f"down{n}": Tree(None, conv_block=conv_block(a, b))
        for n, a, b in ((1, 1, f), (2, f, 2 * f), (3, 2 * f, 8 * f))
    }
    generator = Tree(
        run, **downs, bridge=conv_block(8 * f, 8 * f), viTrans=vision_transformer(8 * f),
        combine=conv_block(16 * f, 16 * f), up2=up(16 * f, 4 * f), up3=up(4 * f, 2 * f), up4=up(2 * f, f),
        conv_class=nn.Conv3d(f, 1, 1),
    )  # fmt: skip
    return Tree(lambda t, x: t.generator(x), generator=generator), {"discriminator.layer.weight": torch.ones(2)}


def write_checkpoint(path, name, extra=None):
    """Write a Lightning checkpoint with the authors' names and return the network in it."""
    torch.manual_seed(3)
    network, beside = their_unet() if name == "unet3d" else their_gan()
    state = network.state_dict() | beside
    content = {
        "epoch": 3,
        "state_dict": state,
        "hyper_parameters": {"lr": 1e-5},
        "optimizer_states": [],
        "callbacks": {},
    }
    torch.save(content | (extra or {}), path)
    return network.eval()


@pytest.fixture(autouse=True)
def weights(tmp_path, monkeypatch):
    monkeypatch.setenv("XRADIFF_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "weights"


def test_sizes_of_the_published_networks():
    """Those of the authors' program; the paper says that the U-Net is about as large as the diffusion model's."""
    with torch.device("meta"):
        networks = PublishedUNet3D(PUBLISHED_CHANNELS), PublishedGenerator3D(PUBLISHED_FILTERS)
    sizes = [sum(tensor.numel() for tensor in network.parameters()) for network in networks]
    assert sizes == [77_129_748, 136_147_329]


@every_baseline
def test_a_converted_checkpoint_answers_as_the_authors_network(name, tmp_path, weights, sphere_views):
    theirs = write_checkpoint(tmp_path / "x.ckpt", name)
    written = CONVERT[name](tmp_path / "x.ckpt", "left")
    assert written.path == weights / f"{name}_left.safetensors"
    assert "x.ckpt, SHA-256" in written.recipe["source"]
    views = sphere_views((10.0, -8.0, 5.0), 10.0, angles=((40, 5), (-50, 10)))
    spec = registry.method_spec(name)
    inputs = ReconstructionInputs(tuple(views), spacing_mm=1.0, side="left")
    result = registry.load_method(spec).reconstruct(
        inputs, registry.config_class(spec)(), generator=np.random.default_rng(0), progress=silent
    )
    assert any("another C-arm rotation" in warning for warning in result.warnings)
    given = torch.zeros(1, 1, 64, 64, 64)
    given[0, 0, :60, :60, :60] = published_backprojection(views, 60)
    with torch.no_grad():
        answer = theirs(given)[0, 0, :60, :60, :60].flip(1).numpy()
    found = np.zeros((60, 60, 60), np.float32)
    found[tuple(result.volume.indices.T)] = result.volume.values
    assert (found >= 0.5).sum() == pytest.approx(0.01 * 60**3, abs=2)  # eq. 4
    by_order = np.argsort(answer, axis=None)
    assert np.all(np.diff(found.ravel()[by_order]) >= -1e-5)  # the same order as theirs
    np.testing.assert_allclose(result.volume.grid.spacing_mm, 102.4 / 60)
    np.testing.assert_allclose(result.volume.grid.centre_lps_mm, 0, atol=1e-9)


@every_baseline
def test_half_precision_and_other_networks(name, tmp_path):
    write_checkpoint(tmp_path / "x.ckpt", name)
    written = CONVERT[name](tmp_path / "x.ckpt", "both", precision="bfloat16")
    assert {tensor.dtype for tensor in read_tensors(written, written.shapes).values()} <= {torch.bfloat16, torch.int64}
    module = {"unet3d": unet3d, "gan": gan}[name]
    with pytest.raises(InputError, match=r"x.ckpt does not fit the network: .* expected is"):
        module.convert_checkpoint(tmp_path / "x.ckpt", "left")
    other = {"unet3d": "gan", "gan": "unet3d"}[name]
    write_checkpoint(tmp_path / "other.ckpt", other)
    with pytest.raises(InputError, match="does not fit the network"):
        CONVERT[name](tmp_path / "other.ckpt", "left")


@every_baseline
def test_objects_are_refused_in_one_line(name, tmp_path, weights, capsys):
    write_checkpoint(tmp_path / "x.ckpt", name, {"hyper_parameters": {"path": tmp_path}})
    module = {"unet3d": unet3d, "gan": gan}[name]
    assert module.main([str(tmp_path / "x.ckpt"), "--side", "left"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("xradiff: ") and "holds an object of pathlib" in error and error.count("\n") == 1
    assert not weights.exists()
