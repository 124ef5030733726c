"""XRA-Diff: its network, its training step, the authors' geometry and weights, and a network whose answer is known."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from xradiff import weights as weight_files
from xradiff.datatypes import Acquisition
from xradiff.errors import InputError, MissingDependencyError
from xradiff.geometry.camera import camera_from
from xradiff.progress import silent
from xradiff.reconstruction.interface import ReconstructionInputs
from xradiff.reconstruction.methods.unet3d_diffusion import conditions, convert, cost, method, sampling
from xradiff.reconstruction.methods.unet3d_diffusion import network as network_file
from xradiff.reconstruction.methods.unet3d_diffusion.config import Unet3dDiffusionConfig
from xradiff.reconstruction.methods.unet3d_diffusion.method import Unet3dDiffusion
from xradiff.reconstruction.methods.unet3d_diffusion.network import Condition, NoisePredictor3D, empty_network
from xradiff.reconstruction.methods.unet3d_diffusion.recipe import NetworkConfig, Recipe
from xradiff.reconstruction.methods.unet3d_diffusion.training import DiffusionTraining
from xradiff.reconstruction.published import geometry as published
from xradiff.reconstruction.published.threshold import probabilities
from xradiff.reconstruction.samplers import NoiseSchedule, guided, sample_ddim
from xradiff.synthetic.case import CaseOptions
from xradiff.training.cases import GeneratedCases
from xradiff.training.config import TrainingConfig
from xradiff.training.loop import train
from xradiff.weights import open_weights, read_tensors

sys.path.append(str(Path(__file__).parent))
from shipped_weights import dice_beside_backprojection
from small_networks import TINY, believer, write_believer

VESSELS = {
    "network": dataclasses.replace(TINY, patch=2, vessels=True, encoder_norm="instance"),
    "prediction": "sample",
    "zero_terminal_snr": True,
}
SPHERE = (10.0, -15.0, 5.0)


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


# network


def test_parameters_equal_table_3_row_by_row():
    network = empty_network(NetworkConfig())
    unet, volume, view = network.unet, network.backprojection_encoder, network.view_encoders[0]
    rows = {
        "conv_in": 608, "time_proj": 0, "time_embedding": 20_736, "transformer_in": 5_284_960,
        "down_blocks": 269_103_104, "up_blocks": 427_224_896, "mid_block": 109_395_968,
        "conv_norm_out": 64, "conv_act": 0, "conv_out": 289,
    }  # fmt: skip
    assert {name: count(getattr(unet, name)) for name in rows} == rows
    assert count(unet) == sum(rows.values()) == 811_030_625
    names = ("conv1", "conv2", "conv3", "pool", "fc", "norm1", "norm2", "activation")
    assert [count(getattr(volume, name)) for name in names] == [1792, 110_656, 110_656, 0, 66_560, 128, 128, 0]
    assert count(volume) == 289_920
    names = ("conv1", "conv2", "conv3", "pool", "fc", "activation")
    assert [count(getattr(view, name)) for name in names] == [640, 36_928, 36_928, 0, 66_560, 0]
    assert count(view) == count(network.view_encoders[1]) == 141_056
    assert count(network) == 811_030_625 + 289_920 + 2 * 141_056
    assert all(parameter.is_meta for parameter in network.parameters())


def test_without_projections_only_their_encoders_are_missing():
    full = set(empty_network(TINY).state_dict())
    less = set(empty_network(dataclasses.replace(TINY, views=0)).state_dict())
    assert {name.split(".")[0] for name in full - less} == {"view_encoders"}


def test_recipe_survives_json():
    recipe = Recipe(network=TINY, spacing_mm=6.4, side="left", source="here", geometry="published")
    assert Recipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe


@pytest.mark.parametrize("wrong", [{"network": 3}, {"network": {"channels": "ab"}}, {"spacing_mm": None}, {"x": 1}])
def test_recipes_that_are_none_are_refused(wrong):
    with pytest.raises(InputError):
        Recipe.from_json(wrong)


def test_the_published_cube_is_fixed():
    assert Recipe(geometry="published").spacing_mm * 60 == pytest.approx(102.4)
    with pytest.raises(InputError, match="cube of 102.4 mm, got 16 voxels of 3 mm"):
        Recipe(network=TINY, spacing_mm=3.0, geometry="published")


@pytest.mark.parametrize(
    "wrong",
    [
        {"patch": 3},
        {"patch": 0},
        {"encoder_norm": "layer"},
        {"vessels": True},
        {"channels": (8, 10)},
        {"attention": (True,)},
        {"size": 0},
        {"views": 9},
        {"head_size": 3},
        {"layers": 1},
    ],
)
def test_impossible_networks_are_refused(wrong):
    with pytest.raises(InputError):
        Recipe.from_json({"network": dataclasses.asdict(TINY) | wrong})


def test_the_token_is_the_sum_of_the_encodings_of_the_first_views():
    torch.manual_seed(0)
    network = NoisePredictor3D(TINY).eval().requires_grad_(False)
    volume, views = torch.rand(2, 1, 16, 16, 16), torch.rand(2, 4, 20, 20)
    expected = network.backprojection_encoder(volume)
    for index in (0, 1):
        expected = expected + network.view_encoders[index](views[:, index : index + 1])
    condition = network.encode(volume, views)
    torch.testing.assert_close(condition.token, expected[:, None])
    assert condition.backprojection is volume
    with pytest.raises(InputError, match="encodes 2 views, got 1"):
        network.encode(volume, views[:, :1])


def test_the_network_uses_token_backprojection_and_time():
    torch.manual_seed(0)
    network = NoisePredictor3D(TINY).eval().requires_grad_(False)
    noisy, volume, views = torch.randn(1, 1, 16, 16, 16), torch.rand(1, 1, 16, 16, 16), torch.rand(1, 2, 20, 20)
    condition = network.encode(volume, views)
    first = network(noisy, torch.tensor([10]), condition)
    assert first.shape == noisy.shape
    for other, time in (
        (dataclasses.replace(condition, token=condition.token + 1), 10),
        (dataclasses.replace(condition, backprojection=volume + 1), 10),
        (condition, 700),
    ):
        assert not torch.allclose(network(noisy, torch.tensor([time]), other), first, atol=1e-6)


def test_cases_of_a_batch_do_not_mix():
    torch.manual_seed(0)
    network = NoisePredictor3D(TINY).eval().requires_grad_(False)
    noisy, volume, views = torch.randn(2, 1, 16, 16, 16), torch.rand(2, 1, 16, 16, 16), torch.rand(2, 2, 20, 20)
    times = torch.tensor([10, 900])
    together = network(noisy, times, network.encode(volume, views))
    alone = network(noisy[1:], times[1:], network.encode(volume[1:], views[1:]))
    torch.testing.assert_close(together[1:], alone, atol=1e-5, rtol=1e-4)


def test_the_believers_answer_is_what_it_says():
    noisy, volume = torch.randn(1, 1, 16, 16, 16), torch.rand(1, 1, 16, 16, 16)
    network = believer()
    found = network(noisy, torch.tensor([500]), network.encode(volume, torch.zeros(1, 2, 8, 8)))
    rest = noisy - volume
    expected = rest / rest.square().mean(dim=(-2, -1), keepdim=True).sqrt()
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("patch", [1, 2, 4])
def test_patches_enter_as_channels_and_come_back(patch):
    volume = torch.arange(2 * 2 * 8**3, dtype=torch.float32).view(2, 2, 8, 8, 8)
    parts = network_file._into_patches(volume, patch)
    assert parts.shape == (2, 2 * patch**3, *(8 // patch,) * 3)
    assert torch.equal(network_file._from_patches(parts, patch), volume)
    block = volume[1, 1, :patch, patch : 2 * patch, -patch:] if patch < 8 else None
    assert torch.equal(parts[1, patch**3 :, 0, 1, -1], block.flatten())


def test_a_patched_network_works_on_fewer_places():
    torch.manual_seed(0)
    network = NoisePredictor3D(dataclasses.replace(TINY, patch=2)).eval().requires_grad_(False)
    volume, places = torch.rand(1, 1, 16, 16, 16), []
    network.unet.conv_in.register_forward_hook(lambda layer, given, answer: places.append(given[0].shape))
    found = network(torch.randn_like(volume), torch.tensor([5]), network.encode(volume, torch.rand(1, 2, 20, 20)))
    assert found.shape == volume.shape
    assert places == [(8, 16, 8, 8)]  # frames x channels x rows x columns
    assert cost.memory_bytes(network.config) < cost.memory_bytes(TINY)


def test_an_untrained_network_of_vessels_answers_with_the_backprojection():
    network = NoisePredictor3D(VESSELS["network"]).eval().requires_grad_(False)
    noisy, volume, time = torch.randn(1, 1, 16, 16, 16), torch.rand(1, 1, 16, 16, 16), torch.tensor([999])
    condition = network.encode(volume, torch.rand(1, 2, 20, 20))
    torch.testing.assert_close(network(noisy, time, condition), 8 * (volume - 0.5))
    torch.testing.assert_close(network.predict(noisy, time, condition), torch.sigmoid(8 * (volume - 0.5)))
    plain = believer()
    assert torch.equal(plain.predict(noisy, time, condition), plain(noisy, time, condition))


def test_pure_noise_disturbs_no_network_of_vessels():
    """Without a squared cosine left of the signal at the last time step, the answer is the same for any noise."""
    torch.manual_seed(0)
    network = NoisePredictor3D(VESSELS["network"]).eval().requires_grad_(False)
    torch.nn.init.normal_(network.unet.conv_out.weight)
    condition = network.encode(torch.rand(1, 1, 16, 16, 16), torch.rand(1, 2, 20, 20))
    first, second = torch.randn(2, 1, 1, 16, 16, 16)
    for time, same in ((999, True), (500, False)):
        answers = [network(noisy, torch.tensor([time]), condition) for noisy in (first, second)]
        assert torch.allclose(*answers, atol=1e-4) == same
    kept = NoiseSchedule(prediction="sample", zero_terminal_snr=True).ddim().alphas_cumprod.sqrt()
    formula = torch.cos(torch.pi / 2 * (torch.arange(1000) + 1) / 1000)
    torch.testing.assert_close(formula, kept, atol=0.03, rtol=0)


@pytest.mark.parametrize(("norm", "alone"), [("batch", False), ("instance", True)])
def test_instance_norm_keeps_the_cases_of_a_training_batch_apart(norm, alone):
    torch.manual_seed(0)
    encoder = NoisePredictor3D(dataclasses.replace(TINY, encoder_norm=norm)).backprojection_encoder.train()
    volumes = torch.rand(2, 1, 16, 16, 16) * torch.tensor([1.0, 0.1]).view(2, 1, 1, 1, 1)
    assert torch.allclose(encoder(volumes)[:1], encoder(volumes[:1]), atol=1e-5) == alone


def test_nothing_in_the_loop_reads_a_value_back_from_the_device():
    """A tensor on the meta device has no values: whatever waits for one fails."""
    network = empty_network(TINY)
    with torch.device("meta"):
        both = Condition(torch.empty(2, 1, 8), torch.empty(2, 1, 16, 16, 16))
        start = torch.empty(1, 1, 16, 16, 16)
    found = sample_ddim(guided(lambda noisy, times: network(noisy, times, both), 7.5), start, NoiseSchedule(), 3)
    assert found.is_meta and found.shape == start.shape


# training


def batch(cases=4):
    chance = torch.Generator().manual_seed(5)
    return {
        "volume": (torch.rand(cases, 1, 16, 16, 16, generator=chance) > 0.9).float(),
        "backprojection": torch.rand(cases, 1, 16, 16, 16, generator=chance),
        "views": torch.rand(cases, 2, 20, 20, generator=chance),
    }


def training(**options):
    torch.manual_seed(0)
    return DiffusionTraining(Recipe(**{"network": TINY, "view_size": 20} | options))


def test_every_parameter_that_can_learn_does():
    task = training()
    task.loss(batch(2), torch.Generator().manual_seed(1)).backward()
    without = {name for name, parameter in task.network.named_parameters() if parameter.grad is None}
    assert not without
    for part in (task.network.backprojection_encoder, *task.network.view_encoders):
        assert all(parameter.grad.abs().sum() > 0 for name, parameter in part.named_parameters() if "fc" in name)


@pytest.mark.parametrize("prediction", ["epsilon", "sample", "v_prediction"])
def test_the_loss_is_the_error_of_the_prediction(prediction):
    task = training(prediction=prediction, zero_terminal_snr=prediction != "epsilon", drop_probability=0).eval()
    given, chance = batch(), torch.Generator().manual_seed(3)
    times = torch.randint(0, 1000, (4,), generator=chance)
    noise = torch.randn(given["volume"].shape, generator=chance)
    kept = task.scheduler.alphas_cumprod[times].view(-1, 1, 1, 1, 1)
    noisy = kept.sqrt() * given["volume"] + (1 - kept).sqrt() * noise
    condition = task.network.encode(given["backprojection"], given["views"])
    velocity = kept.sqrt() * noise - (1 - kept).sqrt() * given["volume"]
    target = {"epsilon": noise, "sample": given["volume"], "v_prediction": velocity}[prediction]
    expected = (task.network(noisy, times, condition) - target).square().mean()
    torch.testing.assert_close(task.loss(given, torch.Generator().manual_seed(3)), expected)


def test_the_loss_of_vessels_is_cross_entropy_and_soft_dice():
    task, given = training(**VESSELS, drop_probability=0, pure_noise=1).eval(), batch()
    torch.nn.init.normal_(task.network.unet.conv_out.weight, std=0.02)
    noise = torch.randn(given["volume"].shape, generator=after_times())
    condition = task.network.encode(given["backprojection"], given["views"])
    p, v = task.network.predict(noise, torch.full((4,), 999), condition), given["volume"]
    entropy = -(v * p.log() + (1 - v) * (1 - p).log()).mean()
    overlap = 2 * (p * v).sum((1, 2, 3, 4)) + 1
    total = (p.square() + v.square()).sum((1, 2, 3, 4)) + 1
    expected = entropy + 1 - (overlap / total).mean()
    torch.testing.assert_close(task.loss(given, torch.Generator().manual_seed(3)), expected, atol=1e-4, rtol=1e-4)


def after_times():
    """The generator of seed 3 after four time steps and who is shown pure noise were drawn from it."""
    chance = torch.Generator().manual_seed(3)
    torch.randint(0, 1000, (4,), generator=chance)
    torch.rand(4, generator=chance)
    return chance


@pytest.mark.parametrize("share", [0.0, 0.75, 1.0])
def test_the_share_of_pure_noise_is_shown_the_last_time_step(share):
    task, seen = training(pure_noise=share), []
    task.network.forward = lambda noisy, times, condition: seen.append(times) or noisy
    task.network.encode = lambda backprojection, views: None
    chance = torch.Generator().manual_seed(0)
    for _ in range(100):
        task.loss(batch(), chance)
    times = torch.cat(seen)
    assert abs(float((times == 999).float().mean()) - share) < 0.06
    others = times[times < 999].float()
    assert share == 1 or 400 < float(others.mean()) < 600  # the others are drawn from all


def test_dropout_is_the_recipes():
    for share in (0.1, 0.0):
        found = {module.p for module in training(dropout=share).modules() if isinstance(module, torch.nn.Dropout)}
        assert found == {0.0, share}  # attention has none


def test_the_papers_training_is_the_default():
    recipe = Recipe()
    assert (recipe.prediction, recipe.guidance, recipe.steps, recipe.quantile) == ("epsilon", 7.5, 10, 0.99)
    assert (recipe.drop_probability, recipe.pure_noise, recipe.dropout) == (0.1, 0.0, 0.1)
    assert (recipe.network.patch, recipe.network.vessels, recipe.network.encoder_norm) == (1, False, "batch")


def test_a_loss_that_is_no_number_leaves_the_last_good_checkpoint(tmp_path, monkeypatch):
    """NaN in step 4 of 6, a checkpoint every 2: the folder holds step 2, finite, and the run goes on from there."""
    settings = {name: getattr(TINY, name) for name in ("size", "norm_groups", "head_size", "token_size", "channels")}
    settings |= {"layers_per_block": 1, "encoder_channels": 4, "attention": (0, 0), "attention_up": (0, 0)}
    settings |= {"spacing_mm": 7.0, "view_size": 16, "prediction": "sample", "zero_terminal_snr": "true", "steps": 2}
    cases = GeneratedCases(CaseOptions(image_px=128), 5, 10)
    config = TrainingConfig(
        steps=6, batch=1, warmup=1, validation_cases=1, validate_every=6, checkpoint_every=2, device="cpu"
    )
    real, calls = DiffusionTraining.loss, []

    def sick(task, batch, generator):
        calls.append(1)
        return real(task, batch, generator) * (float("nan") if len(calls) == 4 else 1.0)

    monkeypatch.setattr(DiffusionTraining, "loss", sick)
    with pytest.raises(InputError, match="not finite in step 4 "):
        train("unet3d_diffusion", cases, config, tmp_path, settings=dict(settings))
    kept = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert kept["step"] == 2
    file = open_weights(tmp_path / "last.safetensors", "unet3d_diffusion")
    assert all(bool(tensor.isfinite().all()) for tensor in read_tensors(file, file.shapes).values())
    assert train("unet3d_diffusion", cases, config, tmp_path, settings=dict(settings)).steps == 6


def test_same_generator_same_loss():
    task = training()
    for name, parameter in task.network.named_parameters():
        if "conv4" in name:  # zero in a new U-Net, and then what its dropout did does not come through
            torch.nn.init.constant_(parameter, 0.1)
    losses = []
    for number, seed in enumerate((1, 1, 2)):
        torch.manual_seed(number)
        before = torch.get_rng_state()
        losses.append(task.loss(batch(2), torch.Generator().manual_seed(seed)))
        assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(losses[0], losses[1])
    assert not torch.equal(losses[0], losses[2])


def test_each_case_loses_its_whole_condition_with_the_drop_probability():
    task, seen = training(drop_probability=0.25), []

    def encode(backprojection, views):
        seen.append((backprojection.flatten(1).abs().sum(1) > 0, views.flatten(1).abs().sum(1) > 0))
        raise StopIteration

    task.network.encode = encode
    chance = torch.Generator().manual_seed(0)
    for _ in range(100):
        with pytest.raises(StopIteration):
            task.loss(batch(), chance)
    volumes, views = (torch.stack(part) for part in zip(*seen, strict=True))
    assert torch.equal(volumes, views)
    dropped = ~volumes
    assert 0.19 < float(dropped.float().mean()) < 0.31
    assert bool((dropped.any(1) & ~dropped.all(1)).any())  # case by case, not the batch as one


def test_a_dropped_case_is_the_samplers_unconditional_one():
    task = training(drop_probability=1).eval()
    given = batch(1)
    nothing = task.network.encode_nothing(given["backprojection"], given["views"])
    zeros = task.network.encode(torch.zeros(1, 1, 16, 16, 16), torch.zeros(1, 2, 20, 20))
    torch.testing.assert_close(nothing.token, zeros.token)
    full = task.loss(given, torch.Generator().manual_seed(1))
    empty = task.loss({**given, "backprojection": 0 * given["backprojection"]}, torch.Generator().manual_seed(1))
    assert torch.equal(full, empty)


def test_a_few_steps_lower_the_loss():
    task, given = training(drop_probability=0), batch(1)
    optimiser = torch.optim.Adam(task.network.parameters(), lr=3e-3)
    losses = []
    for _ in range(8):
        optimiser.zero_grad()
        loss = task.loss(given, torch.Generator().manual_seed(1))
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


# geometry of the authors' weights


@pytest.mark.parametrize(
    ("angles", "direction_deg", "roll_deg"),
    [((40, 30), 8.33, -7.65), ((-35, 30), 6.80, 7.04), ((-30, -20), 3.14, -4.44), ((50, 20), 7.49, -5.79),
     ((-47, 45), 17.87, 11.10), ((40, 0), 0, 0), ((0, 30), 0, 0)],
)  # fmt: skip
def test_the_authors_camera_differs_from_dicom_as_measured(angles, direction_deg, roll_deg):
    acquisition = Acquisition(*angles, 1050.0, 750.0, (0.3, 0.2))
    theirs, ours = published.published_camera(acquisition, (400, 512)), camera_from(acquisition, (400, 512))
    assert np.degrees(np.arccos(min(1, theirs.d @ ours.d))) == pytest.approx(direction_deg, abs=0.005)
    assert np.degrees(np.arctan2(ours.u @ theirs.v, ours.u @ theirs.u)) == pytest.approx(roll_deg, abs=0.006)
    np.testing.assert_allclose(np.cross(theirs.u, theirs.v), -theirs.d, atol=1e-12)
    np.testing.assert_allclose(theirs.source, -750 * theirs.d)
    assert theirs.principal_point == ours.principal_point == (199.5, 255.5)


def test_the_authors_source_by_hand():
    """(40, 30): Rx(30) Rz(-40) (0, -750, 0) in (left, anterior, superior), calculated on paper."""
    source = published.published_camera(Acquisition(40, 30, 1050.0, 750.0, (0.3, 0.3)), (512, 512)).source
    np.testing.assert_allclose(source, [-482.0907, 497.5605, -287.2667], atol=1e-3)


def test_a_patient_shift_moves_the_authors_camera_as_ours():
    before = Acquisition(40, 0, 1050.0, 750.0, (0.3, 0.3), detector_offset_mm=(3.0, -6.0))
    for acquisition in (before, before.shifted((1, 2, 3))):
        theirs, ours = published.published_camera(acquisition, (512, 512)), camera_from(acquisition, (512, 512))
        np.testing.assert_allclose(theirs.matrix, ours.matrix, atol=1e-9)


@pytest.mark.parametrize(("angles", "roll", "message"), [((180, 0), 0, "behind"), ((10, 0), 5, "no detector roll")])
def test_views_outside_the_authors_geometry_are_refused(angles, roll, message):
    with pytest.raises(InputError, match=message):
        published.published_camera(Acquisition(*angles, 1050.0, 750.0, (0.3, 0.3), roll_deg=roll), (512, 512))


def test_the_authors_geometry_has_no_frontal_view(sphere_views):
    with pytest.raises(InputError, match="both angles 0"):
        published.published_backprojection(sphere_views(angles=((0, 0), (40, 0))), 16)


def test_the_authors_backprojection_against_another_way(sphere_views):
    """Away from a silhouette's edge the adjoint of a mask is the mask at the projected voxel, nearly."""
    views = sphere_views(SPHERE, 12.0, angles=((40, 20), (-35, 10)))
    size = 32
    found = published.published_backprojection(views, size)
    grid = published.published_grid(size)
    assert grid.spacing_mm[0] * size == pytest.approx(102.4)
    indices = np.stack(np.meshgrid(*[np.arange(size)] * 3, indexing="ij"), axis=-1)
    points = grid.centres(indices)
    inside, outside = np.ones(grid.shape, bool), np.zeros(grid.shape, bool)
    for view in views:
        camera = published.published_camera(view.acquisition, view.shape)
        pixels = camera.project(points)
        centre = np.argwhere(view.mask).mean(axis=0)
        radius = np.sqrt(view.mask.sum() / np.pi)
        distance = np.linalg.norm(pixels - centre, axis=-1)
        inside &= distance < radius - 10
        outside |= distance > radius + 10
    in_lps = found.flip(1).numpy()
    assert inside.sum() > 50
    assert in_lps[inside].min() > 0.6
    assert in_lps[outside].max() < 1e-6
    assert float(found.min()) == 0 and 0.9 < float(found.max()) <= 1  # 1 before the trilinear step


