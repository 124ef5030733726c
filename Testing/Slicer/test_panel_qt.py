"""The panel on the real form in real Qt (PySide6, offscreen); Slicer's own widgets are stand-ins.

Proves that every widget accepts what the panel does to it. Binding of parameters to widgets is Slicer's and is
not proved here.
"""

from __future__ import annotations

import os
from types import SimpleNamespace

import mrml_phantoms as phantoms
import numpy as np
import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
pytest.importorskip("PySide6.QtWidgets", reason="needs PySide6-Essentials", exc_type=ImportError)

from panel_stand_ins import Logic, image
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton, QAbstractSlider, QAbstractSpinBox, QComboBox, QLineEdit
from qt_panel import application, makePanel
from run_phantoms import FACTS, drawVessel, runNode
from XRADiffSlicerLib import Geometry, Masks, Runs
from XRADiffSlicerLib.Outputs import fillOutputs
from XRADiffSlicerLib.Parameters import Device, Parameters
from XRADiffSlicerLib.RunLogic import ProposedFrame


@pytest.fixture
def panel(mrml):
    app = application()
    panel = makePanel(mrml, Logic(), Parameters(mrml.AddNewNodeByClass("vtkMRMLScriptedModuleNode")))
    panel.form.show()
    yield panel
    panel.setParameters(None)
    panel.form.deleteLater()
    app.processEvents()


def test_whole_workflow_with_clicks(panel):
    ui, logic = panel.ui, panel.logic
    assert not ui.applyButton.isEnabled()
    assert ui.statusLabel.text() == ui.applyButton.toolTip() == "Choose the image of view 1."
    assert ui.methodSelector.currentText() == "Sparse XRA-Diff"
    panel.parameters.view0 = image("A")
    panel.parameters.view1 = image("B")
    assert ui.applyButton.isEnabled() and ui.originLabel1.text() == "LAO 39.2°, CAU 7.9° (JSON)"

    ui.applyButton.click()
    assert ui.applyButton.text() == "Cancel" and ui.progressBar.isVisible()
    logic.call.onProgress(0.5, "half")
    assert ui.progressBar.value() == 50 and ui.statusLabel.text() == "half"
    logic.call.onLog("a line")
    ui.applyButton.click()
    assert logic.cancelled == 1

    logic.running = False
    logic.call.onFinished(fillOutputs(phantoms.result(), panel.parameters.view0))
    assert ui.applyButton.text() == "Apply" and not ui.progressBar.isVisible()
    assert ui.statusLabel.text().startswith("Done. The result covers 99.0% and 98.0%")
    ui.showButton.click()
    ui.logGroupBox.setProperty("collapsed", False)
    ui.copyLogButton.click()
    assert panel.application.copied == ["a line\nWeights: mine.\nWarning: Take care."]


def test_synthetic_case_with_clicks(panel):
    ui, logic = panel.ui, panel.logic
    ui.createButton.click()
    assert ui.createButton.text() == "Cancel" and not ui.applyButton.isEnabled() and logic.call.side == "right"
    logic.running = False
    case = SimpleNamespace(
        views=[image("A"), image("B")],
        segmentation=None,
        parameters={"side": "right", "tree": {"branches": ["RCA"]}},
    )
    logic.call.onFinished(case)
    assert ui.createButton.text() == "Create" and ui.applyButton.isEnabled()


def test_every_input_can_be_reached_with_the_tab_key(panel):
    for kind in (QAbstractButton, QAbstractSpinBox, QAbstractSlider, QComboBox, QLineEdit):
        for widget in panel.form.findChildren(kind):
            if widget.objectName() and not widget.objectName().startswith("qt_"):
                assert widget.focusPolicy() & Qt.FocusPolicy.TabFocus, widget.objectName()


# ---- views ----------------------------------------------------------------------------------


