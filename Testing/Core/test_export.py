"""The result folder: places in patient space, round trips, one self-contained page, whole or not at all."""

from __future__ import annotations

import csv
import gzip
import html.parser
import json
import os
import re
import struct
import sys
from dataclasses import replace

import numpy as np
import pytest
from xradiff.datatypes import Acquisition, InputFile, SparseVolume, SurfaceMesh, VolumeGrid
from xradiff.errors import Cancelled, InputError
from xradiff.export import check_result_folder, read_run, rendering, write_result_folder, write_stl, write_vtp
from xradiff.export.content import ResultFolderContent
from xradiff.export.overlay import MASK_ONLY_RGB, RESULT_ONLY_RGB, overlay_picture
from xradiff.export.report import verdict
from xradiff.export.report.calibration import calibration
from xradiff.export.report.sections import summary
from xradiff.export.scenes import direction_letters, view_picture
from xradiff.export.words import angles_in_words, number, percent, title_of
from xradiff.geometry import camera_of
from xradiff.postprocess import segmentation
from xradiff.quantification import reprojection_fit, summarise
from xradiff.surface import from_polydata, is_closed, surface_of

GRID = VolumeGrid((50, 40, 45), 0.5, (-11.0, -7.5, -9.25))
FILES = {
    "probability.nii.gz", "segmentation.nii.gz", "surface.vtp", "surface.stl", "reprojection.csv", "run.json",
    "view0_overlay.png", "view1_overlay.png",
}  # fmt: skip
REPORT = {"report.html", "render.png", "view0_render.png", "view1_render.png"}


@pytest.fixture
def content(sphere_views):
    """A ball of 6 mm radius at (1, 2, 1.5), its two views, and all that a run reports."""
    centre = np.array([1.0, 2.0, 1.5])
    points = GRID.centres(np.moveaxis(np.indices(GRID.shape), 0, -1))
    soft = np.clip(6 - np.linalg.norm(points - centre, axis=-1) + 0.5, 0, 1).astype(np.float32)
    probability = SparseVolume.from_dense(soft, GRID)
    kept = segmentation(probability.where(probability.values >= 0.5))
    rng = np.random.default_rng(0)
    views = tuple(
        replace(
            view,
            pixels=rng.integers(80, 200, view.shape).astype(np.uint16),
            files=(InputFile("a.png", "0" * 64),),
        )
        for view in sphere_views(centre, 6.0, shape=(128, 128))
    )
    return ResultFolderContent(
        views=views,
        calibration={
            "mode": "shift",
            "curve": {"tau_mm": [-1, 0, 1], "score": [2, 0.5, 2]},
            "notes": ["a <b>note"],
        },
        probability=probability,
        segmentation=kept,
        surface=surface_of(probability),
        fits=tuple(reprojection_fit(view, kept) for view in views),
        summary=summarise(kept),
        method_name="visual_hull",
        method_title="Visual hull",
        method_config={"tolerance_mm": 0.3},
        settings={"side": "right", "postprocess": {"threshold": np.float32(0.5)}},
        provenance={
            "seed": 0,
            "versions": {"numpy": np.__version__},
            "times_s": {"hull": 0.1},
            "bad": float("nan"),
        },
        warnings=("one & only warning",),
        notes=("weights: <mine>",),
    )


def voxel_in_nifti(path, ras):
    """The value at a RAS position, read with the file's own sform affine (no reader in between)."""
    raw = gzip.decompress(path.read_bytes())
    shape = struct.unpack("<8h", raw[40:56])[1:4]
    datatype = struct.unpack("<h", raw[70:72])[0]
    assert struct.unpack("<h", raw[254:256])[0] > 0, "the sform is set"
    affine = np.vstack([np.frombuffer(raw[280:328], "<f4").reshape(3, 4), [0, 0, 0, 1]])
    data = np.frombuffer(raw[int(struct.unpack("<f", raw[108:112])[0]) :], {2: "<u1", 16: "<f4"}[datatype])
    i, j, k = np.rint(np.linalg.solve(affine, [*ras, 1]))[:3].astype(int)
    return data.reshape(shape, order="F")[i, j, k], datatype