def test_the_view_with_the_smaller_weight_wins_the_minimum(sphere_views):
    """Twice the rotation angle weighs a view, so that the first of these two decides everywhere inside."""
    views = sphere_views((0, 0, 0), 15.0, angles=((8, 0), (-60, 0)))
    weights = [published._adjoint_weight(view.acquisition) for view in views]
    assert weights[1] / weights[0] == pytest.approx(60 / 8)


def test_the_authors_images_are_transposed_with_the_feet_first(sphere_views):
    view = sphere_views((20, 0, 30), 5.0, angles=((40, 0), (-35, 10)))[0]
    image = published.published_views([view])[0]
    row, column = np.argwhere(view.mask).mean(axis=0)
    assert row < 128 < column  # head and left in the displayed image
    found = np.argwhere(image.numpy() > 0).mean(axis=0)
    np.testing.assert_allclose(found, (column, 255 - row))


# conditions


def test_the_grid_is_centred_on_the_tree_wherever_it_is(sphere_views):
    recipe = Recipe(network=TINY, spacing_mm=3.0, view_size=64)
    for centre in (SPHERE, (-25.0, 20.0, 20.0)):
        given = conditions.network_inputs(sphere_views(centre, 6.0), recipe)
        np.testing.assert_allclose(given.grid.centre_lps_mm, centre, atol=1.5)
        volume = given.backprojection[0, 0].numpy()
        middle = given.grid.centres(np.argwhere(volume >= 0.5)).mean(axis=0)
        np.testing.assert_allclose(middle, centre, atol=0.5)
        assert given.backprojection.shape == (1, 1, 16, 16, 16)
        assert given.views.shape == (1, 2, 64, 64)
        assert not given.warnings


