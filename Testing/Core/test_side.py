"""Left or right from masks: what the network is shown, what it answers, what a run makes of it, how it is trained."""

from __future__ import annotations

import dataclasses
import sys

import numpy as np
import pytest
import torch
from xradiff import pipeline
from xradiff.datatypes import Acquisition, AngiogramView
from xradiff.errors import Cancelled, InputError, MissingDependencyError
from xradiff.masks import SideFinding, find_side, with_masks
from xradiff.masks.side_network import PICTURE_PX, PIXEL_MM, SideNetwork, angles_of, picture_of
from xradiff.resources import resource
from xradiff.synthetic.case import CaseOptions, draw_case
from xradiff.training import side, side_cases
from xradiff.training.side_changes import changed
from xradiff.views import read_view
from xradiff.weights import find_sided_weights, open_weights, read_tensors

POSE = Acquisition(30.0, -20.0, 1000.0, 750.0, (0.2, 0.4))


def view_of(mask, pose=POSE):
    return AngiogramView("view 0", mask, pose, mask=mask)


def disc(radius_mm, shape=(400, 200), middle=(180, 90), pitch=(0.15, 0.3)):
    row, column = np.indices(shape)
    return np.hypot((row - middle[0]) * pitch[0], (column - middle[1]) * pitch[1]) <= radius_mm


def test_a_picture_shows_the_mask_in_its_size_wherever_it_lies():
    picture = picture_of(view_of(disc(12.0)))
    assert picture.shape == (PICTURE_PX, PICTURE_PX)
    assert picture.sum() * PIXEL_MM**2 == pytest.approx(np.pi * 12**2, rel=0.06)
    middle = (np.argwhere(picture > 0.5).mean(axis=0) + 0.5) * PIXEL_MM
    np.testing.assert_allclose(middle, PICTURE_PX * PIXEL_MM / 2, atol=PIXEL_MM)
    np.testing.assert_array_equal(picture, picture_of(view_of(disc(12.0, middle=(220, 120)))))
    finer = dataclasses.replace(POSE, pixel_spacing_mm=(0.2, 0.2))
    other = picture_of(view_of(disc(12.0, (400, 400), (180, 180), (0.15, 0.15)), finer))
    assert np.abs(other - picture).mean() < 0.02
    assert not picture_of(view_of(np.zeros((9, 9), bool))).any()


def test_angles_are_told_by_sine_and_cosine():
    a, b = np.deg2rad([30, -20])
    np.testing.assert_allclose(angles_of(view_of(disc(3.0))), [np.sin(a), np.cos(a), np.sin(b), np.cos(b)], rtol=1e-6)


def test_the_order_of_views_does_not_matter_and_their_number_does():
    torch.manual_seed(0)
    network = SideNetwork()
    pictures, angles = torch.rand(2, 3, PICTURE_PX, PICTURE_PX), torch.rand(2, 3, 4)
    with torch.no_grad():
        answer = network(pictures, angles)
        turned = network(pictures.flip(1), angles.flip(1))
        one = network(pictures[:, :1], angles[:, :1])
    torch.testing.assert_close(answer, turned, rtol=1e-4, atol=1e-5)
    assert answer.shape == (2,) and not torch.allclose(answer, one)


@pytest.mark.parametrize("wanted", ["left", "right"])
def test_generated_trees_are_told_apart(wanted):
    for number, options in enumerate(({}, {"poses": "clinical", "corruption": 0.3}, {"thickness": "manual_mask"})):
        case = draw_case(CaseOptions(side=wanted, image_px=256, **options), 70_707, number)
        found = find_side(case.views)
        assert (found.side, found.likely) == (wanted, wanted) and found.probability >= 0.95
        assert find_side(case.views[:1]).likely == wanted


def test_a_finding_says_what_it_means():
    sure, unsure = SideFinding(0.02, ""), SideFinding(0.62, "")
    assert (sure.side, sure.likely, sure.probability) == ("right", "right", 0.98)
    assert "a right coronary tree (probability 98.0%); --side left overrides" in sure.note
    assert (unsure.side, unsure.likely) == ("auto", "left")
    assert "(left: 62%)" in unsure.note and "Choose left or right" in unsure.note
    assert "more than 99.9%" in SideFinding(0.9999, "").note


