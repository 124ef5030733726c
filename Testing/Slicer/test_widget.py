"""The panel's behavior, with a form of stand-in widgets and a logic that only records what it is asked."""

from __future__ import annotations

import json
from types import SimpleNamespace

import mrml_phantoms as phantoms
import pytest
from panel_stand_ins import FACTS, NAMES, Desktop, Logic, Widget, image
from XRADiffSlicerLib import Geometry, ResultViews
from XRADiffSlicerLib.Outputs import fillOutputs
from XRADiffSlicerLib.Packages import requirementsFor
from XRADiffSlicerLib.Parameters import Parameters
from XRADiffSlicerLib.ViewForm import UNKNOWN
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


def test_apply_says_what_is_missing(panel):
    ui = panel.ui
    assert not ui.applyButton.enabled
    assert ui.applyButton.toolTip == ui.statusLabel.text == "Choose the image of view 1."
    panel.parameters.view0 = image("A")
    assert ui.applyButton.toolTip == "Choose the image of view 2."
    panel.parameters.view1 = panel.parameters.view0
    assert ui.applyButton.toolTip == "Choose two different images."
    panel.parameters.view1 = image("B", None)
    assert ui.applyButton.toolTip == (
        "View 2: enter the primary angle and the secondary angle and the source-detector distance (SID) "
        "and the source-isocenter distance (SOD) and the pixel spacing."
    )
    assert not ui.applyButton.enabled


def test_apply_is_possible_with_two_complete_views(ready):
    assert ready.ui.applyButton.enabled and ready.ui.applyButton.text == "Apply"
    assert ready.ui.statusLabel.text == "Ready."


def test_geometry_of_the_node_is_shown(ready):
    pack = ready.parameters.geometry1
    assert (pack.primaryDeg, pack.sidMm, pack.rowSpacingMm, pack.columnSpacingMm) == (-38.6, 1074, 0.308, 0.308)
    assert ready.ui.originLabel0.text == "LAO 39.2°, CAU 7.9° (JSON)"
    assert ready.ui.originLabel1.text == "RAO 38.6°, CRA 6.2° (JSON)"


def test_looking_at_a_geometry_does_not_change_it(ready):
    before = [node.GetAttribute(Geometry.ATTRIBUTE) for node in (ready.parameters.view0, ready.parameters.view1)]
    ready.parameters.spacingMm = 0.7
    ready.refresh()
    assert before == [n.GetAttribute(Geometry.ATTRIBUTE) for n in (ready.parameters.view0, ready.parameters.view1)]


def test_entering_a_number_keeps_it_with_the_image(ready):
    ready.parameters.geometry0.sidMm = 1100.0
    facts, origin = Geometry.factsOf(ready.parameters.view0)
    assert (facts["sid_mm"], facts["primary_deg"], origin) == (1100, 39.2, Geometry.BY_HAND)
    assert ready.ui.originLabel0.text == (
        "LAO 39.2°, CAU 7.9°. JSON: LAO/RAO, CRA/CAU, SOD, pixel spacing; by hand: SID"
    )
    ready.parameters.view0, mine = image("C"), ready.parameters.view0
    assert ready.parameters.geometry0.sidMm == 1074
    ready.parameters.view0 = mine
    assert ready.parameters.geometry0.sidMm == 1100


def test_geometry_can_be_entered_number_by_number(panel):
    node = panel.parameters.view0 = image("A", None)
    panel.parameters.view1 = image("B")
    assert panel.ui.originLabel0.text == "Geometry not known: enter it below."
    pack = panel.parameters.geometry0
    assert all(pack.getValue(name) == value for name, value in UNKNOWN.items())
    for name, value in (("primaryDeg", 0.0), ("secondaryDeg", 30.0), ("sidMm", 1000.0), ("sodMm", 700.0)):
        assert not panel.ui.applyButton.enabled
        pack.setValue(name, value)
    pack.rowSpacingMm = 0.2
    assert panel.problem() == "View 1: enter the pixel spacing."
    pack.columnSpacingMm = 0.3
    assert panel.ui.applyButton.enabled
    assert Geometry.geometryOf(node).pixel_spacing_mm == (0.2, 0.3)
    pack.sodMm = 1200.0
    assert "must be smaller than SID" in panel.problem() and not panel.ui.applyButton.enabled


def test_more_facts_than_the_panel_shows_are_kept(ready):
    ready.parameters.view0 = image("C", {**FACTS, "roll_deg": 3.0})
    ready.parameters.geometry0.sidMm = 1100.0
    assert Geometry.geometryOf(ready.parameters.view0).roll_deg == 3


def test_geometry_from_a_file(ready, tmp_path):
    path = tmp_path / "g.json"
    path.write_text(json.dumps({"sid": 990, "sod": 700, "spacing": 0.25, "alpha": 10, "beta": 20}))
    ready.application.file = str(path)
    ready.ui.loadGeometryButton1.clicked.emit(False)
    assert ready.parameters.geometry1.sidMm == 990
    assert ready.ui.originLabel1.text == "LAO 10.0°, CRA 20.0° (JSON)"


