"""The segmentation network: what it is shown, that it learns, that it answers, and what happens without it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from xradiff.cli import main
from xradiff.errors import InputError, MissingDependencyError
from xradiff.masks import SegmentationConfig
from xradiff.masks.frame_depth import LightFrames
from xradiff.masks.network import presence
from xradiff.masks.network.channels import CHANNELS, network_channels, resampled
from xradiff.masks.network.labelled import LabelledFrame, WindowExample
from xradiff.masks.network.recipe import NAME, Recipe
from xradiff.masks.network.training import SegmentationTraining
from xradiff.masks.network.unet import VesselUNet2D
from xradiff.masks.segmentation import segment_frame, settled, vessels_of
from xradiff.quantification.overlap import dice
from xradiff.quantification.plane import mask_agreement
from xradiff.synthetic.acquisition import AngiogramOptions, Bolus, simulate_run, write_xa
from xradiff.synthetic.case import CaseOptions, draw_case
from xradiff.synthetic.tubes import tubes_of
from xradiff.training.raw_frames import RawFrames
from xradiff.views import opening_of, read_run
from xradiff.weights import open_weights

sys.path.append(str(Path(__file__).parent))
from labelled_files import drawn_angiogram, write_dca1

SMALL = Recipe(channels=(8, 16), window_px=64, crop_px=48, learning_rate=1e-2)


def frames_of(lights, pixel_mm=0.3):
    return LightFrames(lights.__getitem__, len(lights), np.ones(lights[0].shape, bool), pixel_mm)


def lights_with_vessel(count=6, shape=(60, 80), noise=0.02, depth=0.4):
    """Return frames of noise, a dark column in all but the first three, and the column."""
    rng = np.random.default_rng(3)
    column = np.zeros(shape, bool)
    column[:, 30:35] = True
    lights = [rng.normal(size=shape) * noise - depth * column * (k >= 3) for k in range(count)]
    return [light.astype(np.float32) for light in lights], column


def test_channels_show_depth_background_neighbours_and_opening():
    lights, column = lights_with_vessel()
    made, note = network_channels(frames_of(lights), 4, (0.0, 0.0, 0.1, 0.9, 1.0, 0.9), 0.3)
    assert made.shape == (CHANNELS, 60, 80) and "frames before contrast agent" in note
    for channel in (0, 1, 2, 3, 4):
        assert made[channel][5:-5, 32].mean() > 4 * np.abs(made[channel][5:-5, 50:]).mean()
    assert (made[5] == 1).all() and (made[6] == 1).all()
    assert column[30, 32]


def test_what_is_not_known_is_zero():
    lights, _ = lights_with_vessel()
    alone, note = network_channels(frames_of(lights[4:5]), 0, (1.0,), 0.3)
    assert "too few frames" in note
    assert alone[0].any() and alone[2].any() and not alone[[1, 3, 4, 5]].any()
    last, _ = network_channels(frames_of(lights), 5, (0.0, 0.0, 0.1, 0.9, 1.0, 1.0), 0.3)
    assert last[3].any() and not last[4].any()


def test_channels_do_not_depend_on_brightness_or_contrast_of_the_whole_image():
    lights, _ = lights_with_vessel()
    curve = (0.0, 0.0, 0.1, 0.9, 1.0, 0.9)
    one, _ = network_channels(frames_of(lights), 4, curve, 0.3)
    other, _ = network_channels(
        frames_of([np.float32(2.0) * light + np.float32(1.5) for light in lights]), 4, curve, 0.3
    )
    np.testing.assert_allclose(one, other, atol=2e-3)


def test_channels_have_the_pixels_of_the_network_whatever_those_of_the_frame():
    lights, _ = lights_with_vessel(shape=(60, 80))
    made, _ = network_channels(frames_of(lights, pixel_mm=0.6), 4, (0.0, 0.0, 0.1, 0.9, 1.0, 0.9), 0.3)
    assert made.shape == (CHANNELS, 120, 160)


def test_resampling_keeps_means():
    image = np.random.default_rng(0).random((64, 96)).astype(np.float32)
    assert resampled(image, (16, 24)).mean() == pytest.approx(image.mean(), rel=2e-3)
    assert resampled(np.full((10, 10), 3, np.float32), (17, 5)) == pytest.approx(3)


def test_the_network_answers_with_one_logit_a_pixel_and_begins_with_few_vessels():
    torch.manual_seed(0)
    network = VesselUNet2D(SMALL).eval()
    with torch.no_grad():
        answer = network(torch.randn(2, CHANNELS, 48, 64))
    assert answer.shape == (2, 1, 48, 64)
    assert float(answer.sigmoid().mean()) < 0.15


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"channels": "8,x"}, "channels must be whole numbers"),
        ({"channels": ()}, "channels must be 1 to 8 numbers"),
        ({"crop_px": 100}, "crop_px must be a multiple of 16"),
        ({"window_px": 160}, "crop_px must lie in"),
        ({"spacing_mm": 0}, "spacing_mm must lie in"),
        ({"blur": 1}, "unknown setting 'blur'"),
    ],
)
def test_recipes_that_cannot_be_are_refused(values, message):
    with pytest.raises(InputError, match=message):
        Recipe.from_json(values)


class Drawn:
    """A case of two angiograms with one vessel each."""

    def labelled_frames(self):
        found = []
        for seed in (0, 1):
            light, mask = drawn_angiogram(seed)
            found.append(LabelledFrame(frames_of([light]), 0, (1.0,), mask))
        return found


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return the file of a small network that learned two drawn angiograms, and its losses."""
    torch.manual_seed(1)
    trainable = SegmentationTraining(SMALL)
    example, generator = trainable.example(Drawn(), 0), torch.Generator().manual_seed(0)
    optimiser, losses = trainable.optimiser("network"), []
    trainable.module.train()
    for _ in range(40):
        optimiser.zero_grad()
        loss = trainable.loss("network", example, generator)
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    trainable.save(path, trainable.network, "A test.")
    return path, losses