def runs(count=2, shape=(40, 50)):
    """Grey runs of different angles with their geometry."""
    images = [runNode(f"run {index}", 6 + index, shape=shape) for index in range(count)]
    for index, node in enumerate(images):
        Geometry.storeFacts(node, {**FACTS, "primary_deg": 40.0 - 60 * index}, Geometry.FROM_DICOM)
    return images


def choose(panel, nodes):
    for index, node in enumerate(nodes):
        setattr(panel.parameters, f"view{index}", node)


def test_from_grey_runs_to_apply_with_clicks(panel):
    ui, logic, images = panel.ui, panel.logic, runs()
    choose(panel, images)
    assert not ui.applyButton.isEnabled()
    assert ui.statusLabel.text() == "View 1: No mask of frame 0 yet: segment it, draw it or load one."
    assert ui.frameSlider0.isVisible() and (ui.frameSlider0.maximum(), ui.frameSlider1.maximum()) == (5, 6)
    ui.showViewsButton.click()
    assert panel.application.images == images
    assert not ui.thumbnailLabel0.pixmap().isNull() and not ui.curveLabel0.isVisible()

    ui.proposeFramesButton.click()
    assert ui.proposeFramesButton.text() == "Cancel" and not ui.segmentButton0.isEnabled()
    assert logic.call.images == images
    logic.running = False
    curves = [tuple(index / (5 + i) for index in range(6 + i)) for i in (0, 1)]
    logic.call.onFinished([ProposedFrame(4, "best", curves[0], None), ProposedFrame(3, "matched", curves[1], None)])
    assert (Runs.frameOf(images[0]), Runs.frameOf(images[1])) == (4, 3)
    assert ui.frameSlider0.value() == 4 and ui.frameLabel0.text() == "4 of 5, 0.27 s"
    assert ui.curveLabel0.isVisible() and "frame 4: best" in ui.curveLabel0.toolTip()

    ui.frameSlider0.setValue(5)
    assert Runs.frameOf(images[0]) == 5 and "mask of frame 5" in ui.maskLabel0.text()
    ui.segmentAllButton.click()
    for index, frame in ((0, 5), (1, 3)):
        assert (logic.call.image, logic.call.frame) == (images[index], frame)
        assert ui.segmentAllButton.text() == "Cancel"
        logic.running = False
        logic.call.onFinished(Masks.newMask(images[index], frame, drawVessel((40, 50))))
    assert ui.maskLabel1.text() == f"Mask of frame 3: {drawVessel((40, 50)).sum()} pixels."
    assert ui.maskSelector1.currentNode() is Masks.maskOf(images[1], 3)
    assert ui.segmentAllButton.text() == "Segment all" and not ui.segmentAllButton.isEnabled()
    assert ui.applyButton.isEnabled()

    ui.frameSlider0.setValue(2)
    assert not ui.applyButton.isEnabled() and "There are masks of frame 5." in ui.maskLabel0.text()
    ui.frameSlider0.setValue(5)
    assert ui.applyButton.isEnabled() and ui.maskSelector0.currentNode() is Masks.maskOf(images[0], 5)
    ui.applyButton.click()
    assert logic.call.views == images


def test_segmentation_that_fails_or_is_cancelled_does_not_go_on(panel):
    choose(panel, runs())
    panel.ui.segmentAllButton.click()
    panel.ui.segmentAllButton.click()
    assert panel.logic.cancelled == 1
    panel.logic.running = False
    panel.logic.call.onFailed("cancelled", True)
    assert panel.ui.segmentAllButton.text() == "Segment all" and not panel.logic.running


def test_edit_opens_the_mask_or_an_empty_one(panel):
    images = runs()
    choose(panel, images)
    panel.ui.editMaskButton0.click()
    mask = Masks.maskOf(images[0], 0)
    assert panel.application.edited == (mask, images[0]) and mask.GetSegmentation().GetNumberOfSegments() == 1
    assert panel.ui.maskLabel0.text() == "The mask of frame 0 is empty."
    panel.ui.editMaskButton0.click()
    assert panel.application.edited[0] is mask and len(Masks.masksOf(images[0])) == 1


