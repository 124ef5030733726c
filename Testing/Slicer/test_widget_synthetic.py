"""The panel's section of synthetic cases, with a form of stand-in widgets and a logic that only records."""

from __future__ import annotations

from types import SimpleNamespace

import mrml_phantoms as phantoms
import pytest
from panel_stand_ins import FACTS, NAMES, Desktop, Logic, Widget, image
from XRADiffSlicerLib.Outputs import fillOutputs
from XRADiffSlicerLib.Parameters import Parameters, SyntheticMotion, SyntheticPoses, SyntheticSide
from XRADiffSlicerLib.Widget import Panel


@pytest.fixture
def panel(mrml):
    ui = SimpleNamespace(**{name: Widget() for name in NAMES})
    panel = Panel(ui, Logic(), Desktop())
    panel.setParameters(Parameters(mrml.AddNewNodeByClass("vtkMRMLScriptedModuleNode")))
    return panel


@pytest.fixture
def ready(panel):
    panel.parameters.view0 = image("A")
    panel.parameters.view1 = image("B", {**FACTS, "primary_deg": -38.6, "secondary_deg": 6.2})
    return panel


def test_create_starts_and_becomes_cancel(ready):
    ready.parameters.syntheticSide, ready.parameters.syntheticMotion = SyntheticSide.LEFT, SyntheticMotion.HEART
    ready.parameters.syntheticCorruption, ready.parameters.syntheticFrames = 0.25, 12
    ready.parameters.syntheticSeed = 7
    ready.ui.createButton.clicked.emit(False)
    call = ready.logic.call
    assert (call.side, call.poses, call.motion) == ("left", "clinical", "heart")
    assert (call.corruption, call.frames, call.seed) == (0.25, 12, 7)
    assert (ready.ui.createButton.text, ready.ui.createButton.enabled) == ("Cancel", True)
    assert (ready.ui.applyButton.text, ready.ui.applyButton.enabled) == ("Apply", False)
    assert ready.ui.progressBar.visible and ready.ui.statusLabel.text == "Starting..."
    ready.ui.createButton.clicked.emit(False)
    assert ready.logic.cancelled == 1
    ready.logic.running = False
    call.onFailed("cancelled", True)
    assert (ready.ui.createButton.text, ready.ui.applyButton.enabled) == ("Create", True)
    assert ready.ui.statusLabel.text == "Cancelled; nothing was changed."


def test_create_is_off_while_a_reconstruction_runs(ready):
    ready.ui.applyButton.clicked.emit(False)
    assert not ready.ui.createButton.enabled and ready.ui.applyButton.text == "Cancel"


def test_created_case_is_chosen_and_can_be_applied_at_once(panel):
    panel.ui.createButton.clicked.emit(False)
    case = SimpleNamespace(
        views=[image("A"), image("B", {**FACTS, "primary_deg": -38.6})],
        segmentation="truth",
        parameters={"side": "right", "tree": {"branches": ["RCA", "PDA"]}},
    )
    panel.logic.running = False
    panel.logic.call.onFinished(case)
    assert [panel.parameters.view0, panel.parameters.view1] == case.views
    assert panel.ui.applyButton.enabled and panel.ui.createButton.text == "Create"
    assert panel.ui.statusLabel.text == "Synthetic case created and chosen as views; Apply reconstructs it."
    assert panel.ui.logTextEdit.lines == ["Synthetic right tree: RCA, PDA"]
    assert panel.application.shown == ["truth"] and panel.ui.originLabel1.text.startswith("RAO")


def test_case_that_cannot_be_made_says_why(panel):
    panel.logic.refuse = ValueError("motion 'image' moves a mask")
    panel.ui.createButton.clicked.emit(False)
    assert panel.ui.statusLabel.text == "motion 'image' moves a mask"
    assert panel.ui.createButton.text == "Create" and panel.ui.createButton.enabled


def test_result_of_a_synthetic_case_is_compared_with_its_truth(ready):
    ready.ui.applyButton.clicked.emit(False)
    outputs = fillOutputs(phantoms.result(), ready.parameters.view0)
    assert outputs.truthDice is None
    outputs.truthDice = 0.4321
    ready.logic.running = False
    ready.logic.call.onFinished(outputs)
    assert ready.ui.statusLabel.text.endswith("of the masks. Dice with the truth: 0.432. One warning, see the log.")
    assert "Dice with the truth: 0.432." in ready.ui.logTextEdit.lines


def test_words_of_the_panel_are_known_to_the_core():
    from xradiff.synthetic.case import CaseOptions

    for side in SyntheticSide:
        assert CaseOptions(side=side.value) and side.label()
    for poses in SyntheticPoses:
        assert CaseOptions(poses=poses.value) and poses.label()
    for motion in SyntheticMotion:
        assert CaseOptions(motion=motion.value) and motion.label()