def test_the_order_of_two_views_does_not_matter(sphere_views):
    views = sphere_views(SPHERE, 9.0, ((30, 0), (-40, 20), (70, 10)))
    recipe = Recipe(network=TINY, spacing_mm=3.0, view_size=64)
    one = conditions.network_inputs(views, recipe)
    two = conditions.network_inputs([views[1], views[0], views[2]], recipe)
    assert torch.equal(one.views, two.views)
    torch.testing.assert_close(one.backprojection, two.backprojection)
    first = conditions._resampled(torch.from_numpy(views[0].mask.astype(np.float32)), 64)
    assert torch.equal(one.views[:, :1], first)


def test_more_views_make_a_smaller_backprojection(sphere_views):
    recipe = Recipe(network=TINY, spacing_mm=3.0, view_size=64)
    angles = ((30, 0), (-40, 20), (0, -35), (70, 10))
    sums = [float(conditions.network_inputs(sphere_views(SPHERE, 9.0, angles[:n]), recipe).backprojection.sum())
            for n in (2, 3, 4)]  # fmt: skip
    assert sums[0] > sums[1] > sums[2] > 0


def test_too_few_views_and_a_tree_larger_than_the_cube(sphere_views):
    views = sphere_views(SPHERE, 30.0)
    with pytest.raises(InputError, match="need 3 views, got 2"):
        conditions.network_inputs(views, Recipe(network=dataclasses.replace(TINY, views=3)))
    notes = conditions.network_inputs(views, Recipe(network=TINY, spacing_mm=3.0, view_size=64)).warnings
    assert len(notes) == 1 and "of a mask are seen beside the network's cube of 48 mm" in notes[0]
    assert not conditions.network_inputs(views, Recipe(network=TINY, spacing_mm=5.0, view_size=64)).warnings