def test_edit_of_an_image_that_is_a_mask_begins_with_it(panel):
    choose(panel, [image("A"), image("B")])
    panel.ui.editMaskButton0.click()
    assert Masks.maskPixels(panel.application.edited[0]).tolist() == np.eye(4, dtype=bool).tolist()
    assert panel.ui.maskLabel0.text() == "Mask: 4 pixels." and panel.ui.applyButton.isEnabled()


def test_mask_of_another_image_can_be_chosen_and_taken_away(panel):
    images = runs()
    choose(panel, images)
    mask = Masks.newMask(images[0], 3, drawVessel((40, 50)))
    panel.refresh()
    ui = panel.ui
    ui.maskSelector0.setCurrentNode(mask)
    assert Masks.maskOf(images[0], 0) is mask and ui.maskLabel0.text().startswith("Mask of frame 0")
    ui.maskSelector0.setCurrentNode(None)
    assert Masks.maskOf(images[0], 0) is None and "No mask" in ui.maskLabel0.text()


def test_mask_from_a_file_and_one_that_does_not_fit(panel, tmp_path):
    import SimpleITK as sitk

    choose(panel, runs())
    path = tmp_path / "mask.png"
    sitk.WriteImage(sitk.GetImageFromArray(drawVessel((40, 50)).astype("uint8") * 255), str(path))
    panel.application.file = str(path)
    panel.ui.loadMaskButton1.click()
    assert panel.ui.maskLabel1.text() == f"Mask of frame 0: {drawVessel((40, 50)).sum()} pixels."
    sitk.WriteImage(sitk.GetImageFromArray(drawVessel((30, 50)).astype("uint8") * 255), str(path))
    panel.ui.loadMaskButton0.click()
    assert "30 x 50 pixels, run 0 has 40 x 50" in panel.ui.statusLabel.text()


def test_views_can_be_added_swapped_and_removed(panel):
    ui, images = panel.ui, runs(3)
    choose(panel, images)
    assert not ui.viewGroupBox2.isVisible() and not ui.removeViewButton0.isVisible()
    ui.addViewButton.click()
    assert ui.viewGroupBox2.isVisible() and not ui.viewGroupBox3.isVisible()
    ui.addViewButton.click()
    assert not ui.addViewButton.isEnabled() and panel.problem().startswith("View 1")
    ui.swapButton2.click()
    assert panel.views.nodes() == [images[0], images[2], images[1], None]
    assert panel.parameters.geometry1.primaryDeg == -80 and ui.originLabel1.text().startswith("RAO 80.0°")
    ui.removeViewButton0.click()
    assert panel.views.nodes() == [images[2], images[1], None]
    ui.removeViewButton2.click()
    assert panel.views.nodes() == [images[2], images[1]] and not ui.viewGroupBox2.isVisible()
    assert Geometry.factsOf(images[0])[0]["primary_deg"] == 40, "a removed view keeps what is known of it"


def test_sequence_can_be_picked_and_a_new_frame_in_slicer_is_followed(panel):
    image = runs(1)[0]
    browser, sequence = Runs.sequenceOf(image)
    panel.ui.viewSelector0.setCurrentNode(sequence)
    assert panel.parameters.view0 is image and panel.ui.viewSelector0.currentNode() is image
    browser.SetSelectedItemNumber(3)
    assert panel.ui.frameSlider0.value() == 3