def test_what_cannot_be_judged_is_refused(monkeypatch, tmp_path):
    with pytest.raises(InputError, match="one or more views, got none"):
        find_side([])
    with pytest.raises(InputError, match="has no vessel mask"):
        find_side([AngiogramView("view 0", np.zeros((4, 4)), POSE)])
    monkeypatch.setitem(sys.modules, "xradiff.masks.side_network", None)
    with pytest.raises(MissingDependencyError, match="install torch, or choose the side"):
        find_side([view_of(disc(5.0))])
    monkeypatch.undo()
    monkeypatch.setattr("xradiff.weights.weights_folders", lambda: (tmp_path,))
    with pytest.raises(MissingDependencyError, match="xradiff.training.side"):
        find_side([view_of(disc(5.0))])


def test_the_shipped_weights_are_small_and_have_a_card():
    path = resource("Models") / "side.safetensors"
    assert path.stat().st_size <= 1_000_000 and "no patient data" in path.with_suffix(".md").read_text()


# What a run makes of it


@pytest.fixture
def run(monkeypatch, sphere_views):
    """Return run(found, **options) -> (side that the method was told, result)."""
    from xradiff.reconstruction.registry import load_method, method_spec

    spec = dataclasses.replace(method_spec("visual_hull"), weights=("some_both",))
    views = sphere_views(radius_mm=6.0)

    def start(found, weights=True, **options):
        told = []
        hull = load_method(method_spec("visual_hull"))

        class Method:
            def reconstruct(self, inputs, config, **others):
                told.append(inputs.side)
                return hull.reconstruct(inputs, config, **others)

        def find(given):
            if isinstance(found, Exception):
                raise found
            return SideFinding(found, "0" * 64)

        monkeypatch.setattr(pipeline, "find_side", find)
        monkeypatch.setattr(pipeline, "load_method", lambda _: Method())
        chosen = spec if weights else method_spec("visual_hull")
        monkeypatch.setattr(pipeline, "chosen_method", lambda _: (chosen, ()))
        result = pipeline.reconstruct(views, spacing_mm=1.0, calibrate_mode="off", **options)
        return told[0], result

    return start


def test_a_sure_side_is_used_and_recorded(run):
    told, result = run(0.99)
    assert told == "left" and result.side.likely == "left"
    assert result.settings["side"] == "auto"
    assert result.settings["side_found"] == {
        "likely": "left", "probability": 0.99, "used": "left", "weights": "0" * 64
    }  # fmt: skip
    assert not [warning for warning in result.warnings if "coronary tree" in warning]


def test_an_unsure_side_is_unknown_and_said_so(run):
    told, result = run(0.3)
    assert told == "auto"
    assert [w for w in result.warnings if "(right: 70%)" in w and "Choose left or right" in w]


def test_a_given_side_is_not_asked_for(run):
    told, result = run(0.99, side="right")
    assert told == "right" and result.side is None and "side_found" not in result.settings


def test_without_torch_or_without_need_the_side_stays_unknown(run):
    for found, weights in ((MissingDependencyError("no torch"), True), (0.99, False)):
        told, result = run(found, weights)
        assert told == "auto" and result.side is None and "side_found" not in result.settings


def test_weights_of_one_side_need_a_known_side(monkeypatch, tmp_path):
    monkeypatch.setattr("xradiff.weights.weights_folders", lambda: (tmp_path,))
    left, both = tmp_path / "m_left.safetensors", tmp_path / "m_both.safetensors"
    with pytest.raises(MissingDependencyError, match="m_both.safetensors are in none of"):
        find_sided_weights("m", "auto", "train some")
    left.write_bytes(b"x")
    with pytest.raises(InputError, match="m has weights for the left tree, and the side is not known; choose it with"):
        find_sided_weights("m", "auto", "train some")
    with pytest.raises(MissingDependencyError):
        find_sided_weights("m", "right", "train some")
    assert find_sided_weights("m", "left", "train some") == left
    both.write_bytes(b"x")
    assert [find_sided_weights("m", name, "") for name in ("left", "right", "auto")] == [left, both, both]


