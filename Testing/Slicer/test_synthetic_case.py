"""Synthetic cases as nodes: their geometry against their truth, in this process and through a worker process."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
import slicer
from vtk.util.numpy_support import vtk_to_numpy
from XRADiffSlicerLib.Geometry import geometryOf
from XRADiffSlicerLib.Launchers import ThreadLauncher
from XRADiffSlicerLib.Logic import ReconstructionLogic
from XRADiffSlicerLib.NodeConversion import imageFromNode, meshFromModel, sparseFromVolume
from XRADiffSlicerLib.SyntheticCase import PHASE_ATTRIBUTE, loadSyntheticCase
from XRADiffSlicerLib.SyntheticContents import heartPhases
from XRADiffSlicerLib.Views import viewFromNode

FRAMES, SMALL = 6, 256


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A still right case, and a beating left one with runs."""
    from xradiff.dataset import write_case
    from xradiff.synthetic.case import CaseOptions, draw_case

    root = tmp_path_factory.mktemp("cases")
    write_case(root / "still", draw_case(CaseOptions(side="right", poses="clinical"), 3, 1), 0.5)
    beating = CaseOptions(side="left", poses="clinical", motion="heart", frames=FRAMES, image_px=SMALL)
    write_case(root / "beating", draw_case(beating, 3, 1), 1.0)
    return root


@pytest.fixture
def still(mrml, folders):
    return loadSyntheticCase(folders / "still")


@pytest.fixture
def beating(mrml, folders):
    return loadSyntheticCase(folders / "beating")


def ras(model):
    return vtk_to_numpy(model.GetPolyData().GetPoints().GetData()).astype(float)


def shareInside(pointsLps, view):
    """The share of the points that project into the mask of a view node, through the camera that its node knows."""
    from xradiff.geometry.camera import camera_from

    mask = imageFromNode(view) > 0
    row, column = np.rint(camera_from(geometryOf(view), mask.shape).project(pointsLps)).astype(int).T
    seen = (row >= 0) & (row < mask.shape[0]) & (column >= 0) & (column < mask.shape[1])
    assert seen.mean() > 0.8
    return mask[row[seen], column[seen]].mean()


def hierarchy():
    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)


def test_nodes_and_their_folder(still):
    assert [node.GetName() for node in still.views] == [f"Synthetic case right 3/1 view{index}" for index in (0, 1)]
    assert still.truth.GetClassName() == "vtkMRMLLabelMapVolumeNode"
    assert set(np.unique(slicer.util.arrayFromVolume(still.truth))) == {0, 1}
    assert still.segmentation.GetSegmentation().GetNumberOfSegments() == 1
    assert still.segmentation.GetDisplayNode().GetVisibility3D() and still.angiograms == []
    assert hierarchy().GetItemName(still.folderItem) == "Synthetic case right 3/1"
    for node in (*still.views, still.truth, still.segmentation, still.model, still.centreline):
        assert hierarchy().GetItemParent(hierarchy().GetItemByDataNode(node)) == still.folderItem


def test_truth_projects_into_the_masks_and_a_flipped_one_does_not(still):
    """Tells RAS from LPS: two axes change their sign between them."""
    points = ras(still.centreline)
    for view in still.views:
        assert shareInside(points * [-1, -1, 1], view) >= 0.99
        for signs in ([1, -1, 1], [-1, 1, 1], [-1, -1, -1]):
            assert shareInside((points - points.mean(axis=0)) * signs + points.mean(axis=0) * [-1, -1, 1], view) < 0.7
    lumen = sparseFromVolume(still.truth).points_lps_mm()
    assert all(shareInside(lumen, view) >= 0.98 for view in still.views)


def test_every_form_of_the_truth_lies_at_the_same_place(still):
    radii = vtk_to_numpy(still.centreline.GetPolyData().GetPointData().GetArray("Radius"))
    assert still.centreline.GetPolyData().GetNumberOfLines() == len(still.parameters["tree"]["branches"])
    voxels = sparseFromVolume(still.truth).points_lps_mm()
    bounds = np.zeros(6)
    still.segmentation.GetSegmentation().GetBounds(bounds)
    segment = bounds.reshape(3, 2).T * [-1, -1, 1]
    line = ras(still.centreline) * [-1, -1, 1]
    for cloud in (voxels, segment, meshFromModel(still.model).vertices_lps_mm):
        np.testing.assert_allclose(cloud.min(axis=0), line.min(axis=0), atol=2 * radii.max() + 0.5)
        np.testing.assert_allclose(cloud.max(axis=0), line.max(axis=0), atol=2 * radii.max() + 0.5)