def test_geometry_of_each_frame_of_a_moving_arm_is_shown(panel):
    import json

    image = runs(1)[0]
    frames = [{**FACTS, "primary_deg": 10.0 * index} for index in range(6)]
    stored = {"facts": frames[0], "origins": dict.fromkeys(FACTS, Geometry.FROM_DICOM), "frames": frames}
    Runs.homeOf(image).SetAttribute(Geometry.ATTRIBUTE, json.dumps(stored))
    panel.parameters.view0 = image
    panel.ui.frameSlider0.setValue(2)
    assert panel.ui.primarySpinBox0.value() == 20 and panel.ui.originLabel0.text() == "LAO 20.0°, CAU 7.9° (DICOM)"
    panel.ui.sidSpinBox0.setValue(1000)
    assert panel.ui.originLabel0.text().endswith("DICOM: LAO/RAO, CRA/CAU, SOD, pixel spacing; by hand: SID")
    panel.ui.frameSlider0.setValue(3)
    assert (panel.ui.primarySpinBox0.value(), panel.ui.sidSpinBox0.value()) == (30, 1000)


# ---- method ---------------------------------------------------------------------------------


def setting(panel, name):
    return {**panel.method.basic.widgets, **panel.method.more.widgets}[name]


def test_settings_are_made_from_the_config_and_kept(panel):
    ui = panel.ui
    samples = setting(panel, "samples")
    assert samples.isVisible() and samples.value() == 1 and "averaged" in samples.toolTip()
    assert not setting(panel, "precision").isVisible(), "settings that are not basic are collapsed"
    samples.setValue(4)
    setting(panel, "connect_mm").setValue(2.5)
    assert panel.method.settings() == {"samples": 4, "connect_mm": 2.5}
    setting(panel, "samples").setValue(1)
    assert panel.method.settings() == {"connect_mm": 2.5}
    ui.methodSelector.setCurrentIndex(ui.methodSelector.findText("Visual hull"))
    assert panel.method.settings() == {} and setting(panel, "tolerance_mm").value() == 0.05
    setting(panel, "output").setCurrentIndex(1)
    assert panel.method.settings() == {"output": "hard"}
    ui.methodSelector.setCurrentIndex(ui.methodSelector.findText("Sparse XRA-Diff"))
    assert setting(panel, "connect_mm").value() == 2.5
    ui.moreSettingsGroupBox.setProperty("collapsed", False)
    ui.resetSettingsButton.click()
    assert panel.method.settings() == {} and setting(panel, "connect_mm").value() == 10


def test_settings_are_given_to_the_run_and_a_wrong_one_is_told(panel):
    choose(panel, [image("A"), image("B")])
    setting(panel, "samples").setValue(3)
    panel.ui.applyButton.click()
    assert (panel.logic.call.settings, panel.logic.call.side, panel.logic.call.device) == (
        {"samples": 3},
        "auto",
        "auto",
    )
    panel.logic.running = False
    panel.ui.moreSettingsGroupBox.setProperty("collapsed", False)
    setting(panel, "tolerance_mm").setText("wide")
    setting(panel, "tolerance_mm").editingFinished.emit()
    assert "tolerance_mm" in panel.ui.statusLabel.text() and not panel.ui.applyButton.isEnabled()


def test_cost_and_device_are_told(panel):
    ui = panel.ui
    assert "GB are free" in ui.estimateLabel.text() and "About" in ui.estimateLabel.text()
    ui.methodSelector.setCurrentIndex(ui.methodSelector.findText("Visual hull"))
    assert ui.deviceLabel.text() == "CPU: this method does not use a GPU."
    panel.parameters.device = Device.CUDA
    assert "runs on the CPU only" in panel.method.problem() and "most likely fail" in ui.deviceLabel.text()


def test_every_setting_of_every_method_has_a_widget_that_takes_its_default(panel):
    from xradiff.config import describe
    from xradiff.reconstruction.registry import config_class, list_methods

    for index, spec in enumerate(list_methods()):
        panel.ui.methodSelector.setCurrentIndex(index)
        for field in describe(config_class(spec)):
            assert setting(panel, field["name"]).toolTip().startswith(field["meaning"])
        assert panel.method.settings() == {} and panel.method.problem() == ""