def test_the_cube_lies_around_the_tree_and_not_around_false_crossings(sphere_views):
    recipe = Recipe(network=TINY, spacing_mm=3.0, view_size=32)
    views = sphere_views(SPHERE, 8.0, angles=((30, 0), (5, 0)))  # so close that the hull is long
    np.testing.assert_allclose(conditions.network_inputs(views, recipe).grid.centre_lps_mm, SPHERE, atol=0.5)


def test_views_are_resampled_by_area():
    image = torch.zeros(6, 6)
    image[:2, :3] = 1
    expected = torch.tensor([[1, 0.5, 0], [0, 0, 0], [0, 0, 0]])
    torch.testing.assert_close(conditions._resampled(image, 3)[0, 0], expected)
    assert conditions._resampled(torch.ones(5, 9), 12).shape == (1, 1, 12, 12)


# the method


def test_guidance_is_against_the_case_without_a_condition(sphere_views):
    given = conditions.network_inputs(sphere_views(SPHERE, 9.0), Recipe(network=TINY, spacing_mm=3.0, view_size=32))
    network, noisy, times = believer(), torch.randn(2, 1, 16, 16, 16), torch.tensor([5, 700])
    with_it = network(noisy, times, network.encode(given.backprojection, given.views).repeated(2))
    without = network(noisy, times, network.encode(0 * given.backprojection, 0 * given.views).repeated(2))
    for scale in (0.0, 1.0, 7.5):
        predict = sampling._predictor(network, given, Unet3dDiffusionConfig(guidance=scale, samples=2), "cpu")
        torch.testing.assert_close(predict(noisy, times), without + scale * (with_it - without))


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """The one folder of weights: neither the user's nor shipped ones are found."""
    folder = tmp_path / "weights"
    monkeypatch.setenv("XRADIFF_WEIGHTS", str(folder))
    monkeypatch.setattr(weight_files, "weights_folders", lambda: (folder,))
    return folder


