"""One vessel by its marked ends: the way along the middle line, what is kept of the masks, what is refused."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import SimpleITK as sitk
from xradiff.cli import main
from xradiff.datatypes import Acquisition, AngiogramView
from xradiff.errors import InputError
from xradiff.geometry import camera_of
from xradiff.masks.vessel_path import MiddleLine
from xradiff.quantification.overlap import dice
from xradiff.reconstruction.segment_of_interest import marked_points, restrict_to_vessel
from xradiff.synthetic.tubes import Tube, TubeTree, silhouette

POSES = (Acquisition(-30, 10, 1050, 750, 0.5), Acquisition(45, 0, 1050, 750, 0.5))
SHAPE = (256, 256)


def ring_with_tail():
    """Return a mask: a ring of radius 40 and width 7 around (60, 60), and a bar from it down to row 180."""
    row, column = np.indices((200, 120))
    away = np.hypot(row - 60, column - 60)
    return (np.abs(away - 40) <= 3.5) | ((np.abs(column - 60) <= 3.5) & (row >= 98) & (row <= 180))


def test_the_way_is_the_middle_and_the_vessel_is_its_width():
    line = MiddleLine.of(ring_with_tail(), "view 0")
    way = line.way([line.nearest((110, 62)), line.nearest((170, 58))])
    course = line.pixels[way]
    assert np.abs(course[:, 1] - 60).max() <= 1
    assert course[0, 0] == pytest.approx(110, abs=2) and course[-1, 0] == pytest.approx(170, abs=2)
    kept = np.argwhere(line.vessel(way))
    assert kept[:, 0].min() > 103 and kept[:, 0].max() < 176
    assert (np.bincount(kept[:, 0])[115:165] == 7).all()  # the whole width
    assert line.gaps(way) == 0


def test_the_shorter_way_round_is_taken_unless_a_point_on_the_other_is_marked():
    line = MiddleLine.of(ring_with_tail(), "view 0")
    start, end, left = line.nearest((60, 100)), line.nearest((150, 60)), line.nearest((60, 20))
    assert line.pixels[line.way([start, end])][:, 1].min() > 50
    assert line.pixels[line.way([start, left, end])][:, 1].min() < 25


def test_small_gaps_are_led_over_and_large_ones_named():
    mask = ring_with_tail()
    mask[130:134] = False
    line = MiddleLine.of(mask, "view 0", gap_px=12.0)
    way = line.way([line.nearest((110, 60)), line.nearest((170, 60))])
    assert line.gaps(way) == 1
    mask[120:150] = False
    line = MiddleLine.of(mask, "view 0", gap_px=12.0)
    with pytest.raises(InputError) as caught:
        line.way([line.nearest((110, 60)), line.nearest((170, 60))])
    rows = [int(row) for row in re.findall(r"\((\d+), \d+\)", str(caught.value))]
    assert "the mask is broken between" in str(caught.value)
    assert 110 < rows[2] < 122 and 148 < rows[3] < 158


@pytest.mark.parametrize(
    ("point", "message"),
    [
        ((60, 60), r"the point \(60, 60\) of view 0 is no vessel: the nearest vessel pixel is .*, 3[67] px away"),
        ((-3, 60), "outside view 0, which has 200 x 120 pixels"),
        ((60, 120), "outside view 0"),
    ],
)
def test_a_point_that_marks_no_vessel_is_refused(point, message):
    line = MiddleLine.of(ring_with_tail(), "view 0")
    with pytest.raises(InputError, match=message):
        line.nearest(point)
    assert line.pixels[line.nearest((110, 67))] == pytest.approx([110, 60], abs=1)  # a little beside it


def test_the_same_place_twice_and_an_empty_mask_are_refused():
    line = MiddleLine.of(ring_with_tail(), "view 0")
    with pytest.raises(InputError, match="mark the same place"):
        line.way([line.nearest((150, 60)), line.nearest((150, 61))])
    with pytest.raises(InputError, match="the mask of view 3 is empty"):
        MiddleLine.of(np.zeros((5, 5), bool), "view 3")


# Several views


def tubes():
    """Return a trunk of 60 mm and two branches of 40 mm that leave its middle."""
    t = np.linspace(0, 1, 30)[:, None]
    trunk = np.array([0, 0, 30]) + t * [4, 6, -60]
    half = trunk[14]
    return [
        Tube(trunk, np.full(30, 1.8)),
        Tube(half + t * [34, -12, -16], np.full(30, 1.2)),
        Tube(half + t * [-32, 14, -20], np.full(30, 1.2)),
    ]


@pytest.fixture
def views():
    found = []
    for index, pose in enumerate(POSES):
        blank = AngiogramView(f"view {index}", np.zeros(SHAPE, np.uint8), pose)
        mask = silhouette(TubeTree(tuple(tubes())), camera_of(blank))
        found.append(AngiogramView(f"view {index}", mask.astype(np.uint8), pose, mask=mask))
    return found


def ends(views, tube, order=(0, -1)):
    points = tubes()[tube].points_lps_mm[list(order)]
    return {index: [tuple(p) for p in camera_of(view).project(points)] for index, view in enumerate(views)}


@pytest.mark.parametrize("tube", [0, 1, 2])
def test_only_the_marked_vessel_is_kept_in_every_view(views, tube):
    kept, facts = restrict_to_vessel(views, ends(views, tube))
    for view, fact, whole in zip(kept, facts, views, strict=True):
        truth = silhouette(TubeTree((tubes()[tube],)), camera_of(view))
        assert dice(view.vessel_mask(), truth) > 0.85
        assert not (view.vessel_mask() & ~whole.vessel_mask()).any()
        assert fact.pixels == view.vessel_mask().sum() and fact.of_pixels == whole.vessel_mask().sum()
        assert f"{view.name}: only the vessel from (" in fact.note and "gap" not in fact.note


def test_which_end_is_called_start_does_not_matter(views):
    one, _ = restrict_to_vessel(views, ends(views, 1))
    turned = ends(views, 1) | {1: ends(views, 1, (-1, 0))[1]}
    two, _ = restrict_to_vessel(views, turned)
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a.vessel_mask(), b.vessel_mask())


def test_marks_that_do_not_belong_together_are_refused(views):
    mixed = ends(views, 1) | {1: ends(views, 0)[1]}
    with pytest.raises(InputError, match=r"in view 0 and view 1 are not the same two points: .* at most 6\.0 mm"):
        restrict_to_vessel(views, mixed)
    restrict_to_vessel(views, mixed, tolerance_mm=60.0)


@pytest.mark.parametrize(
    ("marked", "message"),
    [
        ({}, "not marked in view 0 and 1; mark its start and end in every view"),
        ({0: [(1, 1), (2, 2)]}, "not marked in view 1"),
        ({2: [(1, 1), (2, 2)]}, "names view 2; accepted are 0 to 1"),
        ({0: [(1, 1)]}, "needs a start and an end in view 0, got 1 point"),
        ({0: [(1, float("nan")), (2, 2)]}, "is a finite"),
    ],
)
def test_incomplete_marks_are_refused(views, marked, message):
    with pytest.raises(InputError, match=message):
        restrict_to_vessel(views, marked)


# The shell


def test_words_become_marks():
    words = [["0", "212,147", "390,260"], ["1", "200.5,150", "3,4", "401,300"]]
    assert marked_points(words) == {0: [(212, 147), (390, 260)], 1: [(200.5, 150), (3, 4), (401, 300)]}


@pytest.mark.parametrize(
    "words",
    [["0"], ["a", "1,2", "3,4"], ["0", "1,2", "3"], ["0", "1,2,3", "3,4"], ["-1", "1,2", "3,4"], ["0", "x,2", "3,4"]],
)
def test_words_that_are_no_marks_are_refused(words):
    with pytest.raises(InputError, match="takes VIEW ROW,COLUMN ROW,COLUMN"):
        marked_points([words])
    with pytest.raises(InputError, match="names view 0 twice"):
        marked_points([["0", "1,2", "3,4"], ["0", "1,2", "3,4"]])


def call(capsys, *words):
    code = main([str(word) for word in words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_a_run_reconstructs_the_vessel_alone_says_so_and_is_repeated(capsys, tmp_path, views, write_view):
    words = [word for index, view in enumerate(views) for word in ("--view", *write_view(view, f"view{index}"))]
    words += ["--method", "visual_hull", "--spacing-mm", "1", "--calibrate", "off"]
    marks = []
    for index, points in ends(views, 1).items():
        marks += ["--segment-of-interest", index, *(f"{row:.1f},{column:.1f}" for row, column in points)]
    out, again = tmp_path / "out", tmp_path / "again"
    code, text, error = call(capsys, "reconstruct", *words, *marks, "--out", out, "--no-report")
    assert code == 0, error
    assert text.count("only the vessel from (") == 2
    record = json.loads((out / "run.json").read_text())
    assert [each["view"] for each in record["settings"]["segment_of_interest"]] == [0, 1]
    image = sitk.ReadImage(str(out / "segmentation.nii.gz"))
    places = np.argwhere(sitk.GetArrayFromImage(image).T > 0)
    points = np.array([image.TransformContinuousIndexToPhysicalPoint(place.tolist()) for place in places])
    course = tubes()[1].points_lps_mm
    assert (
        np.linalg.norm(points[:, None] - course[None], axis=-1).min(axis=1).max() < 10
    )  # the trunk goes on for 30 mm
    code, _, error = call(capsys, "reconstruct", "--replay", out / "run.json", "--out", again, "--no-report")
    assert code == 0, error
    one, two = (sitk.GetArrayFromImage(sitk.ReadImage(str(each / "probability.nii.gz"))) for each in (out, again))
    np.testing.assert_array_equal(one, two)


def test_bad_marks_are_one_line_on_the_shell(capsys, tmp_path, views, write_view):
    words = [word for index, view in enumerate(views) for word in ("--view", *write_view(view, f"view{index}"))]
    for marks, message in (
        (["0", "1,1", "90,90"], "is not marked in view 1"),
        (["0", "1,1"], "needs a start and an end in view 0"),
        (["0", "here"], "takes VIEW ROW,COLUMN ROW,COLUMN"),
    ):
        options = ["--method", "visual_hull", "--calibrate", "off", "--segment-of-interest", *marks]
        code, _, error = call(capsys, "reconstruct", *words, *options, "--out", tmp_path / "out")
        assert code == 2 and error.count("\n") == 1 and message in error, error
    assert not (tmp_path / "out").exists()
