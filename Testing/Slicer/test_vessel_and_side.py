"""One vessel marked in the views, and the coronary side that the masks show, on the real panel and real MRML."""

from __future__ import annotations

import os
import time
from types import SimpleNamespace

import mrml_phantoms as phantoms
import numpy as np
import pytest
import slicer

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
pytest.importorskip("PySide6.QtWidgets", reason="needs PySide6-Essentials", exc_type=ImportError)

from panel_stand_ins import Logic
from qt_panel import application, makePanel
from run_phantoms import runNode
from xradiff.masks import with_masks
from xradiff.masks.side import SideFinding
from XRADiffSlicerLib import VesselMarks
from XRADiffSlicerLib.Application import Application
from XRADiffSlicerLib.EpipolarLine import positionOf
from XRADiffSlicerLib.Exchange import workerArguments
from XRADiffSlicerLib.Launchers import ThreadLauncher
from XRADiffSlicerLib.Logic import ReconstructionLogic
from XRADiffSlicerLib.NodeConversion import imageFromNode
from XRADiffSlicerLib.Outputs import fillOutputs, sideOf
from XRADiffSlicerLib.Parameters import Parameters, Side
from XRADiffSlicerLib.Runs import showFrame
from XRADiffSlicerLib.SampleData import loadDemo


@pytest.fixture
def panel(mrml):
    app = application()
    panel = makePanel(mrml, Logic(), Parameters(mrml.AddNewNodeByClass("vtkMRMLScriptedModuleNode")))
    panel.form.show()
    yield panel
    panel.setParameters(None)
    panel.form.deleteLater()
    app.processEvents()


@pytest.fixture
def demo(panel):
    panel.parameters.view0, panel.parameters.view1 = loadDemo()
    return panel


# ---- vessel ---------------------------------------------------------------------------------

# Two places on the right coronary artery of the bundled case, (row, column) in each view.
ENDS = (((120, 169), (220, 137)), ((114, 183), (234, 149)))


def mark(node, image, pixels):
    for pixel in pixels:
        node.AddControlPoint(*positionOf(image, pixel))


def test_marks_of_both_views_go_to_the_run(demo):
    ui, logic = demo.ui, demo.logic
    images = [demo.parameters.view0, demo.parameters.view1]
    assert ui.vesselLabel0.text() == "Whole tree" and not ui.clearVesselButton0.isEnabled()
    ui.markVesselButton0.click()
    assert demo.application.images == images, "an image that no slice view shows is shown first"
    mark(demo.application.placing, images[0], [(10, 20)])
    assert ui.vesselLabel0.text() == "Start alone"
    mark(demo.application.placing, images[0], [(30, 25), (50.5, 40)])
    assert ui.vesselLabel0.text() == "3 points"
    assert ui.statusLabel.text() == "View 2: mark the start and the end of the vessel, or clear the marks."
    assert not ui.applyButton.isEnabled()
    ui.markVesselButton1.click()
    mark(demo.application.placing, images[1], [(11, 21), (51, 41)])
    ui.applyButton.click()
    marked = logic.call.segmentOfInterest
    np.testing.assert_allclose(marked[0], [(10, 20), (30, 25), (50.5, 40)], atol=1e-6)
    np.testing.assert_allclose(marked[1], [(11, 21), (51, 41)], atol=1e-6)
    logic.running = False
    logic.call.onFailed("cancelled", True)
    ui.clearVesselButton0.click()
    ui.clearVesselButton1.click()
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLMarkupsFiducialNode") == 0
    ui.applyButton.click()
    assert logic.call.segmentOfInterest is None


def test_marks_deleted_elsewhere_are_forgotten(demo):
    demo.ui.markVesselButton0.click()
    first = demo.application.placing
    mark(first, demo.parameters.view0, [(10, 20), (30, 25)])
    first.RemoveNthControlPoint(1)
    assert demo.ui.vesselLabel0.text() == "Start alone"
    slicer.mrmlScene.RemoveNode(first)
    demo.refresh()
    assert demo.ui.vesselLabel0.text() == "Whole tree" and demo.ui.applyButton.isEnabled()


def test_marks_belong_to_their_frame(panel):
    image = runNode("run", 4, shape=(40, 50))
    panel.parameters.view0 = image
    panel.ui.markVesselButton0.click()
    marks = panel.application.placing
    mark(marks, image, [(5, 6), (7, 8)])
    panel.ui.frameSlider0.setValue(2)
    assert panel.ui.vesselLabel0.text() == "Whole tree" and not marks.GetDisplayNode().GetVisibility()
    panel.ui.frameSlider0.setValue(0)
    assert panel.ui.vesselLabel0.text() == "2 points" and marks.GetDisplayNode().GetVisibility()
    showFrame(image, 1)
    assert VesselMarks.markedPixels(image, 1) == [] and len(VesselMarks.markedPixels(image, 0)) == 2


def test_points_are_placed_by_slicers_own_place_mode(mrml, applicationLogic):
    interaction, selection = applicationLogic.GetInteractionNode(), applicationLogic.GetSelectionNode()
    slicer.modules.markups.logic().SetMRMLApplicationLogic(applicationLogic)
    image = loadDemo()[0]
    marks = VesselMarks.newMarks(image, 0)
    Application().placePoints(marks)
    assert interaction.GetCurrentInteractionMode() == interaction.Place and interaction.GetPlaceModePersistence()
    assert selection.GetActivePlaceNodeID() == marks.GetID()


