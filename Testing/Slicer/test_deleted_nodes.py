"""Nodes that are deleted, or hold nothing, under the panel in each of its states."""

from __future__ import annotations

import os
from types import SimpleNamespace

import mrml_phantoms as phantoms
import numpy as np
import pytest
import slicer

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
pytest.importorskip("PySide6.QtWidgets", reason="needs PySide6-Essentials", exc_type=ImportError)

from panel_stand_ins import Logic, image
from qt_panel import application, makePanel
from run_phantoms import FACTS, drawVessel, runNode
from XRADiffSlicerLib import Masks, Runs
from XRADiffSlicerLib.Contents import contentsOf
from XRADiffSlicerLib.Geometry import FROM_JSON, storeFacts
from XRADiffSlicerLib.NodeConversion import InputNodeError, imageNodeFromView
from XRADiffSlicerLib.Outputs import Filling, fillOutputs
from XRADiffSlicerLib.Parameters import Parameters
from XRADiffSlicerLib.RunLogic import ProposedFrame

SHAPE = (40, 50)
BUTTONS = (
    "showViewsButton", "editMaskButton0", "segmentButton0", "markVesselButton0", "segmentAllButton",
    "proposeFramesButton", "swapButton1",
)  # fmt: skip


@pytest.fixture
def panel(mrml):
    """The panel with two grey runs, the frame 0 of each with a mask."""
    app = application()
    panel = makePanel(mrml, Logic(), Parameters(mrml.AddNewNodeByClass("vtkMRMLScriptedModuleNode")))
    panel.form.show()
    for index in range(2):
        run = runNode(f"run {index}", 6 + index, shape=SHAPE)
        Masks.newMask(run, 0, drawVessel(SHAPE))
        storeFacts(run, FACTS, FROM_JSON)
        setattr(panel.parameters, f"view{index}", run)
    yield panel
    panel.setParameters(None)
    panel.form.deleteLater()
    app.processEvents()


def click(panel, name):
    """Click a button as far as it can be clicked, and let what it started end without a word."""
    getattr(panel.ui, name).click()
    panel.logic.running = False
    panel.refresh()


def partOf(panel, part):
    run = panel.parameters.view0
    browser, sequence = Runs.sequenceOf(run)
    return {"image": run, "mask": panel.parameters.mask0, "browser": browser, "sequence": sequence}[part]


# ---- views ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["vtkMRMLScalarVolumeNode", "vtkMRMLVectorVolumeNode", "vtkMRMLLabelMapVolumeNode"])
def test_volume_without_an_image_is_told_and_harms_nothing(panel, mrml, kind):
    """As a scene has it whose files are gone."""
    panel.parameters.epipolarLine = True
    panel.parameters.view0 = mrml.AddNewNodeByClass(kind, "lost")
    assert panel.ui.statusLabel.text() == "View 1: lost holds no image; load it again."
    assert not any(getattr(panel.ui, name).isEnabled() for name in ("applyButton", *BUTTONS[1:4]))
    for name in BUTTONS:
        click(panel, name)
    assert panel.ui.statusLabel.text() == "View 2: lost holds no image; load it again."


def test_volume_of_many_slices_is_told_before_anything_is_pressed(panel, mrml):
    volume = mrml.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "CT")
    slicer.util.updateVolumeFromArray(volume, np.zeros((7, 4, 4), np.int16))
    panel.parameters.view0 = volume
    assert panel.ui.statusLabel.text() == "View 1: CT has 7 slices; a view is one image or a run of frames."
    assert not panel.ui.segmentButton0.isEnabled()


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("image", "Choose the image of view 1."),
        ("mask", "View 1: No mask of frame 0 yet: segment it, draw it or load one."),
        ("browser", "Ready."),  # the frame that was shown is left, with its mask and geometry
        ("sequence", "Ready."),
    ],
)
def test_part_of_a_view_is_deleted(panel, mrml, part, words):
    panel.parameters.epipolarLine = True
    node = partOf(panel, part)
    assert node is not None and panel.ui.applyButton.isEnabled()
    mrml.RemoveNode(node)
    panel.refresh()
    assert (panel.ui.statusLabel.text(), panel.ui.applyButton.isEnabled()) == (words, words == "Ready.")
    for name in BUTTONS:
        click(panel, name)


# ---- while the worker works -----------------------------------------------------------------


@pytest.mark.parametrize("part", ["image", "browser", "sequence"])
def test_run_that_is_deleted_while_frames_are_proposed(panel, mrml, part):
    panel.ui.proposeFramesButton.click()
    mrml.RemoveNode(partOf(panel, part))
    panel.logic.running = False
    curves = [tuple(np.linspace(0, 1, 6 + index)) for index in range(2)]
    panel.logic.call.onFinished([ProposedFrame(4, "best", curves[0], None), ProposedFrame(3, "like", curves[1], None)])
    assert panel.ui.statusLabel.text().startswith("Frames chosen")
    assert Runs.frameOf(panel.parameters.view1) == 3 and panel.ui.proposeFramesButton.text() == "Propose frames"


def test_views_that_are_taken_away_while_one_is_segmented(panel):
    images = [panel.parameters.view0, panel.parameters.view1]
    for index, run in enumerate(images):
        setattr(panel.parameters, f"mask{index}", None)
        assert Masks.maskOf(run, 0) is None
    panel.ui.segmentAllButton.click()
    panel.parameters.view0 = panel.parameters.view1 = None
    panel.logic.running = False
    panel.logic.call.onFinished(Masks.newMask(images[0], 0, drawVessel(SHAPE)))
    assert panel.ui.statusLabel.text() == "view 2 has no image"
    assert panel.parameters.mask0 is None and panel.ui.segmentAllButton.text() == "Segment all"


@pytest.mark.parametrize("field", ["segmentation", "probability", "model", "table"])
def test_node_that_is_deleted_while_the_result_is_taken_over(mrml, field):
    node = imageNodeFromView(phantoms.sphereViews()[0], "sphere")
    for deletedAt in range(1, 7):
        filling = Filling(contentsOf(phantoms.result()), node)
        steps = filling.steps()
        for _step in range(deletedAt):
            next(steps)
        mrml.RemoveNode(getattr(filling.outputs, field))
        with pytest.raises(InputNodeError, match="was deleted"):
            list(steps)
        assert not slicer.util.getNodes("sphere *")


def test_result_whose_first_view_was_deleted_is_shown(panel, mrml):
    outputs = fillOutputs(phantoms.result(), panel.parameters.view0)
    mrml.RemoveNode(panel.parameters.view0)
    panel.onFinished(outputs)
    assert panel.ui.statusLabel.text().startswith("Done.") and panel.ui.exportButton.isEnabled()


def test_synthetic_case_replaces_views_that_were_deleted(panel, mrml):
    panel.ui.createButton.click()
    mrml.RemoveNode(panel.parameters.view0)
    panel.logic.running = False
    views = [image("A"), image("B")]
    facts = {"side": "right", "tree": {"branches": ["RCA"]}}
    panel.logic.call.onFinished(SimpleNamespace(views=views, segmentation=None, parameters=facts))
    assert [panel.parameters.view0, panel.parameters.view1] == views and panel.ui.applyButton.isEnabled()