def reconstruct(views, side="auto", seed=0, progress=silent, **settings):
    inputs = ReconstructionInputs(tuple(views), spacing_mm=0.5, side=side)
    config = Unet3dDiffusionConfig(**settings)
    chance = np.random.default_rng(seed)
    return Unet3dDiffusion().reconstruct(inputs, config, generator=chance, progress=progress)


def centre_of(volume):
    return volume.points_lps_mm()[volume.values >= 0.5].mean(axis=0)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"steps": 5},
        {"guidance": 2.0, "steps": 5},
        {"schedule": "linear", "steps": 5},
        {"clip": False, "steps": 5},
        {"samples": 2, "steps": 3},
        {"precision": "bfloat16", "steps": 3},
    ],
    ids=str,
)
def test_what_the_network_believes_is_found(weights, sphere_views, settings):
    write_believer(weights)
    volume = reconstruct(sphere_views(SPHERE, 8.0), **settings).volume
    np.testing.assert_allclose(centre_of(volume), SPHERE, atol=1.5)  # half a voxel
    assert volume.grid.spacing_mm == (3.0, 3.0, 3.0)


def test_every_setting_of_the_sampling_changes_the_result(weights, sphere_views):
    write_believer(weights)
    views = sphere_views(SPHERE, 8.0)
    changes = ({}, {"clip": False}, {"schedule": "linear"}, {"guidance": 3.0}, {"steps": 3}, {"samples": 2})
    results = [reconstruct(views, **({"steps": 2} | change)).volume.values.tobytes() for change in changes]
    assert len(set(results)) == len(changes)


