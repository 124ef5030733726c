"""Datasets on disk: the same files whatever the workers, going on where one stopped, what is refused."""

from __future__ import annotations

import errno
import hashlib
import json
from dataclasses import replace

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
import xradiff.dataset as dataset_module
from xradiff.cli import main
from xradiff.dataset import case_folder, read_dataset, synthesize
from xradiff.errors import Cancelled, InputError
from xradiff.export import read_centreline_vtp
from xradiff.pipeline import reconstruct
from xradiff.synthetic.anatomy import AnatomyOptions, draw_anatomy, with_thickness
from xradiff.synthetic.case import CaseOptions, draw_case
from xradiff.synthetic.labels import write_label
from xradiff.synthetic.tubes import tubes_of
from xradiff.views import read_view

OPTIONS = CaseOptions(image_px=128, truth_spacing_mm=1.0, motion="rigid", corruption=0.3)
FILES = {"view0.png", "view0.json", "view1.png", "view1.json", "truth.nii.gz", "truth_centreline.vtp", "case.json"}


def _hashes(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dataset") / "d"
    return folder, synthesize(folder, OPTIONS, cases=3, seed=5)


def test_a_case_is_what_the_design_says(made):
    folder, report = made
    assert (report.found, report.made) == (0, 3)
    assert read_dataset(folder)["seed"] == 5
    for number in range(3):
        assert {path.name for path in case_folder(folder, number).iterdir()} == FILES
        assert json.loads((case_folder(folder, number) / "case.json").read_text())["number"] == number


def test_files_hold_the_case(made):
    folder = case_folder(made[0], 1)
    case = draw_case(OPTIONS, 5, 1)
    for number, view in enumerate(case.views):
        again = read_view(folder / f"view{number}.png", folder / f"view{number}.json")
        np.testing.assert_array_equal(again.pixels > 0, view.mask)
        assert again.acquisition == view.acquisition
    tree = read_centreline_vtp(folder / "truth_centreline.vtp")
    np.testing.assert_allclose(tree.points_lps_mm(), case.subject.tree.points_lps_mm(), atol=1e-3)
    image = sitk.ReadImage(str(folder / "truth.nii.gz"))  # SimpleITK's world is LPS
    inside = [
        image[image.TransformPhysicalPointToIndex(point)]
        for branch in case.subject.tree
        for point in branch.points_lps_mm[branch.radii_mm > 0.9].tolist()
    ]
    assert np.mean(inside) > 0.99
    assert sitk.GetArrayViewFromImage(image).sum() == len(case.truth(1.0).indices)


def test_two_workers_write_the_same_bytes(made, tmp_path):
    synthesize(tmp_path / "d", OPTIONS, cases=3, seed=5, workers=2)
    assert _hashes(tmp_path / "d") == _hashes(made[0])


@pytest.mark.slow
def test_a_cluster_writes_the_same_bytes(made, tmp_path):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        synthesize(tmp_path / "d", OPTIONS, cases=3, seed=5, scheduler=cluster.scheduler_address)
    assert _hashes(tmp_path / "d") == _hashes(made[0])


def test_an_interrupted_dataset_goes_on_and_says_so(made, tmp_path):
    def stop(fraction, message):
        if fraction > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled, match="2 of 3 cases are complete, the same command goes on"):
        synthesize(tmp_path / "d", OPTIONS, cases=3, seed=5, progress=stop)
    (case_folder(tmp_path / "d", 1) / "case.json").unlink()  # as if the machine had died in it
    (tmp_path / "d" / ".case00002.dead").mkdir()
    said = []
    report = synthesize(tmp_path / "d", OPTIONS, cases=3, seed=5, progress=lambda _, message: said.append(message))
    assert (report.found, report.made) == (1, 2)
    assert "1 of 3 cases are complete" in said[0]
    assert _hashes(tmp_path / "d") == _hashes(made[0])


def test_a_longer_dataset_begins_with_the_shorter_one(made, tmp_path):
    synthesize(tmp_path / "d", OPTIONS, cases=1, seed=5)
    short = _hashes(tmp_path / "d")
    assert short.items() <= _hashes(made[0]).items()


@pytest.mark.parametrize(
    ("options", "seed", "message"),
    [
        (replace(OPTIONS, motion="none"), 5, "its motion is 'rigid', asked for is 'none'"),
        (OPTIONS, 6, "its seed is 5"),
    ],
)
def test_another_dataset_is_not_overwritten(made, options, seed, message):
    before = _hashes(made[0])
    with pytest.raises(InputError, match=message):
        synthesize(made[0], options, cases=4, seed=seed)
    assert _hashes(made[0]) == before


def test_a_folder_with_something_else_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="is not a dataset"):
        synthesize(tmp_path, OPTIONS, cases=1)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_full_disk_loses_nothing(monkeypatch, tmp_path):
    written = dataset_module.write_case

    def full(folder, case, spacing_mm):
        written(folder, case, spacing_mm)
        if case.parameters["number"] == 1:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(dataset_module, "write_case", full)
    with pytest.raises(InputError, match="No space left on device; 1 of 3 cases are complete"):
        synthesize(tmp_path / "d", OPTIONS, cases=3, seed=5)
    assert sorted(path.name for path in (tmp_path / "d").iterdir()) == ["case00000", "dataset.json"]