def test_it_learns_and_answers_from_its_file(trained):
    path, losses = trained
    assert np.mean(losses[-10:]) < 0.4 * np.mean(losses[:5])
    light, mask = drawn_angiogram(2)
    config = SegmentationConfig(method="network", weights=str(path), device="cpu")
    found = vessels_of(frames_of([light]), 0, (1.0,), config)
    assert dice(found.mask, mask) > 0.8
    digest = open_weights(path, NAME).sha256[:12]
    assert found.notes[0] == f"vessels were found by the network small.safetensors, SHA-256 {digest}"
    assert found.probability.shape == mask.shape and found.probability.dtype == np.float32
    assert not (found.probability > 0.5)[~found.mask].any()


def test_nothing_is_found_outside_of_the_opening(trained):
    light, mask = drawn_angiogram(2)
    usable = np.ones_like(mask)
    usable[:20] = False
    frames = LightFrames(lambda index: light, 1, usable, 0.3)
    found = vessels_of(frames, 0, (1.0,), SegmentationConfig(method="network", weights=str(trained[0])))
    assert found.mask.any() and not found.mask[:20].any() and not found.probability[:20].any()


def test_a_higher_threshold_marks_less(trained):
    light, _ = drawn_angiogram(2)
    sizes = [
        vessels_of(
            frames_of([light]), 0, (1.0,),
            SegmentationConfig(method="network", weights=str(trained[0]), threshold=level, certain=0.95),
        ).mask.sum()
        for level in (0.05, 0.5, 0.9)
    ]  # fmt: skip
    assert sizes[0] > sizes[1] > sizes[2] > 0


def test_windows_are_the_same_each_time_and_hold_the_vessel(trained):
    first, again = WindowExample(SMALL)(Drawn(), 7), WindowExample(SMALL)(Drawn(), 7)
    assert first["volume"].shape == (2, 1, 64, 64) and first["channels"].shape == (2, CHANNELS, 64, 64)
    assert torch.equal(first["channels"], again["channels"]) and first["volume"].sum() > 50


def test_without_weights_auto_takes_ridges_and_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(presence, "PACKAGES", ("torch", "no_such_package"))
    config, notes = settled(SegmentationConfig(weights="nothing_of_that_name"))
    assert config.method == "ridge"
    assert notes[0].startswith("the segmentation network needs the package no_such_package and its weights nothing_of")
    light, _ = drawn_angiogram(2)
    found = vessels_of(frames_of([light]), 0, (1.0,), SegmentationConfig(weights="nothing_of_that_name"))
    assert found.notes[0] == notes[0] and found.mask.any()
    with pytest.raises(MissingDependencyError, match="nothing_of_that_name.safetensors are in none of"):
        vessels_of(frames_of([light]), 0, (1.0,), SegmentationConfig("network", weights="nothing_of_that_name"))


def test_a_damaged_weight_file_is_refused(trained, tmp_path):
    data = bytearray(trained[0].read_bytes())
    data[-3] ^= 1
    (tmp_path / "bad.safetensors").write_bytes(data)
    light, _ = drawn_angiogram(2)
    with pytest.raises(InputError, match="is damaged: its SHA-256"):
        config = SegmentationConfig("network", weights=str(tmp_path / "bad.safetensors"))
        vessels_of(frames_of([light]), 0, (1.0,), config)


def test_the_shipped_weights_are_there_and_fit():
    weights = open_weights(presence.network_weights("segmentation"), NAME)
    recipe = Recipe.from_json(weights.recipe)
    shapes = {name: tuple(tensor.shape) for name, tensor in VesselUNet2D(recipe).state_dict().items()}
    assert shapes == weights.shapes
    assert sum(int(np.prod(shape)) for shape in shapes.values()) < 4e6
    assert weights.path.with_suffix(".md").is_file()