@pytest.mark.parametrize("views", [0, 2, 3])
def test_any_number_of_views_with_any_number_of_encoders(weights, sphere_views, views):
    write_believer(weights, network=dataclasses.replace(TINY, views=views))
    given = sphere_views(SPHERE, 8.0, angles=((30, 0), (-40, 20), (0, -35)))
    np.testing.assert_allclose(centre_of(reconstruct(given, steps=3).volume), SPHERE, atol=1.0)


def test_the_authors_geometry_comes_back_in_patient_space(weights, sphere_views):
    network = dataclasses.replace(TINY, size=24)
    write_believer(weights, network=network, spacing_mm=102.4 / 24, geometry="published")
    views = sphere_views(SPHERE, 14.0, angles=((40, 0), (-50, 0)))  # where their geometry is DICOM's
    result = reconstruct(views, steps=4)
    np.testing.assert_allclose(centre_of(result.volume), SPHERE, atol=1.6)
    assert any("another C-arm rotation" in warning for warning in result.warnings)


def test_the_side_chooses_the_weights(weights, sphere_views):
    write_believer(weights, "unet3d_diffusion_left", source="The left one.")
    write_believer(weights, "mine", source="Mine.")
    views = sphere_views(SPHERE, 8.0)
    assert reconstruct(views, side="left", steps=1).weights.recipe["source"] == "The left one."
    assert reconstruct(views, weights="mine", steps=1).weights.recipe["source"] == "Mine."
    path = str(weights / "mine.safetensors")
    assert reconstruct(views, weights=path, steps=1).weights.recipe["source"] == "Mine."
    with pytest.raises(MissingDependencyError, match=r"unet3d_diffusion_both.*zenodo") as caught:
        reconstruct(views, side="right")
    assert caught.value.exit_code == 3
    with pytest.raises(InputError, match="has weights for the left tree, and the side is not known"):
        reconstruct(views, side="auto")
    write_believer(weights, source="For both.")
    assert reconstruct(views, side="right", steps=1).weights.recipe["source"] == "For both."


def test_samples_are_averaged_and_their_spread_is_told(weights, sphere_views):
    write_believer(weights)
    views = sphere_views(SPHERE, 8.0)
    result = reconstruct(views, samples=3, steps=2)
    assert any(note.startswith("3 samples differ by 0.") for note in result.notes)
    spread = result.uncertainty
    assert spread.grid == result.volume.grid
    np.testing.assert_array_equal(spread.indices, result.volume.indices)
    alone = reconstruct(views, samples=1, steps=2)
    assert alone.uncertainty is None and alone.samples == ()


def test_the_uncertainty_is_the_standard_deviation_over_the_samples(weights, sphere_views, monkeypatch):
    """Voxels that are 0, 0.5 and 1 in three samples have 0.5; those that are always 1 have 0."""
    write_believer(weights)
    drawn = np.zeros((3, 16, 16, 16), np.float32)
    drawn[:, 4], drawn[1, 5], drawn[2, 5] = 1, 0.5, 1
    monkeypatch.setattr(method, "draw", lambda *_: drawn)
    result = reconstruct(sphere_views(SPHERE, 8.0), samples=3, quantile=0)
    assert set(result.volume.indices[:, 0]) == {4, 5}
    np.testing.assert_allclose(result.uncertainty.values, np.where(result.volume.indices[:, 0] == 4, 0, 0.5))
    assert len(result.samples) == 3
    mean = np.mean([sample.values for sample in result.samples], axis=0)
    np.testing.assert_allclose(mean, result.volume.values, atol=1e-6)
    np.testing.assert_allclose(result.volume.values, np.where(result.volume.indices[:, 0] == 4, 1, 0.5))
    assert any("0.5 mm is not used" in warning for warning in result.warnings)


def test_the_expected_time_is_told_before_it_is_spent(weights, sphere_views):
    write_believer(weights)
    seen = []
    reconstruct(sphere_views(SPHERE, 8.0), steps=2, progress=lambda fraction, message: seen.append(message))
    told = [index for index, message in enumerate(seen) if "will take about" in message]
    assert told == [seen.index("denoising, step 1 of 2") - 1]