def test_marked_vessel_is_reconstructed_alone(mrml):
    """With the ends of the main vessel only it is left, here and in a worker process alike."""
    views, marked = loadDemo(), dict(enumerate(ENDS))
    logic, heard = ReconstructionLogic(ThreadLauncher()), []
    options = {"method": "visual_hull", "spacingMm": 1.0, "calibrate": False, "segmentOfInterest": marked}
    here = logic.reconstruct(views, **options)
    assert any("only the vessel from" in note for note in here.notes)
    for overlay, view in zip(here.overlays, views, strict=True):
        assert 0 < np.count_nonzero(imageFromNode(overlay)) < 0.9 * np.count_nonzero(imageFromNode(view))
    logic.startReconstruction(
        views, onProgress=lambda *_said: None, onLog=print, onFinished=heard.append,
        onFailed=lambda message, _cancelled: heard.append(message), **options,
    ).wait(120)  # fmt: skip
    (there,) = heard
    for one, other in zip(here.overlays, there.overlays, strict=True):
        np.testing.assert_array_equal(imageFromNode(one), imageFromNode(other))


def test_marks_are_written_as_the_command_line_reads_them(tmp_path):
    from xradiff.cli import _parser
    from xradiff.reconstruction.segment_of_interest import marked_points

    marked = {0: [(1.25, 2.5), (3, 4), (5, 6)], 1: [(7, 8), (9, 10)]}
    arguments = workerArguments([], tmp_path / "out", segmentOfInterest=marked)
    assert marked_points(_parser().parse_args(arguments).segment_of_interest) == marked


# ---- side -----------------------------------------------------------------------------------


def finish(panel, left):
    """Let a run end whose masks show a left tree with this probability (None: it was not looked for)."""
    panel.ui.applyButton.click()
    panel.logic.running = False
    views = [panel.parameters.view0, panel.parameters.view1]
    side = None if left is None else SideFinding(left, "00")
    found = SimpleNamespace(**{**vars(phantoms.result()), "side": side, "views": with_masks(phantoms.sphereViews())})
    outputs = fillOutputs(found, views[0], views=views)
    panel.logic.call.onFinished(outputs)
    return outputs


def test_side_that_was_found_is_said_with_its_confidence(demo):
    assert demo.ui.sideFoundLabel.text().startswith("The run finds it in the masks, and asks afterwards")
    outputs = finish(demo, 0.02)
    assert demo.ui.sideFoundLabel.text() == "The masks show a right tree (probability 98.0%)."
    assert demo.ui.sideFoundLabel.isVisible() and not demo.ui.leftSideButton.isVisible()
    assert "The masks show a right tree" in demo.ui.logTextEdit.toPlainText()
    assert (
        (outputs.side.likely, outputs.side.used)
        == ("right", "right")
        == (
            sideOf(outputs.segmentation).likely,
            "right",
        )
    )
    demo.parameters.side = Side.LEFT
    assert not demo.ui.sideFoundLabel.isVisible(), "the user has said it"
    demo.ui.applyButton.click()
    assert demo.logic.call.side == "left"


def test_user_is_asked_for_a_side_that_is_not_clear(demo):
    finish(demo, 0.62)
    assert demo.ui.sideFoundLabel.text() == (
        "It is not clear whether the masks show a left or a right tree (left: 62%). Which is it?"
    )
    assert demo.ui.leftSideButton.isVisible() and demo.ui.rightSideButton.isEnabled()
    assert "Left or right? Answer in section 2." in demo.ui.statusLabel.text()
    demo.ui.rightSideButton.click()
    assert (demo.logic.call.side, demo.logic.running) == ("right", True)
    assert demo.parameters.side is Side.RIGHT and not demo.ui.leftSideButton.isVisible()


def test_side_is_forgotten_with_other_views_and_without_a_finding(demo):
    finish(demo, 0.999)
    first = demo.parameters.view0
    assert "99.9%" in demo.ui.sideFoundLabel.text()
    demo.parameters.view0 = demo.parameters.view1
    assert demo.ui.sideFoundLabel.text().startswith("The run finds it")
    demo.parameters.view0 = first
    assert demo.ui.sideFoundLabel.isVisible()
    finish(demo, None)
    assert demo.ui.sideFoundLabel.text().startswith("The run finds it")
    demo.parameters.method = "visual_hull"
    assert not demo.ui.sideFoundLabel.isVisible(), "this method does not need it"


def test_worker_says_which_side_it_found(mrml):
    pytest.importorskip("torch")
    logic, heard = ReconstructionLogic(ThreadLauncher()), []
    logic.startReconstruction(
        loadDemo(), settings={"steps": 1}, spacingMm=1.0, onProgress=lambda *_said: None, onLog=print,
        onFinished=heard.append, onFailed=lambda message, _cancelled: heard.append(message),
    )  # fmt: skip
    while logic.running:
        logic.worker._launcher.pump()
        time.sleep(0.01)
    (outputs,) = heard
    assert outputs.side.likely == "right" and 0.5 <= outputs.side.probability <= 1, outputs.side
