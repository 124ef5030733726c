"""Vessel masks of grey frames: what is found, what is not, what is refused; the whole way from two XA runs."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from xradiff.cli import main
from xradiff.datatypes import Acquisition
from xradiff.errors import InputError
from xradiff.masks import SegmentationConfig, choose_frames, segment_frame
from xradiff.masks.catheter import without_catheter
from xradiff.masks.frame_depth import frame_depth, smoothed
from xradiff.masks.ridges import ridge_strength
from xradiff.quantification.overlap import dice
from xradiff.synthetic.acquisition import AngiogramOptions, Bolus, simulate_run, write_xa
from xradiff.synthetic.tubes import Tube, TubeTree
from xradiff.views import opening_of, read_run

sys.path.append(str(Path(__file__).parent))
from xa_files import saved, xa

PX = 128
BY_RIDGES = ("--method", "ridge")
RIDGE = SegmentationConfig(method="ridge")
ANGLES = ((-30.0, 20.0), (40.0, 0.0))


def tree():
    """Return a curved main vessel with two side branches, 3 to 1.6 mm wide."""
    t = np.linspace(0, 1, 40)[:, None]
    main_course = np.concatenate([20 - 40 * t, -15 + 20 * np.sin(2 * t), 30 - 60 * t], axis=1)
    tubes = [Tube(main_course, np.linspace(1.6, 1.0, 40))]
    for start, away in ((12, (25, -6, -14)), (22, (-18, 10, -22))):
        tubes.append(Tube(main_course[start] + t[:20] * 2 * np.array(away), np.linspace(1.0, 0.8, 20)))
    return TubeTree(tuple(tubes))


def write_run(folder, number=0, **options):
    """Return the path and the truth of a run at `ANGLES[number]`; contrast agent comes after five frames."""
    bolus = Bolus(start_ms=330, duration_ms=900, speed_mm_s=600, rise_ms=100)
    settings = AngiogramOptions(**({"frames": 12, "bolus": bolus, "collimator_px": 5} | options))
    pose = Acquisition(*ANGLES[number], 1050, 750, 0.9)
    simulated = simulate_run(tree(), pose, (PX, PX), np.random.default_rng(number), settings)
    return write_xa(simulated, folder / f"run{number}.dcm", 1, number), simulated


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("segmented")
    return [write_run(folder, number) for number in (0, 1)]


@pytest.fixture(scope="module")
def segmented(pair):
    """Return [(run, chosen frame, truth mask, result)] of both runs."""
    found = []
    for path, truth in pair:
        run = read_run(path)
        (choice,) = choose_frames([run])
        found.append(
            (run, choice, truth.masks[choice.frame], segment_frame(run, choice.frame, RIDGE, curve=choice.curve))
        )
    return found


def test_the_mask_is_that_of_the_vessels(segmented):
    for _, _, truth, result in segmented:
        assert dice(result.mask, truth) > 0.85
        assert "frames before contrast agent" in result.notes[0]


def test_probability_and_mask_agree_and_nothing_lies_outside_of_the_opening(segmented):
    for run, _, _, result in segmented:
        assert result.probability.dtype == np.float32
        assert result.probability.min() >= 0 and result.probability.max() <= 1
        assert not (result.probability > 0.5)[~result.mask].any()
        assert not result.probability[~opening_of(run).usable].any()
        assert not result.mask[~opening_of(run).usable].any()


def test_the_curve_is_found_when_it_is_not_given(segmented):
    run, choice, _, result = segmented[0]
    np.testing.assert_array_equal(segment_frame(run, choice.frame, RIDGE).mask, result.mask)


def test_a_resting_catheter_is_background(segmented, pair):
    """The catheter is as dark as a vessel, but was there before contrast agent."""
    for _, choice, truth, result in segmented:
        assert choice.frame > 5
        beyond = result.mask & ~truth
        assert beyond.sum() < 0.15 * truth.sum()


def part(run, first, last):
    source = dataclasses.replace(run.source, pieces=run.source.pieces[first:last])
    times = run.times_ms[first:last] - run.times_ms[first]
    return dataclasses.replace(run, times_ms=times, facts=run.facts[first:last], source=source)


def test_one_frame_is_segmented_with_a_warning(segmented):
    run, choice, truth, _ = segmented[1]
    one = segment_frame(part(run, choice.frame, choice.frame + 1), 0, RIDGE)
    assert "too few frames" in one.notes[0]
    assert dice(one.mask, truth) > 0.5


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"low": 7.0}, "low must lie in"),
        ({"edge": 1.0}, "edge must lie in"),
        ({"high": float("nan")}, "high must lie in"),
        ({"minimum_length_mm": -1}, "minimum_length_mm must lie in"),
    ],
)
def test_settings_out_of_range(setting, message):
    with pytest.raises(InputError, match=message):
        SegmentationConfig(**setting)


def test_higher_thresholds_and_longer_parts_mark_less(segmented):
    run, choice, _, result = segmented[0]
    strict = segment_frame(run, choice.frame, SegmentationConfig("ridge", high=30, low=15), curve=choice.curve).mask
    assert 0 < strict.sum() < result.mask.sum()
    with pytest.raises(InputError, match="no vessel that stands out"):
        segment_frame(run, choice.frame, SegmentationConfig("ridge", minimum_length_mm=500), curve=choice.curve)


def test_a_frame_without_contrast_agent_has_no_vessels(segmented):
    run, choice, _, _ = segmented[0]
    try:
        found = segment_frame(run, 2, RIDGE, curve=choice.curve).mask
    except InputError as error:
        assert "choose a frame with contrast agent" in str(error)
    else:
        assert found.mean() < 0.02


def lines(width_px, to_edge=True):
    """Return a mask with a straight line that enters from above, and a tapering vessel below."""
    row, column = np.mgrid[:200, :200]
    line = (np.abs(column - 60 - 0.1 * row) <= width_px / 2) & (row < 110) & (row >= (0 if to_edge else 30))
    vessel = (np.abs(column - 140 + 0.3 * row) <= 6 - row / 40) & (row > 60)
    return line, vessel


def test_a_straight_even_line_from_above_is_a_catheter():
    usable = np.ones((200, 200), bool)
    line, vessel = lines(6)
    left, removed = without_catheter(line | vessel, usable, 0.35)
    assert removed and not (left & line & ~vessel).any() and (left & vessel).sum() > 0.9 * (vessel & ~line).sum()
    for kept in (lines(6, to_edge=False)[0], lines(24)[0], lines(6)[0][::-1]):
        left, removed = without_catheter(kept, usable, 0.35)
        assert not removed and left.sum() == kept.sum()


def test_a_ridge_is_strong_at_its_own_scale_and_flat_grey_is_not():
    rng = np.random.default_rng(0)
    _, column = np.mgrid[:100, :100]
    depth = np.exp(-0.5 * ((column - 50) / 2.0) ** 2) + 0.05 * rng.normal(size=(100, 100))
    strength = ridge_strength(depth.astype(np.float32), np.ones((100, 100), bool), (1.5, 3.0))
    assert strength[10:90, 50].min() > 10 > np.quantile(strength[:, :30], 0.99)
    assert not ridge_strength(depth.astype(np.float32), column > 90, (1.5,))[:, :90].any()


def test_depth_is_zero_where_the_frame_is_its_background():
    slope = np.linspace(0, 1, 80, dtype=np.float32)[None].repeat(60, 0)
    usable = np.ones((60, 80), bool)
    darker = slope.copy()
    darker[30, 20:60] -= 0.5
    depth = frame_depth(darker, slope, usable, 10.0)
    assert depth[30, 20:60].min() > 0.4 and np.abs(depth[:25]).max() < 0.06
    level = smoothed(np.ones((61, 83), np.float32), np.ones((61, 83), np.float32), 9.0)
    assert level.shape == (61, 83) and level == pytest.approx(1, abs=1e-3)


def call(capsys, *words):
    code = main([str(word) for word in words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_the_segment_command_writes_what_reconstruct_takes(capsys, tmp_path, pair, segmented):
    words = []
    for number, (path, _) in enumerate(pair):
        out = tmp_path / "masks" / f"m{number}.png"
        code, text, error = call(
            capsys, "segment", path, "--out", out, *BY_RIDGES, "--frame", segmented[number][1].frame
        )
        assert (code, error) == (0, "") and "chosen by the user" in text
        mask = sitk.GetArrayFromImage(sitk.ReadImage(str(out)))
        np.testing.assert_array_equal(mask > 0, segmented[number][3].mask)
        chance = sitk.GetArrayFromImage(sitk.ReadImage(str(out.with_name(f"m{number}_probability.png"))))
        assert chance.dtype == np.uint16 and np.abs(chance / 65535 - segmented[number][3].probability).max() < 1e-4
        words += ["--view", out, out.with_suffix(".json")]
    assert len(list((tmp_path / "masks").iterdir())) == 6
    options = ["--method", "visual_hull", "--spacing-mm", "2", "--calibrate", "off", "--no-report"]
    code, _, error = call(capsys, "reconstruct", *words, *options, "--out", tmp_path / "result")
    assert code == 0, error


def test_two_runs_become_a_result_that_can_be_repeated(capsys, tmp_path, pair):
    words = [word for path, _ in pair for word in ("--view", path)]
    options = ["--method", "visual_hull", "--spacing-mm", "1.5", "--calibrate", "off", "--no-report"]
    options += ["--set", "segmentation.method=ridge"]
    first, second = tmp_path / "first", tmp_path / "second"
    code, _, error = call(capsys, "reconstruct", *words, *options, "--out", first)
    assert code == 0, error
    record = json.loads((first / "run.json").read_text())
    for number, view in enumerate(record["settings"]["views"]):
        assert view["frame"] > 5 and len(view["segmented"]["curve"]) == 12
        assert (first / f"view{number}_mask.png").exists()
    rows = (first / "reprojection.csv").read_text().splitlines()
    column = rows[0].split(",").index("coverage")
    assert all(float(row.split(",")[column]) > 0.8 for row in rows[1:])
    code, _, error = call(capsys, "reconstruct", "--replay", first / "run.json", "--out", second, "--no-report")
    assert code == 0, error
    one, two = (sitk.ReadImage(str(folder / "probability.nii.gz")) for folder in (first, second))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(one), sitk.GetArrayFromImage(two))


def test_the_report_shows_frame_mask_curve_and_reason(tmp_path, pair):
    from types import SimpleNamespace

    from xradiff.export.overlay import frame_picture, write_png
    from xradiff.export.report.frames import frames
    from xradiff.masks import read_views

    views = read_views([[str(path)] for path, _ in pair], config=RIDGE)
    for number, view in enumerate(views):
        picture = frame_picture(view)
        assert picture.shape == (PX, 2 * PX, 3)
        write_png(tmp_path / f"view{number}_mask.png", picture)
    page = frames(SimpleNamespace(views=views), tmp_path)
    assert page.count("data:image/png") == 2 and page.count("<polyline") == 2
    for view in views:
        assert f">frame {view.frame}</text>" in page and "of the heart cycle" in page
    given = [dataclasses.replace(view, segmented=None) for view in views]
    assert frames(SimpleNamespace(views=given), tmp_path) == ""


def changed(path, target, **values):
    dataset = pydicom.dcmread(path)
    for name, value in values.items():
        if value is None:
            delattr(dataset, name)
        else:
            setattr(dataset, name, value)
    dataset.save_as(target)
    return target


def empty_run(path, folder):
    return write_run(folder, 1, iodine_per_mm=0, frames=8, with_catheter=False)[0]


def catheter_run(path, folder):
    return write_run(folder, 1, iodine_per_mm=0, frames=8)[0]


def other_patient(path, folder):
    return changed(path, folder / "x.dcm", PatientID="SOMEBODY")


def same_angle(path, folder):
    return changed(path, folder / "x.dcm", PositionerPrimaryAngle=-30.0, PositionerSecondaryAngle=20.0)


def no_angle(path, folder):
    return changed(path, folder / "x.dcm", PositionerPrimaryAngle=None)


def cut_off(path, folder):
    data = path.read_bytes()
    (folder / "x.dcm").write_bytes(data[: len(data) // 2])
    return folder / "x.dcm"


def coloured(path, folder):
    picture = np.random.default_rng(0).integers(0, 255, (32, 24), dtype=np.uint8)
    dataset = xa(picture[None], bits=8, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0)
    dataset.PixelData = np.random.default_rng(0).integers(0, 255, (32, 24, 3), dtype=np.uint8).tobytes()
    return saved(folder / "x.dcm", dataset)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (empty_run, "no frame of view 1 shows contrast agent"),
        (catheter_run, "no frame of view 1 shows contrast agent"),
        (other_patient, "view 0 and view 1 belong to two patients"),
        (same_angle, "view 0 and view 1 show the same angle"),
        (no_angle, "view 1 (x.dcm) lacks the primary angle"),
        (cut_off, "x.dcm"),
        (coloured, "RGB secondary capture"),
    ],
)
def test_runs_that_cannot_be_used_are_refused_in_one_line(capsys, tmp_path, pair, make, message):
    bad = make(pair[1][0], tmp_path)
    out = tmp_path / "out"
    code, _, error = call(capsys, "reconstruct", "--view", pair[0][0], "--view", bad, "--out", out)
    assert code == 2 and error.count("\n") == 1 and message in error, error
    assert not out.exists()


def test_segment_refuses_in_one_line(capsys, tmp_path, pair):
    path = shutil.copy(pair[0][0], tmp_path / "run.dcm")
    for words, message in (
        ((path, "--out", tmp_path / "m.nii"), "must be the name of a PNG file"),
        ((path, "--out", tmp_path / "m.png", "--frame", 12), "frame must lie in [0, 11], got 12"),
        ((tmp_path / "none.dcm", "--out", tmp_path / "m.png"), "does not exist"),
        ((path, "--out", "/proc/masks/m.png"), "cannot be written"),
    ):
        code, _, error = call(capsys, "segment", *words)
        assert code == 2 and error.count("\n") == 1 and message in error, error
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.dcm"]


def test_a_run_of_one_frame_goes_the_whole_way_or_is_told(capsys, tmp_path, pair, segmented):
    _, choice, _, _ = segmented[1]
    dataset = pydicom.dcmread(pair[1][0])
    size = PX * PX * 2
    dataset.PixelData = dataset.PixelData[choice.frame * size : (choice.frame + 1) * size]
    dataset.NumberOfFrames = 1
    for name in ("FrameTimeVector", "RWavePointer"):
        if name in dataset:
            delattr(dataset, name)
    dataset.save_as(tmp_path / "one.dcm")
    code, text, error = call(capsys, "segment", tmp_path / "one.dcm", *BY_RIDGES, "--out", tmp_path / "m.png")
    assert code == 0, error
    assert "the only frame" in text and "too few frames" in text


def test_a_mask_stored_as_dicom_is_used_as_it_is(tmp_path, segmented):
    from xradiff.masks import read_views

    mask = segmented[0][3].mask
    path = saved(tmp_path / "mask.dcm", xa(mask[None] * np.uint16(4095)))
    (view,) = read_views([[str(path)]])
    assert view.segmented is None and set(np.unique(view.pixels)) == {0, 4095}