def test_weights_of_another_network_are_refused(weights, sphere_views):
    written = write_believer(weights)
    tensors = read_tensors(written, written.shapes)
    from xradiff.weights import save_weights

    wider = Recipe(network=dataclasses.replace(TINY, channels=(8, 16))).to_json()
    save_weights(written.path, tensors, "unet3d_diffusion", wider)
    with pytest.raises(InputError, match="does not fit the network"):
        reconstruct(sphere_views(SPHERE, 8.0))


def test_what_is_not_set_is_as_the_weights_recommend(weights, sphere_views):
    paper = Unet3dDiffusionConfig().completed(Recipe())
    assert (paper.steps, paper.guidance, paper.quantile) == (10, 7.5, 0.99)
    write_believer(weights, steps=2, guidance=3.0, quantile=0.97)
    views = sphere_views(SPHERE, 8.0)
    found = reconstruct(views).volume
    np.testing.assert_array_equal(found.values, reconstruct(views, steps=2, guidance=3.0, quantile=0.97).volume.values)
    for other in ({"steps": 3}, {"guidance": 0.0}, {"quantile": 0.0}):
        assert reconstruct(views, **other).volume.values.tobytes() != found.values.tobytes()


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"guidance": -1}, {"quantile": 1.0}, {"prediction": "noise"}])
def test_impossible_recipes_are_refused(wrong):
    with pytest.raises(InputError):
        Recipe(**wrong)


class SmallGpu:
    """The network where only `room` volumes fit into the memory."""

    def __init__(self, network, room):
        self.network, self.config, self.room, self.asked = network, network.config, room, []

    def __getattr__(self, name):
        return getattr(self.network, name)

    def predict(self, noisy, times, condition):
        self.asked.append(len(noisy))
        if len(noisy) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.network.predict(noisy, times, condition)


@pytest.mark.parametrize("room", [1, 2, 3])
def test_a_small_gpu_gets_half_as_many_volumes_until_they_fit(sphere_views, room, monkeypatch):
    monkeypatch.setattr(sampling, "volumes_at_once", lambda config: 6)
    recipe = Recipe(network=TINY, spacing_mm=3.0, view_size=32)
    given = conditions.network_inputs(sphere_views(SPHERE, 9.0), recipe)
    config = Unet3dDiffusionConfig(samples=3, steps=2, guidance=2.0).completed(recipe)

    def draw(network):
        return sampling.draw(network, given, recipe, config, "cpu", np.random.default_rng(0), silent)

    small = SmallGpu(believer(), room)
    np.testing.assert_allclose(draw(small), draw(believer()), atol=1e-5)
    fits = {1: [6, 3, 1], 2: [6, 3, 1], 3: [6, 3, 3]}[room]
    assert small.asked[: len(fits)] == fits
    assert all(count <= room for count in small.asked[2:])


def test_a_gpu_too_small_for_one_volume_is_told_how_much_is_needed(sphere_views):
    recipe = Recipe(network=TINY, spacing_mm=3.0, view_size=32)
    given = conditions.network_inputs(sphere_views(SPHERE, 9.0), recipe)
    config = Unet3dDiffusionConfig(samples=2, steps=2).completed(recipe)
    with pytest.raises(InputError, match=r"one volume at a time needs about 0\.0 GB free.* --device cpu") as caught:
        sampling.draw(SmallGpu(believer(), 0), given, recipe, config, "cpu", np.random.default_rng(0), silent)
    assert caught.value.__cause__ is None and "\n" not in str(caught.value)
    with pytest.raises(InputError, match=r"needs about 1\d\.\d GB free"), sampling.enough_gpu_memory(NetworkConfig()):
        raise torch.OutOfMemoryError


def test_probabilities_are_equation_4():
    sample = np.random.default_rng(0).normal(size=(20, 20, 20)).astype(np.float32)
    found = probabilities(sample, 0.99)
    assert np.count_nonzero(found >= 0.5) == 80
    assert set(np.argsort(sample.ravel())[-80:]) == set(np.flatnonzero(found >= 0.5))
    assert found.min() == 0 and found.max() == 1
    order = np.argsort(sample.ravel())
    assert np.all(np.diff(found.ravel()[order]) >= 0)
    np.testing.assert_array_equal(probabilities(sample, 0), np.clip(sample, 0, 1))
    for kept in (2, 300):  # fewer and more than the 80 that eq. 4 would keep
        tied = np.clip(sample, *np.sort(sample, axis=None)[[-kept - 1, -kept]])
        np.testing.assert_array_equal(probabilities(tied, 0.99) >= 0.5, tied == tied.max())
    assert np.all(probabilities(np.zeros((3, 3, 3), np.float32), 0.99) == 0)
    with pytest.raises(InputError, match="not finite"):
        probabilities(np.full((3, 3, 3), np.nan, np.float32), 0.99)


def test_operations_are_counted_without_memory():
    assert cost.call_operations(NetworkConfig()) / 1e12 == pytest.approx(3.836, abs=0.001)
    assert 10e9 < cost.memory_bytes(NetworkConfig()) < 14e9
    assert cost.volumes_at_once(NetworkConfig()) == 1 < cost.volumes_at_once(TINY)
    assert cost.cpu_seconds(TINY, 20) == pytest.approx(2 * cost.cpu_seconds(TINY, 10))


# the authors' checkpoints