def test_a_voxel_at_a_known_lps_position_is_found_at_its_ras_position(content, tmp_path):
    index = np.array([40, 5, 38], dtype=np.int32)  # far from the ball, off every symmetry
    lone = SparseVolume(GRID, np.vstack([content.probability.indices, index]),
                        np.append(content.probability.values, np.float32(0.25)))  # fmt: skip
    x, y, z = GRID.centres(index)
    content = replace(content, probability=lone, segmentation=segmentation(lone))
    write_result_folder(tmp_path / "out", content, report=False)
    assert voxel_in_nifti(tmp_path / "out" / "probability.nii.gz", (-x, -y, z)) == (np.float32(0.25), 16)
    assert voxel_in_nifti(tmp_path / "out" / "segmentation.nii.gz", (-x, -y, z)) == (1, 2)
    assert voxel_in_nifti(tmp_path / "out" / "segmentation.nii.gz", (-x - 0.5, -y, z))[0] == 0
    assert voxel_in_nifti(tmp_path / "out" / "segmentation.nii.gz", (-1.0, -2.0, 1.5))[0] == 1


def test_the_uncertainty_is_written_and_its_mean_in_the_vessel_told(content, tmp_path):
    """0.25 in the vessel, 1 in the soft rim around it."""
    soft = content.probability
    spread = np.where(soft.values >= 0.5, np.float32(0.25), np.float32(1))
    spread_out = SparseVolume(GRID, soft.indices, spread)
    uncertain = replace(content, uncertainty=spread_out, samples=(content.probability, spread_out))
    write_result_folder(tmp_path / "one", uncertain)
    assert voxel_in_nifti(tmp_path / "one" / "uncertainty.nii.gz", (-1.0, -2.0, 1.5)) == (np.float32(0.25), 16)
    told = re.search(r"<dt>Uncertainty</dt><dd>([\d.]+)<", (tmp_path / "one" / "report.html").read_text("utf-8"))
    assert told and told[1] == "0.25"
    assert voxel_in_nifti(tmp_path / "one" / "sample1.nii.gz", (-1.0, -2.0, 1.5)) == (np.float32(0.25), 16)
    write_result_folder(tmp_path / "two", content)
    assert not (tmp_path / "two" / "uncertainty.nii.gz").exists()
    assert not list((tmp_path / "two").glob("sample*"))
    assert "<dt>Uncertainty" not in (tmp_path / "two" / "report.html").read_text("utf-8")
    elsewhere = SparseVolume(VolumeGrid((50, 40, 45), 0.5, (0, 0, 0)), soft.indices, spread)
    with pytest.raises(InputError, match="uncertainty must lie on the same grid"):
        replace(content, uncertainty=elsewhere)
    with pytest.raises(InputError, match="samples must lie on the same grid"):
        replace(content, samples=(elsewhere,))


def test_volumes_read_back_by_simpleitk_hold_every_voxel(content, tmp_path):
    import SimpleITK as sitk

    write_result_folder(tmp_path / "out", content, report=False)
    image = sitk.ReadImage(str(tmp_path / "out" / "probability.nii.gz"))
    np.testing.assert_allclose(image.GetDirection(), np.eye(3).ravel(), atol=1e-6)
    for index, value in list(zip(content.probability.indices, content.probability.values, strict=True))[::97]:
        place = image.TransformPhysicalPointToIndex([float(c) for c in GRID.centres(index)])
        assert image[place] == value
    assert sitk.GetArrayFromImage(image).sum(dtype=float) == pytest.approx(content.probability.values.sum(dtype=float))