def test_views_are_accepted_and_compared_with_the_truth(still):
    logic = ReconstructionLogic()
    outputs = logic.reconstruct(still.views, method="visual_hull", spacingMm=1.0)
    assert 0.1 < outputs.truthDice < 1
    assert all(fit.coverage > 0.95 for fit in outputs.fits)


def test_every_view_knows_the_truth(still):
    from XRADiffSlicerLib.Outputs import truthOf

    truth = truthOf(still.views[1])
    np.testing.assert_array_equal(truth.points_lps_mm(), sparseFromVolume(still.truth).points_lps_mm())
    assert truthOf(still.truth) is None  # no synthetic view


def test_runs_are_sequences_with_times_phases_and_geometry(beating):
    assert len(beating.angiograms) == len(beating.browsers) == 2
    for proxy, browser, view in zip(beating.angiograms, beating.browsers, beating.views, strict=True):
        sequence = browser.GetSequenceNode(proxy)
        assert sequence.GetNumberOfDataNodes() == FRAMES
        assert (sequence.GetIndexName(), sequence.GetIndexUnit()) == ("time", "s")
        assert float(sequence.GetNthIndexValue(FRAMES - 1)) == pytest.approx((FRAMES - 1) / 15, abs=1e-3)
        assert browser.GetPlaybackRateFps() == pytest.approx(15, abs=1e-3)
        for frame in (0, FRAMES - 1):
            browser.SetSelectedItemNumber(frame)
            seen = viewFromNode(proxy)
            assert (seen.frame, seen.shape) == (frame, (SMALL, SMALL))
            assert seen.acquisition == geometryOf(view)
            np.testing.assert_array_equal(seen.pixels, viewFromNode(proxy, frame=frame).pixels)
        assert proxy.GetSpacing() == view.GetSpacing()


def test_frames_are_those_of_the_file(beating, folders):
    from xradiff.views import read_view

    for index, proxy in enumerate(beating.angiograms):
        read = read_view(folders / "beating" / f"view{index}.dcm", frame=2)
        np.testing.assert_array_equal(viewFromNode(proxy, frame=2).pixels, read.pixels)
        assert geometryOf(proxy).primary_deg == pytest.approx(read.acquisition.primary_deg, abs=1e-6)


def test_heart_phases_from_the_r_waves():
    """60 beats a minute, 10 frames a second: a tenth of a cycle each frame."""
    assert heartPhases(5, 0.1, 60, 3) == pytest.approx([0.8, 0.9, 0, 0.1, 0.2])
    assert heartPhases(4, 0.25, 60, [1, 4]) == pytest.approx([0, 0.25, 0.5, 0])
    assert heartPhases(2, 0.1, 60, None) == [None, None]


def test_phase_of_the_shown_frame_can_be_read_from_the_proxy(mrml, tmp_path):
    from xradiff.dataset import write_case
    from xradiff.synthetic.case import CaseOptions, draw_case

    options = CaseOptions(side="right", poses="clinical", motion="heart", frames=20, image_px=64)
    drawn = draw_case(options, 0, 0)
    write_case(tmp_path / "case", drawn, 2.0)
    case = loadSyntheticCase(tmp_path / "case")
    for proxy, browser, run in zip(case.angiograms, case.browsers, drawn.runs, strict=True):
        for frame in (0, 19):
            browser.SetSelectedItemNumber(frame)
            error = (float(proxy.GetAttribute(PHASE_ATTRIBUTE)) - run.phases[frame] + 0.5) % 1 - 0.5
            assert abs(error) <= run.frame_time_ms / 60_000 * run.heart_rate_bpm + 0.01 * 20 / 15


def test_saved_scene_knows_geometry_and_truth(still, tmp_path):
    names = [node.GetName() for node in still.views]
    expected = [geometryOf(node) for node in still.views]
    scene = slicer.mrmlScene
    scene.SetSaveToXMLString(1)
    scene.Commit()
    text = scene.GetSceneXMLString()
    scene.Clear()
    scene.SetLoadFromXMLString(1)
    scene.SetSceneXMLString(text)
    scene.Import()
    nodes = [scene.GetFirstNodeByName(name) for name in names]
    assert [geometryOf(node) for node in nodes] == expected
    assert all(node.GetNodeReference("XRADiffSlicer.Truth").GetName().endswith("truth") for node in nodes)