def checkpoint(path, network, extra=None):
    """A Lightning checkpoint as the authors' program writes it: their names, optimiser, loops, no objects."""
    torch.manual_seed(1)
    state = NoisePredictor3D(network).state_dict()
    theirs = {}
    for name, tensor in state.items():
        name = name.replace("unet.", "model.", 1) if name.startswith("unet.") else name
        name = name.replace("backprojection_encoder.", "bp_encoder.")
        for index in range(network.views):
            name = name.replace(f"view_encoders.{index}.", f"p{index}_encoder.")
        theirs[name] = tensor
    content = {
        "epoch": 99, "global_step": 8000, "pytorch-lightning_version": "2.5.1", "state_dict": theirs,
        "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"total": {"ready": 100}}}},
        "callbacks": {"ModelCheckpoint{'monitor': None}": {"best_model_score": torch.tensor(0.1), "dirpath": "/x"}},
        "optimizer_states": [{"state": {0: {"step": torch.tensor(5.0)}}, "param_groups": [{"lr": 1e-5}]}],
        "lr_schedulers": [], "hparams_name": "kwargs", "hyper_parameters": {"lr": 1e-5},
    }  # fmt: skip
    torch.save(content | (extra or {}), path)
    return state


def test_a_checkpoint_becomes_weights_with_the_same_answer(tmp_path, weights, sphere_views):
    state = checkpoint(tmp_path / "right.ckpt", TINY)
    written = convert.convert_checkpoint(tmp_path / "right.ckpt", "right", network=TINY)
    assert written.path == weights / "unet3d_diffusion_right.safetensors"
    recipe = Recipe.from_json(written.recipe)
    assert (recipe.geometry, recipe.side, recipe.network) == ("published", "right", TINY)
    assert "right.ckpt, SHA-256" in recipe.source
    tensors = read_tensors(open_weights(written.path, "unet3d_diffusion"), written.shapes)
    assert all(torch.equal(tensors[name], tensor) for name, tensor in state.items())
    views = sphere_views(SPHERE, 10.0, angles=((40, 5), (-50, 10)))
    assert len(reconstruct(views, side="right", steps=1).volume.indices)


def test_half_precision_and_no_projections(tmp_path, weights):
    checkpoint(tmp_path / "x.ckpt", TINY)
    alone = dataclasses.replace(TINY, views=0)
    written = convert.convert_checkpoint(tmp_path / "x.ckpt", "both", network=alone, precision="bfloat16")
    assert not any(name.startswith("view_encoders") for name in written.shapes)
    kinds = {tensor.dtype for tensor in read_tensors(written, written.shapes).values()}
    assert kinds == {torch.bfloat16, torch.int64}


def test_a_checkpoint_of_another_network_is_refused_before_writing(tmp_path, weights):
    checkpoint(tmp_path / "x.ckpt", TINY)
    with pytest.raises(InputError, match=r"x.ckpt does not fit the network: .* expected is"):
        convert.convert_checkpoint(tmp_path / "x.ckpt", "both")
    assert not weights.exists()


def test_a_checkpoint_with_a_wrong_key_is_refused_by_its_name(tmp_path, weights):
    checkpoint(tmp_path / "x.ckpt", TINY)
    content = torch.load(tmp_path / "x.ckpt", weights_only=True)
    content["state_dict"]["model.conv_inn.weight"] = content["state_dict"].pop("model.conv_in.weight")
    torch.save(content, tmp_path / "x.ckpt")
    with pytest.raises(InputError, match=r"unet.conv_in.weight is absent, expected is of shape"):
        convert.convert_checkpoint(tmp_path / "x.ckpt", "both", network=TINY)


def test_a_truncated_checkpoint_is_refused_wherever_it_ends(tmp_path, weights):
    checkpoint(tmp_path / "x.ckpt", TINY)
    whole = (tmp_path / "x.ckpt").read_bytes()
    for share in (0.01, 0.3, 0.9, 0.999):
        (tmp_path / "x.ckpt").write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(InputError, match="checkpoint") as caught:
            convert.convert_checkpoint(tmp_path / "x.ckpt", "both", network=TINY)
        assert "\n" not in str(caught.value)
    assert not weights.exists()


def test_a_full_disk_leaves_nothing_of_a_conversion(tmp_path, weights, monkeypatch):
    import safetensors.torch

    def full(tensors, path, told):
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(safetensors.torch, "save_file", full)
    checkpoint(tmp_path / "x.ckpt", TINY)
    with pytest.raises(InputError, match=r"cannot write the weights .*No space left on device"):
        convert.convert_checkpoint(tmp_path / "x.ckpt", "both", network=TINY)
    assert not list(weights.iterdir())


class Payload:
    """Would write a file when unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_code_in_a_checkpoint_is_refused_and_not_run(tmp_path, weights):
    target = tmp_path / "executed"
    for extra in ({"hyper_parameters": Payload(target)}, {"callbacks": dataclasses.replace(TINY)}):
        checkpoint(tmp_path / "x.ckpt", TINY, extra)
        with pytest.raises(InputError, match="holds an object of .*; accepted are tensors, numbers and text"):
            convert.convert_checkpoint(tmp_path / "x.ckpt", "both", network=TINY)
    assert not target.exists()


def test_other_files_are_no_checkpoints(tmp_path, weights):
    file = tmp_path / "x.ckpt"
    for content, message in (
        (b"not a checkpoint", "not a checkpoint of PyTorch"),
        (b"PK\x05\x06" + b"\0" * 18, "cannot be read as a checkpoint"),
    ):
        file.write_bytes(content)
        with pytest.raises(InputError, match=message):
            convert.convert_checkpoint(file, "both", network=TINY)
    torch.save([1, 2], file)
    with pytest.raises(InputError, match="holds no state_dict"):
        convert.convert_checkpoint(file, "both", network=TINY)


def test_the_converter_is_a_command(tmp_path, weights, capsys):
    checkpoint(tmp_path / "x.ckpt", TINY)
    assert convert.main([str(tmp_path / "x.ckpt"), "--side", "both"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("xradiff: ") and error.count("\n") == 1


@pytest.mark.parametrize(("number", "side"), [(0, "left"), (1, "right")])
def test_shipped_weights_beat_the_backprojection(number, side):
    found, given = dice_beside_backprojection(reconstruct, "unet3d_diffusion_both", side, number)
    assert found > 1.1 * given
