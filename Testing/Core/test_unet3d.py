"""The 3D U-Net: where its cube lies, what it is before any training, its loss, its weights."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from xradiff import pipeline
from xradiff.datatypes import VolumeGrid
from xradiff.errors import InputError, MissingDependencyError
from xradiff.progress import silent
from xradiff.reconstruction.backprojection import backprojection_cube, cube_around
from xradiff.reconstruction.cube_networks import LEAST, soft_dice_loss
from xradiff.reconstruction.interface import ReconstructionInputs
from xradiff.reconstruction.methods.unet3d.config import Unet3dConfig
from xradiff.reconstruction.methods.unet3d.method import Unet3d
from xradiff.reconstruction.methods.unet3d.network import VesselUNet3D
from xradiff.reconstruction.methods.unet3d.recipe import Recipe
from xradiff.reconstruction.methods.unet3d.training import Unet3dTraining
from xradiff.replay import replay
from xradiff.views import read_view
from xradiff.weights import save_weights

sys.path.append(str(Path(__file__).parent))
from shipped_weights import dice_beside_backprojection
from small_networks import SMALL_UNET, write_unet3d

CENTRE, RADIUS = np.array([10.0, -15.0, 5.0]), 6.0


class Sphere:
    """The truth of `sphere_views`."""

    def occupancy(self, grid: VolumeGrid):
        points = grid.centres(np.moveaxis(np.indices(grid.shape), 0, -1))
        return (np.linalg.norm(points - CENTRE, axis=-1) <= RADIUS).astype(np.float32)


@pytest.fixture
def views(sphere_views):
    return sphere_views(CENTRE, RADIUS)


def reconstruct(views, **config):
    inputs = ReconstructionInputs(tuple(views), spacing_mm=1.0)
    chance = np.random.default_rng(0)
    return Unet3d().reconstruct(inputs, Unet3dConfig(**config), generator=chance, progress=silent)


def test_the_cube_lies_around_the_tree(views):
    grid = cube_around(views, 16, 2.0)
    assert grid.shape == (16, 16, 16) and grid.spacing_mm == (2.0, 2.0, 2.0)
    np.testing.assert_allclose(grid.centre_lps_mm, CENTRE, atol=0.5)


def test_the_cube_holds_the_backprojection_of_the_sphere(views):
    cube = backprojection_cube(views, 16, 2.0)
    inside = Sphere().occupancy(cube.grid) > 0
    assert cube.values[inside].min() >= 0.43  # an edge known to half a pixel, which is 0.14 mm there
    assert 0 < (cube.values >= 0.5).sum() < 3 * inside.sum()


def test_masks_that_do_not_meet_in_the_cube_are_refused(views):
    moved = views[0].with_acquisition(views[0].acquisition.shifted((0, 0, 60)))
    with pytest.raises(InputError, match="meet in no voxel of 2 mm within a cube of 32 mm"):
        backprojection_cube([moved, views[1]], 16, 2.0)
    with pytest.raises(InputError, match="mask of view 0 is empty"):
        cube_around([views[0].with_mask(np.zeros(views[0].shape, bool)), views[1]], 16, 2.0)


def test_before_training_the_answer_is_the_backprojection():
    torch.manual_seed(0)
    given = torch.rand(2, 1, 16, 16, 16)
    answer = VesselUNet3D(SMALL_UNET)(given).sigmoid()
    torch.testing.assert_close(answer, torch.sigmoid(8 * (given - 0.5)))
    assert torch.equal(answer >= 0.5, given >= 0.5)


def test_default_size_and_that_of_the_paper():
    def count(recipe):
        with torch.device("meta"):
            return sum(parameter.numel() for parameter in VesselUNet3D(recipe).parameters())

    assert 1.4e6 < count(Recipe()) < 1.5e6
    paper = Recipe.from_json({"channels": "64,128,256,512,1024", "layers_per_level": 17})
    assert count(paper) == pytest.approx(811e6, rel=0.02)


def test_every_layer_sees_the_whole_neighbourhood():
    """A voxel's answer depends on the input several voxels away: the levels are joined."""
    torch.manual_seed(0)
    network = VesselUNet3D(SMALL_UNET)
    torch.nn.init.normal_(network.out.weight)
    given = torch.rand(1, 1, 16, 16, 16, requires_grad=True)
    (gradient,) = torch.autograd.grad(network(given)[0, 0, 8, 8, 8], given)
    assert (gradient != 0).all()  # group normalisation alone joins all voxels
    for parameter in network.parameters():
        parameter.grad = None
    network(given).square().mean().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in network.parameters())


def test_soft_dice_loss_by_hand():
    volume = torch.zeros(2, 1, 2, 2, 2)
    volume[0, 0, 0] = 1  # 4 of 8 voxels; the second case is empty
    probabilities = torch.full_like(volume, 0.5)
    # (2*2 + 1) / (2 + 4 + 1) = 5/7 and 1 / (2 + 1)
    assert float(soft_dice_loss(probabilities, volume)) == pytest.approx(1 - (5 / 7 + 1 / 3) / 2)
    assert float(soft_dice_loss(volume, volume)) == 0