# Training


def test_changes_keep_what_a_picture_is():
    pictures = torch.zeros(40, 2, PICTURE_PX, PICTURE_PX)
    pictures[:, :, 38:58, 28:68] = 0.7
    once, again = (changed(pictures, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(once, again) and once.shape == pictures.shape
    assert once.min() >= 0 and once.max() <= 1
    left = once.sum(dim=(2, 3)) / pictures.sum(dim=(2, 3))
    assert left.min() > 0.2 and left.std() > 0.1
    place = torch.arange(PICTURE_PX) + 0.5
    middle = (once.sum(dim=3) * place).sum(-1) / once.sum(dim=(2, 3))
    assert (middle.mean() - PICTURE_PX / 2).abs() < 2
    assert not torch.equal(changed(pictures, torch.Generator().manual_seed(6)), once)


@pytest.fixture
def quick(monkeypatch):
    """Replace the drawn trees by pictures with the bright half on one side."""
    drawn = []

    def case(seed, number, shows):
        drawn.append((seed, number, shows))
        chance = np.random.default_rng((seed, number))
        left = np.float32(number % 2)
        pictures = (chance.random((4, PICTURE_PX, PICTURE_PX)) * 20).astype(np.uint8)
        pictures[:, :, : PICTURE_PX // 2] += np.uint8(150 * left)
        pictures[:, :, PICTURE_PX // 2 :] += np.uint8(150 * (1 - left))
        return pictures, chance.random((4, 4)).astype(np.float32), left

    monkeypatch.setattr(side_cases, "_case", case)
    for module in (side, side_cases):
        monkeypatch.setattr(module, "SHARD", 10)
    return drawn


def test_training_goes_on_where_it_stopped(quick, tmp_path):
    config = side.SideTraining(cases=10, steps=4, batch=4)
    whole = side.train_side(config, tmp_path / "whole")
    made = len(quick)

    def stop(fraction, message):
        if message.startswith("step 2"):
            raise Cancelled

    with pytest.raises(Cancelled):
        side.train_side(config, tmp_path / "parts", stop)
    assert len(quick) == 2 * made
    assert torch.load(tmp_path / "parts" / "checkpoint.pt", weights_only=True)["step"] == 2
    parts = side.train_side(config, tmp_path / "parts")
    one, two = (open_weights(path, "side") for path in (whole, parts))
    assert one.recipe == two.recipe
    for name, tensor in read_tensors(one, one.shapes).items():
        assert torch.equal(tensor, read_tensors(two, two.shapes)[name]), name
    assert len(quick) == 2 * made  # the cases were kept
    assert {shows for _, _, shows in quick} == {"trees", "vessel"}


def test_training_settings_out_of_range_are_refused(tmp_path):
    with pytest.raises(InputError, match="number of cases must lie in"):
        side.SideTraining(cases=5)
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(InputError, match="holds no training run"):
        side.train_side(side.SideTraining(), tmp_path)


def test_poses_of_training_cases_do_not_tell_the_side():
    """The first primary angle is as often positive for left trees as for right ones."""
    rng = np.random.default_rng(0)
    positive = {"left": [], "right": []}
    for _ in range(150):
        options = side_cases._options(rng)
        positive[options.side].append(options.poses[0].primary_deg > 0)
    assert abs(np.mean(positive["left"]) - np.mean(positive["right"])) < 0.2


def test_the_real_pair_is_a_right_tree(clinical_pair):
    files = [(clinical_pair / f"xray{k}.png", clinical_pair / f"params{k}.json") for k in (0, 1)]
    views = with_masks([read_view(*pair) for pair in files])
    for some in (views, views[:1], views[1:]):
        assert find_side(some).side == "right"