def test_nothing_is_left_where_nothing_could_be_made(tmp_path):
    with pytest.raises(InputError, match="cannot|does not exist|no such|not"):
        synthesize(tmp_path / "d", CaseOptions(labels=(str(tmp_path / "missing.nii.gz"),)), cases=2)
    assert not (tmp_path / "d").exists()
    with pytest.raises(InputError, match="seed must lie in"):
        synthesize(tmp_path / "d", OPTIONS, cases=1, seed=-1)


@pytest.fixture(scope="module")
def label_file(tmp_path_factory):
    """An ImageCAS-like label of a generated patient, both trees in one volume, in a turned array."""
    anatomy = draw_anatomy(np.random.default_rng(4), AnatomyOptions(occlusion=0))
    trees = [with_thickness(tree, "cta_label", np.random.default_rng(4)) for tree in anatomy.trees.values()]
    path = tmp_path_factory.mktemp("labels") / "1.label.nii.gz"
    write_label(path, trees)
    return path, {tree.side: tree for tree in trees}


def test_cases_from_a_label_hold_its_trees(label_file, tmp_path):
    path, trees = label_file
    words = ["synthesize", "--out", str(tmp_path / "d"), "--cases", "2", "--label", str(path), "--image-px", "256"]
    assert main([*words, "--side", "left", "--truth-spacing-mm", "1", "--progress", "none"]) == 0
    for number in range(2):
        folder = case_folder(tmp_path / "d", number)
        facts = json.loads((folder / "case.json").read_text())
        assert facts["side"] == "left"
        assert facts["tree"]["label"] == "1.label.nii.gz"
        made = read_centreline_vtp(folder / "truth_centreline.vtp")
        length = sum(branch.length_mm for branch in trees["left"])
        assert sum(branch.length_mm for branch in made) == pytest.approx(length, rel=0.25)


def test_one_label_stands_for_many_subjects(label_file):
    options = CaseOptions(labels=(str(label_file[0]),), side="right", motion="heart", image_px=256)
    first, second = (draw_case(options, 0, number).subject for number in (0, 1))
    assert not np.allclose(first.tree.points_lps_mm().std(axis=0), second.tree.points_lps_mm().std(axis=0), rtol=1e-3)
    for subject in (first, second):
        middle = (subject.base_lps_mm + subject.apex_lps_mm) / 2
        assert np.linalg.norm(subject.middle_lps_mm - middle) < 50


def test_a_label_of_one_tree_needs_its_side(label_file, tmp_path, capsys):
    path = tmp_path / "right.nii.gz"
    write_label(path, [label_file[1]["right"]])
    words = ["synthesize", "--out", str(tmp_path / "d"), "--cases", "1", "--label", str(path), "--progress", "none"]
    assert main(words) == 2
    assert "holds one tree only" in capsys.readouterr().err
    assert main([*words, "--label-holds", "one"]) == 2
    assert "needs its side" in capsys.readouterr().err
    assert main([*words, "--label-holds", "one", "--side", "right", "--truth-spacing-mm", "1"]) == 0


def test_raw_runs_are_written_as_dicom(tmp_path):
    options = CaseOptions(image_px=128, truth_spacing_mm=1.0, frames=8, side="right")
    synthesize(tmp_path / "d", options, cases=2, seed=1)
    files = sorted((tmp_path / "d").rglob("*.dcm"))
    assert len(files) == 4
    heads = [pydicom.dcmread(path, stop_before_pixels=True) for path in files]
    assert len({head.PatientID for head in heads}) == 2
    view = read_view(files[0], frame=5)
    assert view.pixels.shape == (128, 128)
    masks = sitk.GetArrayFromImage(sitk.ReadImage(str(files[0].with_name(f"{files[0].stem}_masks.nrrd"))))
    np.testing.assert_array_equal(masks, draw_case(options, 1, 0).runs[0].masks)


def test_the_command_line_makes_a_dataset_that_can_be_reconstructed(tmp_path, capsys):
    words = ["synthesize", "--out", str(tmp_path / "d"), "--cases", "1", "--side", "right", "--seed", "2"]
    assert main([*words, "--image-px", "256", "--progress", "none"]) == 0
    assert "1 cases made" in capsys.readouterr().out
    folder = case_folder(tmp_path / "d", 0)
    views = [read_view(folder / f"view{k}.png", folder / f"view{k}.json", name=f"view {k}") for k in (0, 1)]
    result = reconstruct(views, "visual_hull", spacing_mm=1.0)
    assert min(fit.coverage for fit in result.fits) > 0.9
    tree = read_centreline_vtp(folder / "truth_centreline.vtp")
    assert tree.side == "right"
    assert len(tubes_of(tree).tubes) >= 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--cases", "0"], "number of cases must lie in"),
        (["--cases", "2", "--motion", "jump"], "motion must be one of"),
        (["--cases", "2", "--poses", "sideways"], "source of poses must be one of"),
        (["--cases", "2", "--poses", "no.json", "nope.json"], "no.json"),
        (["--cases", "2", "--label", "no.nii.gz"], "no.nii.gz"),
        (["--cases", "2", "--views", "4"], "autocar and clinical have more"),
        (["--cases", "2", "--workers", "0"], "number of workers"),
    ],
)
def test_mistakes_on_the_command_line_are_one_line(words, message, tmp_path, capsys):
    assert main(["synthesize", "--out", str(tmp_path / "d"), "--progress", "none", *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "d").exists()