@pytest.fixture(scope="module")
def held_out(tmp_path_factory):
    """Return (run, chosen frame, truth) of runs with usual contrast and without any, from no training seed."""
    case = draw_case(CaseOptions(image_px=256, poses="clinical"), 31_337, 1)
    bolus, made = Bolus(start_ms=400), []
    for iodine in (0.11, 0.0):
        options = AngiogramOptions(frames=12, frame_time_ms=100, bolus=bolus, iodine_per_mm=iodine)
        rng = np.random.default_rng(5)
        tubes, pose = tubes_of(case.subject.tree), case.views[0].acquisition
        truth = simulate_run(tubes, pose, (256, 256), rng, options)
        path = write_xa(truth, tmp_path_factory.mktemp("held_out") / "run.dcm", 1)
        made.append((read_run(path), int(truth.masks.sum(axis=(1, 2)).argmax()), truth))
    return made


def test_the_shipped_network_finds_the_vessels_of_a_run_it_has_not_seen(held_out):
    run, frame, truth = held_out[0]
    found = segment_frame(run, frame, SegmentationConfig("network", device="cpu"))
    assert min(mask_agreement(found.mask, truth.masks[frame])) > 0.88
    assert not found.mask[~opening_of(run).usable].any()


def test_a_catheter_alone_is_no_vessel(held_out):
    run, frame, _ = held_out[1]
    curve = [0.0, 0.0, 0.1, *[1.0] * (len(run) - 3)]
    with pytest.raises(InputError, match="no vessel that stands out from the noise"):
        segment_frame(run, frame, SegmentationConfig("network", device="cpu"), curve=curve)


def run_command(capsys, *words):
    code = main([str(word) for word in words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_training_on_a_folder_begins_with_weights_and_goes_on(capsys, tmp_path, trained):
    write_dca1(tmp_path / "set", 4)
    words = ["train", "segmentation", "--data", tmp_path / "set", "--begin", trained[0], "--device", "cpu"]
    words += ["--validation-cases", "1", "--batch", "2", "--warmup", "0", "--out", tmp_path / "run"]
    for setting in ("channels=8,16", "window_px=64", "crop_px=48", "learning_rate=0.0001"):
        words += ["--set", setting]
    for steps in (2, 3):
        code, text, error = run_command(capsys, *words, "--steps", steps)
        assert code == 0, error
        assert f"step {steps}: validation Dice" in text and "backprojection" not in text
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["begun_with"].startswith("weights of SHA-256") and record["data"]["cases"] == 4
    best = open_weights(tmp_path / "run" / "best.safetensors", NAME)
    assert best.recipe["channels"] == [8, 16]
    code, text, _ = run_command(
        capsys, "segment-evaluate", tmp_path / "set", "--method", "network", "--set", f"weights={best.path}"
    )
    assert code == 0 and "4 images, method network" in text


def test_simulated_runs_are_the_same_each_time_and_mark_what_is_dark():
    case, number = RawFrames(3, 10).case(4)
    first, again = case.labelled_frames(), case.labelled_frames()
    assert number == 4 and len(first) == 4
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.frames.light(one.frame), other.frames.light(other.frame))
        np.testing.assert_array_equal(one.mask, other.mask)
        assert len(one.curve) == one.frames.count and 0 <= one.frame < one.frames.count
    assert [one.frames.count == 1 for one in first] == [False, False, False, True]
    made, _ = network_channels(first[0].frames, first[0].frame, first[0].curve, 0.3)
    vessel = resampled(first[0].mask.astype(np.float32), made.shape[1:]) > 0.5
    assert made[1][vessel].mean() > 2 * np.abs(made[1][~vessel]).mean()


def test_training_options_that_do_not_fit_are_told(capsys, tmp_path):
    code, _, error = run_command(
        capsys, "train", "segmentation", "--generate", 4, "--mixture", "broad", "--out", tmp_path
    )
    assert code == 2 and "--mixture is for methods of reconstruction" in error


def test_agreement_of_masks_in_the_plane():
    truth = np.zeros((40, 60), bool)
    truth[18:23, 5:55] = True
    assert mask_agreement(truth, truth) == (1.0, 1.0)
    half = truth.copy()
    half[:, 30:] = False
    overlap, lines = mask_agreement(half, truth)
    assert overlap == pytest.approx(2 / 3) and lines == pytest.approx(2 / 3, abs=0.05)
    beside = truth.copy()
    beside[30:35, 5:55] = True
    assert mask_agreement(beside, truth)[0] == pytest.approx(2 / 3)
    counted = np.zeros_like(truth)
    counted[:28] = True
    assert mask_agreement(beside, truth, counted) == (1.0, 1.0)
    assert mask_agreement(~truth & False, truth & False) == (1.0, 1.0)
