"""Outputs: made or reused, filed in the subject hierarchy, in this process and through a worker process."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace

import mrml_phantoms as phantoms
import numpy as np
import pytest
import slicer
import vtk
from xradiff.pipeline import reconstruct
from XRADiffSlicerLib.Contents import contentsOf, saveContents, sparseFromArray
from XRADiffSlicerLib.Exchange import exportViews, readResult, workerArguments
from XRADiffSlicerLib.Geometry import BY_HAND, storeFacts
from XRADiffSlicerLib.Launchers import ThreadLauncher
from XRADiffSlicerLib.Logic import ReconstructionLogic
from XRADiffSlicerLib.NodeConversion import imageNodeFromView, meshFromModel, sparseFromVolume
from XRADiffSlicerLib.Outputs import KINDS, OutputNodes, fillOutputs
from XRADiffSlicerLib.ResultViews import reportOf
from XRADiffSlicerLib.WorkerMain import CONTENTS_FOLDER


def hierarchy():
    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)


@pytest.fixture
def sphereNodes(mrml):
    nodes = []
    for view in phantoms.sphereViews():
        node = imageNodeFromView(view, view.name)
        taken = view.acquisition
        facts = {name: getattr(taken, name) for name in ("primary_deg", "secondary_deg", "sid_mm", "sod_mm")}
        storeFacts(node, {**facts, "pixel_spacing_mm": list(taken.pixel_spacing_mm)}, BY_HAND)
        nodes.append(node)
    return nodes


def test_outputs_are_made_and_named_after_the_input(sphereNodes):
    outputs = fillOutputs(phantoms.result(), sphereNodes[0])
    for field, (className, suffix) in KINDS.items():
        node = getattr(outputs, field)
        assert (node.GetClassName(), node.GetName()) == (className, f"sphere 0 {suffix}")
    assert outputs.warnings == ("Take care.",) and outputs.notes == ("Weights: mine.",)


def test_outputs_are_shown_in_3d_once(sphereNodes):
    outputs = fillOutputs(phantoms.result(), sphereNodes[0])
    assert outputs.segmentation.GetDisplayNode().GetVisibility3D()
    assert outputs.segmentation.GetSegmentation().ContainsRepresentation("Closed surface")
    assert not outputs.model.GetDisplayNode().GetVisibility()


def test_outputs_lie_beside_the_input(sphereNodes):
    patient = hierarchy().CreateSubjectItem(hierarchy().GetSceneItemID(), "patient")
    hierarchy().CreateItem(patient, sphereNodes[0])
    first = fillOutputs(phantoms.result(), sphereNodes[0])
    assert hierarchy().GetItemName(first.folderItem) == "sphere 0 XRA-Diff"
    assert hierarchy().GetItemParent(first.folderItem) == patient
    for field in KINDS:
        item = hierarchy().GetItemByDataNode(getattr(first, field))
        assert hierarchy().GetItemParent(item) == first.folderItem
    assert fillOutputs(phantoms.result(), sphereNodes[0]).folderItem == first.folderItem


def test_items_that_slicer_made_by_itself_are_moved_into_the_folder(sphereNodes):
    """The application gives every new node an item at the top; slicer-core does not."""
    tree = hierarchy()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def addItem(_scene, _event, node):
        if node.IsA("vtkMRMLDisplayableNode") or node.IsA("vtkMRMLTableNode"):
            tree.CreateItem(tree.GetSceneItemID(), node)

    slicer.mrmlScene.AddObserver(slicer.vtkMRMLScene.NodeAddedEvent, addItem)
    outputs = fillOutputs(phantoms.result(), sphereNodes[0])
    for field in KINDS:
        item = tree.GetItemByDataNode(getattr(outputs, field))
        assert tree.GetItemParent(item) == outputs.folderItem


def test_chosen_outputs_are_overwritten_and_stay_where_they_are(sphereNodes):
    mine = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode", "mine")
    elsewhere = hierarchy().CreateFolderItem(hierarchy().GetSceneItemID(), "elsewhere")
    hierarchy().CreateItem(elsewhere, mine)
    outputs = fillOutputs(phantoms.result(), sphereNodes[0], OutputNodes(model=mine))
    assert outputs.model is mine and mine.GetPolyData().GetNumberOfPoints() == 4
    assert hierarchy().GetItemParent(hierarchy().GetItemByDataNode(mine)) == elsewhere
    count = slicer.mrmlScene.GetNumberOfNodes()
    again = fillOutputs(phantoms.result(), sphereNodes[0], outputs)
    assert all(getattr(again, field) is getattr(outputs, field) for field in KINDS)
    assert slicer.mrmlScene.GetNumberOfNodes() == count


def test_the_uncertainty_belongs_to_the_probability(sphereNodes):
    """It is filed beside it, filled again with it, and goes where a new result has none."""
    spread = phantoms.corner()
    spread.values[:] = 0.125
    outputs = fillOutputs(phantoms.result(spread), sphereNodes[0])
    node, tree = outputs.uncertainty, hierarchy()
    assert set(sparseFromVolume(node).values) == {np.float32(0.125)}
    np.testing.assert_allclose(sparseFromVolume(node).points_lps_mm(), spread.points_lps_mm(), atol=1e-4)
    assert tree.GetItemParent(tree.GetItemByDataNode(node)) == outputs.folderItem
    assert fillOutputs(phantoms.result(spread), sphereNodes[0], outputs).uncertainty is node
    assert fillOutputs(phantoms.result(), sphereNodes[0], outputs).uncertainty is None
    assert slicer.mrmlScene.GetNodeByID(node.GetID()) is None


def test_contents_of_a_result_go_through_files_unchanged(tmp_path):
    views = phantoms.sphereViews()
    result = reconstruct(views, method="visual_hull", calibrate_mode="off", spacing_mm=1.0)
    soft = result.probability
    result = replace(result, uncertainty=replace(soft, values=soft.values / 4))
    contents = contentsOf(result, result.segmentation)
    saveContents(contents, tmp_path / CONTENTS_FOLDER)
    named = [replace(view, name=name, frame=7) for view, name in zip(views, ("one", "two"), strict=True)]
    found = readResult(tmp_path, named)
    assert set(found.arrays) == set(contents.arrays) >= {"probability", "uncertainty", "spread", "overlay1"}
    for name, array in contents.arrays.items():
        np.testing.assert_array_equal(found.arrays[name], array)
    assert [fit.view_name for fit in found.fits] == ["one", "two"]
    assert [(view["name"], view["frame"]) for view in found.facts["views"]] == [("one", 7), ("two", 7)]
    assert found.facts["truthDice"] == 1 and found.facts["ijkToRas"] == contents.facts["ijkToRas"]
    probability = sparseFromArray(found.arrays["probability"], found.ijkToRas("probability"))
    np.testing.assert_allclose(probability.points_lps_mm(), soft.points_lps_mm(), atol=1e-9)


def test_uncertainty_at_the_surface_is_that_of_the_volume():
    spread = phantoms.corner()
    places = spread.points_lps_mm()
    spread.values[:] = np.where(places[:, 2] > -30, 0.5, 0.0)
    result = phantoms.result(spread)
    vertices = np.stack([places[0], places[1], places[places[:, 2].argmax()], (places[0] + places[1]) / 2])
    result.surface = replace(result.surface, vertices_lps_mm=vertices)
    np.testing.assert_allclose(contentsOf(result).arrays["spread"], [0, 0, 0.5, 0], atol=1e-6)


def test_views_go_to_the_worker_unchanged(tmp_path):
    from xradiff.views import read_view

    views = phantoms.sphereViews()
    for view, (image, geometry) in zip(views, exportViews(views, tmp_path), strict=True):
        read = read_view(image, geometry)
        np.testing.assert_array_equal(read.pixels, view.pixels)
        assert read.acquisition == view.acquisition


def test_worker_arguments_are_understood_by_the_command_line(tmp_path):
    from xradiff.cli import _parser

    files = exportViews(phantoms.sphereViews(), tmp_path)
    arguments = workerArguments(files, tmp_path / "out", calibrate=False, spacingMm=0.75, settings={"a": 1})
    options = _parser().parse_args([*arguments, "--cancel-file", str(tmp_path / "cancel")])
    assert (options.calibrate, options.spacing_mm, options.progress, options.set) == ("off", 0.75, "json", ["a=1"])
    assert len(options.view) == 2


def assertSphere(outputs):
    points = sparseFromVolume(outputs.probability).points_lps_mm()
    vertices = meshFromModel(outputs.model).vertices_lps_mm
    # A hull of two views is larger than the sphere across the views, but centred on it and as high.
    for cloud in (points, vertices):
        middle = (cloud.min(axis=0) + cloud.max(axis=0)) / 2
        np.testing.assert_allclose(middle, phantoms.SPHERE_CENTRE, atol=1.0)
    assert all(fit.coverage > 0.97 for fit in outputs.fits)
    assert outputs.segmentation.GetSegmentation().GetNumberOfSegments() == 1


def test_reconstruct_in_this_process(sphereNodes):
    said = []
    outputs = ReconstructionLogic().reconstruct(
        sphereNodes, method="visual_hull", progress=lambda fraction, message: said.append(fraction)
    )
    assertSphere(outputs)
    assert said == sorted(said) and said[-1] == 1


def test_reconstruct_reports_bad_input_in_one_line(sphereNodes):
    with pytest.raises(ValueError, match="unknown method 'magic'"):
        ReconstructionLogic().reconstruct(sphereNodes, method="magic")


def start(logic, nodes, **options):
    heard = {"progress": [], "log": [], "finished": [], "failed": []}
    logic.startReconstruction(
        nodes,
        onProgress=lambda fraction, message: heard["progress"].append(fraction),
        onLog=heard["log"].append,
        onFinished=heard["finished"].append,
        onFailed=lambda message, cancelled: heard["failed"].append((message, cancelled)),
        **options,
    )
    return heard


def test_reconstruct_in_a_worker_process_gives_the_same(sphereNodes, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    logic = ReconstructionLogic(ThreadLauncher())
    heard = start(logic, sphereNodes, method="visual_hull", spacingMm=1.0)
    assert logic.running
    with pytest.raises(RuntimeError, match="running already"):
        start(logic, sphereNodes)
    logic.worker.wait(120)
    assert heard["failed"] == [], heard["log"]
    assertSphere(heard["finished"][0])
    assert max(heard["progress"]) == 1
    assert [fit.view_name for fit in heard["finished"][0].fits] == ["sphere 0", "sphere 1"]
    assert "Research use only" in reportOf(heard["finished"][0].segmentation)
    here = logic.reconstruct(sphereNodes, method="visual_hull", spacingMm=1.0)
    there = heard["finished"][0]
    np.testing.assert_allclose(
        sparseFromVolume(there.probability).points_lps_mm(),
        sparseFromVolume(here.probability).points_lps_mm(),
        atol=1e-4,
    )
    assert list(tmp_path.iterdir()) == []


def test_worker_reports_bad_input_in_one_line(sphereNodes):
    logic = ReconstructionLogic(ThreadLauncher())
    heard = start(logic, sphereNodes, method="magic")
    logic.worker.wait(60)
    (message, withLog) = heard["failed"][0]
    assert message.startswith("unknown method 'magic'; available are visual_hull") and "\n" not in message
    assert not withLog and len(heard["failed"]) == 1
    assert heard["finished"] == []


def test_unusable_views_are_refused_before_the_worker_starts(sphereNodes):
    logic = ReconstructionLogic(ThreadLauncher())
    with pytest.raises(ValueError, match="only 0.0 deg apart"):
        start(logic, [sphereNodes[0], sphereNodes[0]])
    slicer.util.arrayFromVolume(sphereNodes[1])[:] = np.arange(200) % 256
    with pytest.raises(ValueError, match="sphere 1 is a grey image"):
        start(logic, sphereNodes)
    assert not logic.running


def test_cancel_in_the_middle_of_a_run(sphereNodes):
    logic = ReconstructionLogic(ThreadLauncher())
    heard = start(logic, sphereNodes, spacingMm=0.1)
    while not heard["progress"]:
        logic.worker._launcher.pump()
        time.sleep(0.005)
    logic.cancel()
    logic.worker.wait(30)
    assert heard["failed"] == [("cancelled", True)] and heard["finished"] == []


def test_broken_result_folder_is_reported(tmp_path):
    with pytest.raises(OSError, match=r"contents\.json"):
        readResult(tmp_path, [])