def test_file_without_geometry_is_refused_in_one_line(ready, tmp_path):
    path = tmp_path / "g.json"
    path.write_text("[]")
    ready.application.file = str(path)
    ready.ui.loadGeometryButton0.clicked.emit(False)
    assert "must hold a JSON object" in ready.ui.statusLabel.text
    assert ready.parameters.geometry0.sidMm == 1074


def test_no_file_chosen_changes_nothing(ready):
    ready.ui.loadGeometryButton0.clicked.emit(False)
    assert ready.ui.statusLabel.text == "Ready."


def test_methods_come_from_the_registry(panel):
    from xradiff.reconstruction.registry import DEFAULT, list_methods, method_spec

    assert panel.ui.methodSelector.items == [(spec.title, spec.name) for spec in list_methods()]
    assert method_spec(DEFAULT).description in panel.ui.methodDescriptionLabel.text
    panel.ui.methodSelector.currentIndexChanged.emit(0)
    assert list_methods()[0].description in panel.ui.methodDescriptionLabel.text
    assert panel.ui.deviceLabel.text == "CPU: this method does not use a GPU."
    for choice in (0, list_methods()[0].title):
        panel.parameters.method = ""
        panel.ui.methodSelector.currentIndexChanged.emit(choice)
        assert panel.parameters.method == list_methods()[0].name


def test_apply_starts_and_becomes_cancel(ready):
    ready.parameters.spacingMm = 0.8
    ready.ui.applyButton.clicked.emit(False)
    call = ready.logic.call
    assert call.views == [ready.parameters.view0, ready.parameters.view1]
    assert (call.method, call.spacingMm, call.calibrate) == ("sparse_diffusion", 0.8, True)
    assert call.outputs.segmentation is None
    assert (ready.ui.applyButton.text, ready.ui.applyButton.enabled) == ("Cancel", True)
    call.onProgress(0.42, "intersecting")
    assert (ready.ui.progressBar.value, ready.ui.statusLabel.text) == (42, "intersecting")
    assert ready.ui.progressBar.visible
    ready.ui.applyButton.clicked.emit(False)
    assert ready.logic.cancelled == 1
    ready.logic.running = False
    call.onFailed("cancelled", True)
    assert (ready.ui.applyButton.text, ready.ui.statusLabel.text) == ("Apply", "Cancelled; nothing was changed.")
    assert not ready.ui.progressBar.visible


def test_result_is_shown_and_remembered(ready):
    ready.ui.applyButton.clicked.emit(False)
    outputs = fillOutputs(phantoms.result(), ready.parameters.view0)
    ResultViews.fillReport(outputs.segmentation, "<p>fine</p>")
    ready.logic.running = False
    ready.logic.call.onFinished(outputs)
    assert ready.parameters.outputSegmentation is outputs.segmentation
    assert ready.parameters.outputTable is outputs.table
    assert (
        ready.ui.statusLabel.text == "Done. The result covers 99.0% and 98.0% of the masks. One warning, see the log."
    )
    assert ready.application.shown == [outputs.segmentation, outputs.table, outputs.measurements]
    assert ready.ui.resultsCollapsibleButton.properties == {"collapsed": False}
    assert ready.ui.logTextEdit.lines == ["Weights: mine.", "Warning: Take care."]
    assert ready.ui.showButton.enabled and ready.ui.reportButton.enabled
    ready.ui.showButton.clicked.emit(False)
    ready.ui.reportButton.clicked.emit(False)
    ready.ui.copyLogButton.clicked.emit(False)
    assert [path.read_text() for path in ready.application.opened] == ["<p>fine</p>"]
    assert ready.application.copied == ["Weights: mine.\nWarning: Take care."]


def test_failure_is_one_line_and_in_the_log(ready):
    ready.ui.applyButton.clicked.emit(False)
    ready.logic.running = False
    ready.logic.call.onFailed("the views' cones do not meet", False)
    assert ready.ui.statusLabel.text == "the views' cones do not meet"
    assert ready.ui.logTextEdit.lines == ["the views' cones do not meet"]
    assert ready.ui.applyButton.text == "Apply" and ready.ui.applyButton.enabled


@pytest.mark.parametrize("declined", [True, False])
def test_run_that_cannot_start_says_why(ready, declined):
    ready.application.declined = declined
    ready.logic.refuse = None if declined else ValueError("A is a color image")
    ready.ui.applyButton.clicked.emit(False)
    expected = "the installation was declined" if declined else "A is a color image"
    assert ready.ui.statusLabel.text == expected
    assert ready.ui.applyButton.text == "Apply"


def test_apply_with_the_visual_hull_asks_for_nothing(ready):
    ready.parameters.method = "visual_hull"
    ready.ui.applyButton.clicked.emit(False)
    assert ready.application.ensured == [()]
    assert requirementsFor(()) == []


def test_deleted_node_disables_apply(ready, mrml):
    mrml.RemoveNode(ready.parameters.view1)
    ready.refresh()
    assert ready.ui.applyButton.toolTip == "Choose the image of view 2."


def test_closing_scene_lets_go_of_the_parameters(ready):
    parameters = ready.parameters
    ready.setParameters(None)
    assert parameters.guis == 0 and not ready.ui.applyButton.enabled
    parameters.spacingMm = 1.0
    assert ready.parameters is None
