"""The command line as a user meets it: exit codes, one-line errors, JSON progress, cancel, replay, the whole job."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from xradiff import pipeline
from xradiff.cli import main

RESULT_FILES = {
    "segmentation.nii.gz",
    "probability.nii.gz",
    "surface.vtp",
    "surface.stl",
    "reprojection.csv",
    "view0_overlay.png",
    "view1_overlay.png",
    "run.json",
}


@pytest.fixture
def ball(sphere_views, write_view):
    """Command-line words for two views of a ball at (10, -15, 5) and the method that takes a ball as it is."""
    words = []
    for index, view in enumerate(sphere_views((10.0, -15.0, 5.0), 6.0)):
        words += ["--view", *map(str, write_view(view, f"view{index}"))]
    return [*words, "--method", "visual_hull"]


def call(capsys, *words):
    """Return exit code, stdout and stderr of the command line."""
    try:
        code = main([str(word) for word in words])
    except SystemExit as stop:
        code = stop.code
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def refused(capsys, out, *words):
    """The message of a refused reconstruction; checks that nothing was written."""
    code, _, error = call(capsys, "reconstruct", *words, "--out", out, "--no-report")
    assert code == 2, error
    assert error.count("\n") == 1 and error.startswith("xradiff: ")
    assert not out.exists() and not list(out.parent.glob(f".{out.name}*"))
    return error


def test_reconstruct_writes_the_whole_folder(capsys, tmp_path, ball):
    out = tmp_path / "deep" / "result"
    code, text, error = call(capsys, "reconstruct", *ball, "--out", out, "--no-report")
    assert (code, error) == (0, "")
    assert {path.name for path in out.iterdir()} == RESULT_FILES
    assert "view 0: reprojection covers" in text
    image = sitk.ReadImage(str(out / "segmentation.nii.gz"))
    found = np.argwhere(sitk.GetArrayFromImage(image))[:, ::-1]
    middle = image.TransformContinuousIndexToPhysicalPoint(found.mean(axis=0).tolist())
    np.testing.assert_allclose(middle, (10, -15, 5), atol=0.5)


def test_a_run_is_repeated_to_the_same_voxels(capsys, tmp_path, ball):
    first, second = tmp_path / "first", tmp_path / "second"
    assert call(capsys, "reconstruct", *ball, "--set", "tolerance_mm=0.4", "--out", first, "--no-report")[0] == 0
    assert call(capsys, "reconstruct", "--replay", first / "run.json", "--out", second, "--no-report")[0] == 0
    one, two = (sitk.ReadImage(str(folder / "probability.nii.gz")) for folder in (first, second))
    assert one.GetOrigin() == two.GetOrigin()
    np.testing.assert_array_equal(sitk.GetArrayFromImage(one), sitk.GetArrayFromImage(two))
    assert json.loads((second / "run.json").read_text())["settings"]["config"]["tolerance_mm"] == 0.4


def test_a_run_is_repeated_from_another_folder(capsys, tmp_path, ball, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = [Path(word).name if word.startswith(str(tmp_path)) else word for word in ball]
    assert call(capsys, "reconstruct", *words, "--out", "first", "--no-report")[0] == 0
    monkeypatch.chdir("/")
    run = tmp_path / "first" / "run.json"
    assert call(capsys, "reconstruct", "--replay", run, "--out", tmp_path / "second", "--no-report")[0] == 0


def test_views_that_the_result_does_not_explain_are_named(capsys, tmp_path, ball):
    image = sitk.ReadImage(ball[1])
    image[200:250, 0:40] = 255  # a vessel in view 0 that view 1 does not show
    sitk.WriteImage(image, ball[1])
    words = [*ball, "--calibrate", "off", "--out", tmp_path / "out", "--no-report"]
    code, text, error = call(capsys, "reconstruct", *words)
    assert code == 0, error
    assert "view 0: the result explains only" in text and "view 1: the result explains" not in text
    assert "has no counterpart in the other views" in text and "left vessels out" not in text


def test_masks_of_pixels_have_a_counterpart_within_half_a_voxel(capsys, tmp_path, ball, monkeypatch):
    image = sitk.ReadImage(ball[1])
    image[200:250, 0:40] = 255
    sitk.WriteImage(image, ball[1])
    asked = []
    monkeypatch.setattr(
        pipeline, "shares_with_counterpart", lambda views, reach_mm: asked.append(reach_mm) or (1.0,) * len(views)
    )
    words = [*ball, "--calibrate", "off", "--spacing-mm", "0.8", "--out", tmp_path / "out", "--no-report"]
    assert call(capsys, "reconstruct", *words)[0] == 0
    assert asked == [0.4]


def test_a_changed_input_is_not_replayed(capsys, tmp_path, ball):
    first = tmp_path / "first"
    call(capsys, "reconstruct", *ball, "--out", first, "--no-report")
    image = sitk.ReadImage(ball[1])
    image[3, 3] = 255
    sitk.WriteImage(image, ball[1])
    code, _, error = call(capsys, "reconstruct", "--replay", first / "run.json", "--out", tmp_path / "second")
    assert code == 2 and "has changed since" in error
    (tmp_path / "odd.json").write_text('{"kind": 3}')
    code, _, error = call(capsys, "reconstruct", "--replay", tmp_path / "odd.json", "--out", tmp_path / "second")
    assert code == 2 and "not a run.json that can be replayed" in error


def test_an_earlier_result_is_replaced_and_anything_else_kept(capsys, tmp_path, ball):
    out = tmp_path / "result"
    for _ in range(2):
        assert call(capsys, "reconstruct", *ball, "--out", out, "--no-report")[0] == 0
    (out / "notes.txt").write_text("mine")
    code, _, error = call(capsys, "reconstruct", *ball, "--out", out, "--no-report")
    assert code == 2 and "notes.txt" in error
    assert (out / "notes.txt").read_text() == "mine"


def test_progress_json_is_ascii_lines_that_end_with_the_result(capsys, tmp_path, ball):
    out = tmp_path / "résultat"
    code, text, _ = call(capsys, "reconstruct", *ball, "--out", out, "--no-report", "--progress", "json")
    assert code == 0 and text.isascii()
    lines = [json.loads(line) for line in text.splitlines()]
    fractions = [line["fraction"] for line in lines if line["type"] == "progress"]
    assert fractions == sorted(fractions) and fractions[-1] == 1
    assert lines[-1]["type"] == "result" and lines[-1]["folder"] == str(out)


def test_errors_are_json_lines_too(capsys, tmp_path, ball):
    code, text, _ = call(capsys, "reconstruct", *ball[:3], "--out", tmp_path / "out", "--progress", "json")
    assert code == 2
    error = json.loads(text.splitlines()[-1])
    assert (error["type"], error["exit_code"]) == ("error", 2)
    assert "two or more views, got 1" in error["message"]


def test_cancel_file_stops_the_run_and_leaves_nothing(capsys, tmp_path, ball):
    out, stop = tmp_path / "out", tmp_path / "stop"
    stop.touch()
    code, _, error = call(capsys, "reconstruct", *ball, "--out", out, "--cancel-file", stop)
    assert code == 130 and "cancelled" in error
    assert not out.exists() and not list(tmp_path.glob(".out*"))


def test_ctrl_c_is_a_cancel(capsys, tmp_path, ball, monkeypatch):
    import xradiff.pipeline

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(xradiff.pipeline, "reconstruct", interrupt)
    assert call(capsys, "reconstruct", *ball, "--out", tmp_path / "out")[0] == 130


def mask(path, array, vector=False):
    sitk.WriteImage(sitk.GetImageFromArray(array, isVector=vector), str(path))
    return path


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda d: d / "missing.png", "does not exist"),
        (lambda d: (d / "text.png", (d / "text.png").write_text("text"))[0], "not an image"),
        (lambda d: mask(d / "m.png", np.zeros((256, 256), np.uint8)), "view 0 is empty"),
        (lambda d: mask(d / "m.png", np.full((256, 256), 255, np.uint8)), "one single value everywhere"),
        (
            lambda d: mask(d / "m.png", np.eye(256, dtype=np.uint8)[..., None] * np.uint8([9, 0, 0]), True),
            "colour image",
        ),
        (lambda d: mask(d / "m.png", np.arange(65536, dtype=np.uint16).reshape(256, 256)), "grey image"),
    ],
    ids=["missing", "not-an-image", "empty", "all-foreground", "colour", "grey"],
)
def test_bad_images(capsys, tmp_path, ball, make, message):
    image = make(tmp_path)
    assert message in refused(capsys, tmp_path / "out", "--view", image, ball[2], *ball[3:])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("sod=1050", "must be smaller than SID"),
        ("sod=2000", "must be smaller than SID"),
        ("spacing=0", "pixel spacing must lie in (0, 100] mm, got 0"),
        ("alpha=400", "primary angle must lie in [-180, 180] deg, got 400"),
        ("alpha=nan", "primary angle must lie in"),
        ("sid=inf", "SID must lie in"),
        ("alpha=", "must be KEY=NUMBER"),
    ],
)
def test_impossible_geometry(capsys, tmp_path, ball, change, message):
    facts = {"alpha": 30, "beta": 0, "sid": 1050, "sod": 750, "spacing": 0.4}
    key, _, value = change.partition("=")
    by_hand = ",".join(f"{name}={number}" for name, number in (facts | {key: value}).items())
    assert message in refused(capsys, tmp_path / "out", "--view", ball[1], by_hand, *ball[3:])


def test_views_that_cannot_be_used_together(capsys, tmp_path, ball, sphere_views, write_view):
    out = tmp_path / "out"
    assert "two or more views, got 1" in refused(capsys, out, *ball[:3])
    assert "only 0.0 deg apart" in refused(capsys, out, *ball[:3], *ball[:3])
    away = write_view(sphere_views((10.0, -15.0, 90.0), 6.0, shape=(700, 700))[1], "away")
    assert "do not see a common space" in refused(capsys, out, *ball[:3], "--view", *away, "--calibrate", "off")


def test_masks_of_different_shape_are_accepted(capsys, tmp_path, ball, sphere_views, write_view):
    other = write_view(sphere_views((10.0, -15.0, 5.0), 6.0, shape=(300, 320))[1], "other")
    words = ["--view", *other, *ball[-2:], "--out", tmp_path / "out", "--no-report"]
    assert call(capsys, "reconstruct", *ball[:3], *words)[0] == 0


def test_settings_that_are_not_accepted(capsys, tmp_path, ball):
    out = tmp_path / "out"
    assert "unknown setting 'tolerance'; accepted are tolerance_mm" in refused(
        capsys, out, *ball, "--set", "tolerance=1"
    )
    assert "--set takes KEY=VALUE, got 'x'" in refused(capsys, out, *ball, "--set", "x")
    assert "threshold must lie in" in refused(capsys, out, *ball, "--set", "postprocess.threshold=7")
    assert "unknown method 'magic'" in refused(capsys, out, *ball, "--method", "magic")
    assert "voxel spacing must lie in" in refused(capsys, out, *ball, "--spacing-mm", "0")
    assert "seed must lie in" in refused(capsys, out, *ball, "--seed", "-1")
    assert "give one --frame for each --view" in refused(capsys, out, *ball, "--frame", "1")


def test_too_fine_a_grid_is_refused_before_allocating(capsys, tmp_path, ball, monkeypatch):
    import xradiff.memory

    monkeypatch.setattr(xradiff.memory, "available_bytes", lambda: 20 << 20)
    assert "coarser voxel spacing" in refused(capsys, tmp_path / "out", *ball, "--spacing-mm", "0.06")


def test_folder_not_writable(capsys, tmp_path, ball):
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(stat.S_IRUSR | stat.S_IXUSR)
    # root may write into a locked folder, but not into /proc
    out = Path("/proc/xradiff-out") if os.geteuid() == 0 else locked / "out"
    assert "cannot be written" in refused(capsys, out, *ball)


def test_out_that_is_a_file_or_below_one(capsys, tmp_path, ball):
    (tmp_path / "file").write_text("x")
    for out in (tmp_path / "file", tmp_path / "file" / "out"):
        code, _, error = call(capsys, "reconstruct", *ball, "--out", out, "--no-report")
        assert code == 2 and error.count("\n") == 1, error
    assert (tmp_path / "file").read_text() == "x"


def test_missing_device_is_exit_code_3(capsys, tmp_path, ball):
    code, _, error = call(capsys, "reconstruct", *ball, "--device", "cuda", "--out", tmp_path / "out")
    assert code == 3 and "CPU only" in error


def test_methods_and_info_name_every_method_and_setting(capsys):
    code, text, _ = call(capsys, "methods")
    assert code == 0 and "visual_hull" in text
    code, text, _ = call(capsys, "info", "visual_hull")
    assert code == 0 and "--set tolerance_mm=" in text and "34.273735" in text
    assert call(capsys, "info", "magic")[0] == 2


def test_no_traceback_from_a_real_process(tmp_path, repository):
    words = [sys.executable, "-m", "xradiff", "reconstruct", "--view", "nothing.png", "--out", str(tmp_path / "out")]
    run = subprocess.run(words, cwd=repository / "XRADiffSlicer", capture_output=True, text=True)
    assert run.returncode == 2
    assert run.stderr.strip() == "xradiff: the image of view 0 does not exist: nothing.png"


@pytest.mark.slow
def test_demo_is_complete(capsys, tmp_path):
    code, text, error = call(capsys, "demo", "--out", tmp_path / "demo", "--progress", "none")
    assert code == 0, error
    files = {path.name for path in (tmp_path / "demo").iterdir()}
    assert RESULT_FILES | {"report.html"} <= files
    assert "report.html" in text


@pytest.mark.slow
def test_the_real_pair_is_covered(capsys, tmp_path, clinical_pair):
    words = []
    for index in (0, 1):
        words += ["--view", clinical_pair / f"xray{index}.png", clinical_pair / f"params{index}.json"]
    code, _, error = call(capsys, "reconstruct", *words, "--method", "visual_hull", "--out", tmp_path / "out")
    assert code == 0, error
    rows = (tmp_path / "out" / "reprojection.csv").read_text().splitlines()
    column = rows[0].split(",").index("coverage")
    assert all(float(row.split(",")[column]) >= 0.99 for row in rows[1:])


@pytest.mark.slow
def test_the_report_opens_in_a_browser_without_an_error(capsys, tmp_path):
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium on this machine")
    assert call(capsys, "demo", "--out", tmp_path / "demo", "--progress", "none")[0] == 0
    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
    page, profile = (tmp_path / "demo" / "report.html").as_uri(), f"--user-data-dir={tmp_path / 'profile'}"
    words = ["--headless", "--no-sandbox", "--disable-gpu", *quiet, "--enable-logging=stderr", "--v=0", profile]
    run = subprocess.run([browser, *words, "--dump-dom", page], capture_output=True, text=True)
    assert "Research use only" in run.stdout
    assert "CONSOLE" not in run.stderr
