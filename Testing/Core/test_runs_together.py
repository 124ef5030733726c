"""What of a run can be used (opening, text), and which runs go together."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from xradiff.errors import InputError
from xradiff.views import check_runs, opening_of, read_run

sys.path.append(str(Path(__file__).parent))
from xa_files import noise, saved, xa


def run_of(tmp_path, dataset, name="view"):
    return read_run(saved(tmp_path / f"{name}.dcm", dataset), name=name)


def body(count=6, rows=80, columns=100):
    return np.random.default_rng(3).integers(1800, 2200, (count, rows, columns)).astype(np.uint16)


@pytest.mark.parametrize("grey", [0, 2600])
def test_a_collimated_border_is_found_without_tags(tmp_path, grey):
    frames = body()
    frames[:, :12] = frames[:, :, -20:] = grey
    inside = opening_of(run_of(tmp_path, xa(frames))).inside
    assert not inside[:12].any() and not inside[:, -20:].any()
    assert inside[20:, :75].all()


def test_burned_in_text_is_found_and_nothing_else(tmp_path):
    frames = body()
    frames[:, 30:38, 40:42] = frames[:, 34:36, 40:48] = 4095
    opening = opening_of(run_of(tmp_path, xa(frames)))
    assert opening.text[30:38, 40:42].all() and opening.text[34:36, 40:48].all()
    assert opening.text.sum() < 200 and opening.inside.all()
    assert not opening.usable[31, 41]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"ShutterShape": "RECTANGULAR", "ShutterLeftVerticalEdge": 10, "ShutterRightVerticalEdge": 90,
          "ShutterUpperHorizontalEdge": 5, "ShutterLowerHorizontalEdge": 70}, 79 * 64),
        ({"CollimatorShape": "CIRCULAR", "CenterOfCircularCollimator": [40, 50],
          "RadiusOfCircularCollimator": 30}, 2821),
        ({"ShutterShape": "POLYGONAL", "VerticesOfThePolygonalShutter": [11, 11, 11, 51, 41, 51]}, 600),
        ({"ShutterShape": "CIRCULAR"}, 8000),
        ({"ShutterShape": "RECTANGULAR", "ShutterLeftVerticalEdge": 99, "ShutterRightVerticalEdge": 1,
          "ShutterUpperHorizontalEdge": 5, "ShutterLowerHorizontalEdge": 70}, 8000),
    ],
)  # fmt: skip
def test_shutters_and_collimators_of_the_tags(tmp_path, tags, expected):
    inside = opening_of(run_of(tmp_path, xa(body(1), **tags))).inside
    assert inside.sum() == pytest.approx(expected, rel=0.07)


def pair(tmp_path, **second):
    first = run_of(tmp_path, xa(noise()), "view 0")
    return [first, run_of(tmp_path, xa(noise(), **({"PositionerPrimaryAngle": -40.0} | second)), "view 1")]


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"PatientID": "P-2"}, "view 0 and view 1 belong to two patients"),
        ({"PositionerPrimaryAngle": 31.0}, r"show the same angle \(primary 30 and 31 deg"),
        ({"FieldOfViewDimensions": [30, 30]}, "10 columns of 0.3 mm, 3 mm in all, but .* field of view of 30 mm"),
        ({"ImagerPixelSpacing": None}, "view 1 .* lacks the imager pixel spacing"),
    ],
)
def test_runs_that_cannot_go_together_are_refused_in_one_line(tmp_path, second, message):
    with pytest.raises(InputError, match=message):
        check_runs(pair(tmp_path, **second))


def test_runs_that_can_go_together_are_taken_with_what_there_is_to_know(tmp_path):
    assert check_runs(pair(tmp_path)) == ()
    assert "not every file names its patient" in check_runs(pair(tmp_path, PatientID=None))[0]
    assert "several studies" in check_runs(pair(tmp_path, StudyInstanceUID="1.9"))[0]
    larger = run_of(tmp_path, xa(noise(3, 24, 20), PositionerPrimaryAngle=-40.0), "view 1")
    assert "(12 x 10 and 24 x 20)" in check_runs([pair(tmp_path)[0], larger])[0]