def test_loss_falls_and_probabilities_reach_the_truth(views):
    torch.manual_seed(0)
    trainable = Unet3dTraining(dataclasses.replace(SMALL_UNET, learning_rate=1e-2))
    example = trainable.example(views, Sphere())
    assert {name: tuple(tensor.shape) for name, tensor in example.items()} == {
        "volume": (1, 16, 16, 16),
        "backprojection": (1, 16, 16, 16),
    }
    batch, chance = {name: tensor[None] for name, tensor in example.items()}, torch.Generator()
    optimiser = trainable.optimiser("network")
    losses = []
    for _ in range(40):
        loss = trainable.loss("network", batch, chance)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.3 * losses[0]
    answer = trainable.probabilities(trainable.network, batch, chance).detach() >= 0.5
    found, true = answer, batch["volume"] >= 0.5
    assert 2 * (found & true).sum() / (found.sum() + true.sum()) > 0.9


def test_recipe_survives_json_and_words():
    recipe = Recipe(size=32, channels=(8, 16), source="here")
    assert Recipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe
    assert Recipe.from_json({"channels": "8,16", "size": "32"}) == Recipe(size=32, channels=(8, 16))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"channels": "a"}, "whole numbers, as 16,32,64,128; got 'a'"),
        ({"channels": (8, 12)}, "multiples of 8"),
        ({"size": 20}, "multiple of 8 for 4 levels, got 20"),
        ({"depth": 3}, "unknown setting 'depth'"),
        ({"learning_rate": 0}, "learning_rate must lie in"),
    ],
)
def test_impossible_recipes_are_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        Recipe.from_json(wrong)


def test_reconstruction_is_the_networks_answer_in_patient_space(views, tmp_path, monkeypatch):
    monkeypatch.setenv("XRADIFF_WEIGHTS", str(tmp_path))
    write_unet3d(tmp_path)
    result = reconstruct(views)
    cube = backprojection_cube(views, SMALL_UNET.size, SMALL_UNET.spacing_mm)
    expected = 1 / (1 + np.exp(-8 * (cube.values - 0.5)))
    dense, _ = result.volume.to_dense()
    assert result.volume.values.min() >= LEAST
    np.testing.assert_allclose(result.volume.values, expected[tuple(result.volume.indices.T)], atol=1e-6)
    assert (dense >= 0.5).sum() == (expected >= 0.5).sum()
    assert result.weights.path == tmp_path / "unet3d_both.safetensors"
    assert any("voxels of 3 mm; 1 mm is not used" in warning for warning in result.warnings)


def test_missing_and_wrong_weights_are_told(views, tmp_path, monkeypatch):
    monkeypatch.setenv("XRADIFF_WEIGHTS", str(tmp_path))
    monkeypatch.setattr("xradiff.weights.weights_folders", lambda: (tmp_path,))
    with pytest.raises(MissingDependencyError, match="unet3d_both.safetensors are in none of: .*train some with"):
        reconstruct(views)
    path = tmp_path / "small.safetensors"
    save_weights(path, {"a": torch.zeros(1)}, "unet3d", SMALL_UNET.to_json())
    with pytest.raises(InputError, match="does not fit the network"):
        reconstruct(views, weights=str(path))


def test_a_repetition_with_other_weights_says_so(views, write_view, tmp_path, monkeypatch):
    monkeypatch.setenv("XRADIFF_WEIGHTS", str(tmp_path))
    first = write_unet3d(tmp_path)
    given = [read_view(*write_view(view, f"view{number}")) for number, view in enumerate(views)]
    found = pipeline.reconstruct(given, "unet3d")
    assert found.provenance["weights"] == {"unet3d_both.safetensors": first.sha256}
    assert found.notes[-1].startswith(f"Weights: unet3d_both.safetensors, SHA-256 {first.sha256[:12]}.")
    pipeline.save(found, tmp_path / "out", report=False)
    run = tmp_path / "out" / "run.json"
    assert replay(run).warnings == found.warnings
    second = write_unet3d(tmp_path, seed=1)
    told = f"used the weights unet3d_both.safetensors (SHA-256 {first.sha256[:12]}), this repetition"
    assert told in replay(run).warnings[0] and second.sha256[:12] in replay(run).warnings[0]
    record = json.loads(run.read_text())
    del record["provenance"]["weights"]  # a run of an older version
    run.write_text(json.dumps(record))
    assert replay(run).warnings == found.warnings


def test_weights_that_give_no_numbers_are_refused(views, tmp_path):
    tensors = VesselUNet3D(SMALL_UNET).state_dict() | {"gain": torch.tensor(float("nan"))}
    save_weights(tmp_path / "nan.safetensors", tensors, "unet3d", SMALL_UNET.to_json())
    with pytest.raises(InputError, match="not finite"):
        reconstruct(views, weights=str(tmp_path / "nan.safetensors"))


@pytest.mark.parametrize(("number", "side"), [(0, "left"), (1, "right")])
def test_shipped_weights_beat_the_backprojection(number, side):
    found, given = dice_beside_backprojection(reconstruct, "unet3d_both", side, number)
    assert found > 1.5 * given