def test_console_call_is_repeatable_and_makes_a_second_set(mrml):
    logic = ReconstructionLogic()
    options = {"imagePx": 128, "truthSpacingMm": 1.0, "motion": "rigid", "corruption": 0.5}
    first = logic.createSyntheticCase("left", seed=5, number=2, **options)
    second = logic.createSyntheticCase("left", seed=5, number=2, **options)
    for one, other in zip(first.views, second.views, strict=True):
        np.testing.assert_array_equal(imageFromNode(one), imageFromNode(other))
        assert one is not other
    assert first.folderItem != second.folderItem
    assert (first.parameters["side"], first.parameters["number"]) == ("left", 2)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"side": "middle"}, "side must be"),
        ({"corruption": 2}, "corruption must lie in"),
        ({"frames": 5, "motion": "image"}, "motion 'image'"),
        ({"seed": -1}, "seed must lie in"),
        ({"number": -1}, "number must lie in"),
        ({"poses": "none"}, "source of poses"),
    ],
)
def test_bad_values_are_refused_in_one_line(mrml, options, words):
    with pytest.raises(ValueError, match=words) as refused:
        ReconstructionLogic().createSyntheticCase(**options)
    assert "\n" not in str(refused.value)
    assert slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLabelMapVolumeNode") is None


def test_folder_that_is_no_case_is_refused(mrml, tmp_path):
    with pytest.raises(OSError, match=r"case\.json"):
        loadSyntheticCase(tmp_path)


def start(logic, **options):
    heard = {"progress": [], "log": [], "finished": [], "failed": []}
    logic.startSyntheticCase(
        onProgress=lambda fraction, message: heard["progress"].append(fraction),
        onLog=heard["log"].append,
        onFinished=heard["finished"].append,
        onFailed=lambda message, cancelled: heard["failed"].append((message, cancelled)),
        **options,
    )
    return heard


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_worker_makes_the_same_case_and_leaves_nothing_behind(mrml, temporary):
    logic = ReconstructionLogic(ThreadLauncher())
    heard = start(logic, side="left", seed=4, frames=2, imagePx=128)
    with pytest.raises(RuntimeError, match="running already"):
        start(logic)
    logic.worker.wait(120)
    assert heard["failed"] == [], heard["log"]
    (there,) = heard["finished"]
    here = logic.createSyntheticCase("left", seed=4, frames=2, imagePx=128)
    for one, other in zip((*here.views, *here.angiograms), (*there.views, *there.angiograms), strict=True):
        np.testing.assert_array_equal(imageFromNode(one), imageFromNode(other))
        assert geometryOf(one) == geometryOf(other)
    assert list(Path(temporary).iterdir()) == []


def test_impossible_case_is_refused_in_one_line(mrml, temporary):
    logic = ReconstructionLogic(ThreadLauncher())
    heard = start(logic, corruption=-1)
    logic.worker.wait(120)
    ((message, cancelled),) = heard["failed"]
    assert "corruption must lie in" in message and "\n" not in message and not cancelled
    assert heard["finished"] == [] and list(temporary.iterdir()) == []


def test_cancelled_case_leaves_nothing_behind(mrml, temporary):
    logic = ReconstructionLogic(ThreadLauncher())
    heard = start(logic, frames=1000)
    time.sleep(0.2)
    logic.cancel()
    logic.worker.wait(30)
    assert heard["failed"] == [("cancelled", True)] and heard["finished"] == []
    assert list(temporary.iterdir()) == []


def test_closing_the_scene_ends_the_worker_and_its_files(mrml, temporary):
    logic = ReconstructionLogic(ThreadLauncher())
    heard = start(logic, frames=1000)
    logic.removeTemporaryFiles()
    assert not logic.running and list(temporary.iterdir()) == []
    assert heard["failed"] == heard["finished"] == []


@pytest.mark.parametrize("ending", ["cancel", "removeTemporaryFiles"])
def test_ending_while_the_nodes_are_made_removes_them(mrml, temporary, ending):
    """Cancel, or a scene that is closed, between two steps of the taking over."""
    logic = ReconstructionLogic(ThreadLauncher())
    nodes = mrml.GetNumberOfNodes()
    heard = start(logic, frames=12, imagePx=128)
    while mrml.GetNumberOfNodesByClass("vtkMRMLSequenceNode") == 0:
        logic.worker._launcher.pump()
        time.sleep(0.005)
    assert mrml.GetNumberOfNodes() > nodes and heard["finished"] == [], heard["log"]
    getattr(logic, ending)()
    assert not logic.running and heard["finished"] == []
    assert heard["failed"] == ([("cancelled", True)] if ending == "cancel" else [])
    assert mrml.GetNumberOfNodesByClass("vtkMRMLVolumeNode") == mrml.GetNumberOfNodesByClass("vtkMRMLModelNode") == 0
    assert mrml.GetNumberOfNodesByClass("vtkMRMLSequenceNode") == 0
    assert list(temporary.iterdir()) == []
