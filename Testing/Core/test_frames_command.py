"""`python -m xradiff frames`: what is printed, what is written, and what is refused."""

from __future__ import annotations

import json

import pydicom
import pytest
from xradiff.cli import main
from xradiff.masks import choose_frames
from xradiff.synthetic.case import CaseOptions, draw_case
from xradiff.views import read_run


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Two runs of a beating heart."""
    from xradiff.dataset import write_case

    folder = tmp_path_factory.mktemp("runs") / "case"
    write_case(folder, draw_case(CaseOptions(side="right", frames=10, image_px=128, motion="heart"), 4, 0), 2.0)
    return [folder / "view0.dcm", folder / "view1.dcm"]


def views(files):
    return [word for file in files for word in ("--view", str(file))]


def test_same_frames_as_the_library_chooses(files, tmp_path, capsys):
    out = tmp_path / "new" / "frames.json"
    assert main(["frames", *views(files), "--out", str(out), "--progress", "none"]) == 0
    written = json.loads(out.read_text())
    chosen = choose_frames([read_run(file) for file in files])
    assert [run["frame"] for run in written["runs"]] == [choice.frame for choice in chosen]
    for run, choice, file in zip(written["runs"], chosen, files, strict=True):
        assert run["curve"] == pytest.approx(choice.curve, abs=1e-4)
        assert run["phases"] == pytest.approx(choice.phases, abs=1e-4)
        assert run["times_ms"] == pytest.approx(read_run(file).times_ms, abs=1e-3)
    assert f"view 1: frame {chosen[1].frame} of 10" in capsys.readouterr().out


def test_a_frame_of_the_users_own_stays(files, capsys):
    arguments = ["frames", *views(files), "--frame", "3", "--frame", "-1", "--progress", "json"]
    assert main(arguments) == 0
    result = [json.loads(line) for line in capsys.readouterr().out.splitlines()][-1]
    assert result["type"] == "result" and result["frames"][0] == 3


def test_runs_of_two_patients_are_refused_with_and_without_geometry(files, tmp_path, capsys):
    other = pydicom.dcmread(files[1])
    other.PatientID = "somebody else"
    other.save_as(tmp_path / "complete.dcm")
    del other.DistanceSourceToPatient, other.EstimatedRadiographicMagnificationFactor
    other.save_as(tmp_path / "incomplete.dcm")
    for name in ("complete.dcm", "incomplete.dcm"):
        assert main(["frames", *views([files[0], tmp_path / name]), "--progress", "none"]) == 2
        assert "two patients" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--frame", "1"], "one --frame for each --view, got 1 for 2"),
        (["--frame", "1", "--frame", "99"], "frame must lie in [0, 9], got 99"),
        (["--view", "a", "b", "c"], "got 3 values"),
    ],
)
def test_wrong_calls_are_refused_in_one_line(files, capsys, more, message):
    assert main(["frames", *views(files), *more, "--progress", "none"]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