def test_surface_round_trips_and_says_its_coordinate_system(content, tmp_path):
    from vtkmodules.vtkIOGeometry import vtkSTLReader
    from vtkmodules.vtkIOXML import vtkXMLPolyDataReader

    write_vtp(tmp_path / "s.vtp", content.surface)
    reader = vtkXMLPolyDataReader()
    reader.SetFileName(str(tmp_path / "s.vtp"))
    reader.Update()
    back = from_polydata(reader.GetOutput())
    np.testing.assert_array_equal(back.vertices_lps_mm, content.surface.vertices_lps_mm)
    np.testing.assert_array_equal(back.triangles, content.surface.triangles)
    assert reader.GetOutput().GetFieldData().GetAbstractArray("SPACE").GetValue(0) == "LPS"

    write_stl(tmp_path / "s.stl", content.surface)
    assert b"SPACE=LPS" in (tmp_path / "s.stl").read_bytes()[:80]
    reader = vtkSTLReader()
    reader.SetFileName(str(tmp_path / "s.stl"))
    reader.Update()
    back = from_polydata(reader.GetOutput())
    assert is_closed(back) and len(back.triangles) == len(content.surface.triangles)
    low, high = (content.surface.vertices_lps_mm.min(axis=0), content.surface.vertices_lps_mm.max(axis=0))
    np.testing.assert_allclose(
        [back.vertices_lps_mm.min(axis=0), back.vertices_lps_mm.max(axis=0)], [low, high], atol=1e-4
    )


class Page(html.parser.HTMLParser):
    """Tags, resources, text, and whether every tag is closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.resources, self.text = [], [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)
        self.resources += [value for name, value in attributes if name in ("src", "href", "srcset", "data", "action")]
        assert not any(name.startswith("on") for name, _ in attributes)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def folder(content, tmp_path):
    write_result_folder(tmp_path / "out", content)
    return tmp_path / "out"


def test_two_views_are_told_of_a_third_one(content, tmp_path):
    three = replace(content, views=(*content.views, content.views[0]), fits=(*content.fits, content.fits[0]))
    assert "A third view decides" in summary(content, tmp_path)
    assert "A third view decides" not in summary(three, tmp_path)


def test_the_whole_folder(folder, content):
    assert {entry.name for entry in folder.iterdir()} == FILES | REPORT
    assert [entry.name for entry in folder.parent.iterdir()] == ["out"]

    page = Page((folder / "report.html").read_text(encoding="utf-8"))
    assert page.open == [] and not {"script", "link", "iframe"} & set(page.tags)
    assert all(resource.startswith("data:image/png;base64,") for resource in page.resources)
    assert page.tags.count("img") == 5
    style = (folder / "report.html").read_text(encoding="utf-8").split("</style>")[0]
    assert "@import" not in style and "url(" not in style and "prefers-color-scheme: dark" in style
    for words in ("LAO 30", "RAO 40", "CRA 20", "0" * 64, "Chamfer", "One & only warning", "a <b>note",
                  "Research use only, not a medical device", "visual_hull", np.__version__):  # fmt: skip
        assert words in page.text, words
    assert "Weights: <mine>" in page.text  # plain information is not set off as a warning is
    html = (folder / "report.html").read_text(encoding="utf-8")
    assert html.count('<p class="warn">') == 1

    run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert set(run["files"]) == FILES | REPORT and read_run(folder) == run
    assert run["method"] == {"name": "visual_hull", "title": "Visual hull", "config": {"tolerance_mm": 0.3}}
    assert (run["warnings"], run["notes"]) == (["one & only warning"], ["weights: <mine>"])
    assert run["settings"]["postprocess"]["threshold"] == 0.5 and run["provenance"]["bad"] is None
    assert run["inputs"][0]["files"] == [{"path": "a.png", "sha256": "0" * 64}]
    with (folder / "reprojection.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["dice"]) for row in rows] == [fit.dice for fit in content.fits]


def test_renderings_show_the_ball_where_the_angiogram_does(folder, content):
    import SimpleITK as sitk

    for number_of_view, view in enumerate(content.views):
        image = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / f"view{number_of_view}_render.png"))).astype(float)
        red = image[..., 0] - image[..., 2] > 25
        place = np.argwhere(red).mean(axis=0) / image.shape[:2]
        expected = (camera_of(view).project([1.0, 2.0, 1.5]) + 0.5) / view.shape
        np.testing.assert_allclose(place, expected, atol=0.01)
        assert red.mean() == pytest.approx(view.mask.mean(), rel=0.05)


def test_a_machine_that_cannot_render_gets_a_report_that_says_so(content, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    before = dict(os.environ)
    write_result_folder(tmp_path / "out", content)
    assert dict(os.environ) == before
    assert {entry.name for entry in (tmp_path / "out").iterdir()} == FILES | {"report.html"}
    text = Page((tmp_path / "out" / "report.html").read_text(encoding="utf-8")).text
    assert "3D rendering was not possible here: the rendering process could not be started" in text


def test_a_rendering_process_that_dies_is_reported(content, tmp_path, monkeypatch):
    monkeypatch.setattr(rendering, "_window_classes", lambda: ("noSuchWindowClass",))
    monkeypatch.setattr(rendering, "_write_job", lambda folder, *_: folder / "missing.npz")
    outcome = rendering.render_pictures(
        tmp_path, (view_picture("x.png", content.views[0], content.surface),), content.surface
    )
    assert outcome.names == () and "missing.npz" in outcome.problem
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fraction", [0.0, 0.25, 0.45, 0.9, 0.99])
def test_a_cancel_at_any_moment_leaves_nothing(content, tmp_path, fraction):
    def cancel(now, message):
        if now >= fraction:
            raise Cancelled

    with pytest.raises(Cancelled):
        write_result_folder(tmp_path / "deep" / "er" / "out", content, cancel)
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_result_is_replaced_whole_and_survives_a_cancel(content, tmp_path):
    out = tmp_path / "out"
    write_result_folder(out, content, report=False)
    before = (out / "run.json").read_bytes()

    def cancel(now, message):
        if now >= 0.3:
            raise Cancelled

    changed = replace(content, views=content.views[:1], fits=content.fits[:1], method_title="Another")
    with pytest.raises(Cancelled):
        write_result_folder(out, changed, cancel, report=False)
    assert (out / "run.json").read_bytes() == before and [entry.name for entry in tmp_path.iterdir()] == ["out"]
    write_result_folder(out, changed, report=False)
    assert {entry.name for entry in out.iterdir()} == FILES - {"view1_overlay.png"}
    assert read_run(out)["method"]["title"] == "Another"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]


def test_an_earlier_result_comes_back_when_the_new_one_cannot_take_its_place(content, tmp_path, monkeypatch):
    from xradiff.export import folder as module

    out = tmp_path / "out"
    write_result_folder(out, content, report=False)
    before = (out / "run.json").read_bytes()
    real = type(out).rename

    def rename(self, target):
        if ".partial-" in self.name:
            raise OSError(28, "No space left on device")
        return real(self, target)

    monkeypatch.setattr(type(out), "rename", rename)
    with pytest.raises(InputError, match="cannot be written: No space left"):
        module.write_result_folder(out, content, report=False)
    monkeypatch.undo()
    assert (out / "run.json").read_bytes() == before and [entry.name for entry in tmp_path.iterdir()] == ["out"]


def test_folders_that_are_not_ours_are_refused_and_stay_as_they_are(content, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="is a file"):
        check_result_folder(tmp_path / "file")
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    assert check_result_folder(foreign) == foreign
    (foreign / "thesis.docx").write_text("x")
    (foreign / "run.json").write_text('{"kind": "another program"}')
    with pytest.raises(InputError, match="not an earlier result"):
        write_result_folder(foreign, content)
    assert {entry.name for entry in foreign.iterdir()} == {"thesis.docx", "run.json"}
    write_result_folder(tmp_path / "out", content, report=False)
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=re.escape("notes.txt")):
        write_result_folder(tmp_path / "out", content)
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"


def test_a_place_where_nothing_can_be_written_is_one_clear_line(content, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot be written") as caught:
        write_result_folder(tmp_path / "file" / "out", content)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(InputError, match="no permission"):
        check_result_folder(tmp_path / "new")
    monkeypatch.undo()
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="cannot be written"):
        write_result_folder("/proc/xradiff", content)


def test_an_empty_result_is_refused_before_anything_is_written(content):
    nothing = content.segmentation.where(np.zeros(len(content.segmentation.values), dtype=bool))
    with pytest.raises(InputError, match="empty"):
        replace(content, segmentation=nothing)
    flat = SurfaceMesh(np.zeros((0, 3)), np.zeros((0, 3), dtype=np.int64))
    with pytest.raises(InputError, match="no surface"):
        replace(content, surface=flat)
    with pytest.raises(InputError, match="2 views"):
        replace(content, fits=content.fits[:1])


def test_the_overlay_colours_what_is_missing_and_what_is_too_much(content):
    view = content.views[0]
    drawn = np.zeros(view.shape, dtype=bool)
    drawn[2:6, 2:6] = True  # far from the mask
    picture = overlay_picture(view, drawn)
    factor = picture.shape[0] // view.shape[0]
    centre = (np.argwhere(view.mask).mean(axis=0) * factor).astype(int)
    for place, colour in (((4 * factor, 4 * factor), RESULT_ONLY_RGB), (tuple(centre), MASK_ONLY_RGB)):
        assert np.abs(picture[place].astype(int) - colour).max() < 50
    assert np.ptp(picture[-1, -1].astype(int)) == 0, "the frame stays grey"


def test_the_verdict_names_the_views_that_do_not_fit(content):
    good = [replace(fit, coverage=0.99, hd95_mm=0.9, precision=0.7) for fit in content.fits]
    assert verdict(tuple(good)).grade == "good"
    one = verdict((good[0], replace(good[1], coverage=0.92)))
    assert one.grade == "fair" and "in view 1 is missing" in one.sentence
    both = verdict(tuple(replace(fit, hd95_mm=2.6) for fit in good))
    assert both.grade == "poor" and "view 0 and view 1" in both.sentence


ODD_REPORTS = (
    {},
    {"mode": "off"},
    {"curve": {}},
    {"curve": {"tau_mm": [0], "score": [1]}},
    {"corrections": [{"view": "v"}, {}], "notes": "one", "undetermined": ["d"]},
    {"curve": {"tau_mm": [0, 1, 2], "score": [None, 1, 1]}, "consistency_after": None},
    {
        "searches": [{"views": ["a", "b"], "shift_mm": [0, 1], "share": [1, 1]}, {}],
        "consistency_before": {"x": 1},
    },
)


def test_the_search_curve_is_drawn_with_the_shift_that_was_applied():
    search = {"views": ["view 0", "view 1"], "shift_mm": [-10, 0, 10], "share": [0.1, 0.9, 0.2]}
    found = {"view_name": "view 1", "shift_along_n_mm": 2.5, "accepted": True, "reason": "because"}
    page = calibration({"mode": "auto", "searches": [search], "corrections": [found]})
    assert page.count("<polyline") == 1 and "2.50 mm" in page and "view 1: because" in page
    x, y = zip(*(map(float, pair.split(",")) for pair in re.search('points="([^"]*)"', page)[1].split()), strict=True)
    assert x[0] < x[1] < x[2] and y[1] < y[2] < y[0], "up is more"


@pytest.mark.parametrize("report", ODD_REPORTS)
def test_the_calibration_section_takes_any_report(report):
    assert Page(calibration(report)).open == []


@pytest.mark.parametrize(
    "primary, secondary, words",
    [
        (39.2, -7.9, "LAO 39.2°, CAU 7.9°"),
        (-38.7, 5.9, "RAO 38.7°, CRA 5.9°"),
        (0, 0, "AP 0°, 0°"),
        (-0.01, 0, "AP 0°, 0°"),
    ],
)
def test_angles_in_the_words_of_the_laboratory(primary, secondary, words):
    assert angles_in_words(Acquisition(primary, secondary, 1000, 700, 0.3)) == words


def test_other_words():
    assert (percent(0.99999), percent(1.0), percent(0.1234)) == ("> 99.9 %", "100.0 %", "12.3 %")
    assert (number(-1.5), number(float("inf"))) == ("\u22121.50", "\u2013")
    assert title_of("table_shift_mm") == "Table shift (mm)" and title_of("n") == "n"
    assert [direction_letters(np.array(v)) for v in ([1, 0, 0], [0, -2, 0.1], [-1, 1, 0])] == ["L", "A", "RP"]
