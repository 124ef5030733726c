"""The module while scenes come and go: saved and opened again, closed, reloaded, twice, without a main window."""

from __future__ import annotations

import re
import sys
from types import SimpleNamespace
from typing import ClassVar

import mrml_phantoms as phantoms
import numpy as np
import pytest
import slicer
from conftest import MODULE
from panel_stand_ins import NAMES, Desktop, Logic, Views, Widget, image
from XRADiffSlicerLib import Layout, Masks, ResultViews, VesselMarks
from XRADiffSlicerLib.Contents import contentsOf
from XRADiffSlicerLib.EpipolarLine import positionOf
from XRADiffSlicerLib.Geometry import BY_HAND, storeFacts
from XRADiffSlicerLib.NodeConversion import imageFromNode, imageNodeFromView, sparseFromVolume
from XRADiffSlicerLib.Outputs import UNCERTAINTY_ROLE, Filling, fillOutputs
from XRADiffSlicerLib.Parameters import Parameters
from XRADiffSlicerLib.Results import ResultsSection
from XRADiffSlicerLib.Widget import Panel

OUTPUTS = {"outputSegmentation": "segmentation", "outputProbability": "probability", "outputModel": "model"}


@pytest.fixture(scope="module")
def found():
    from xradiff.pipeline import reconstruct

    result = reconstruct(phantoms.sphereViews(), method="visual_hull", calibrate_mode="off", spacing_mm=1.0)
    return SimpleNamespace(**{**vars(result), "uncertainty": result.probability})


def panelOf(parameters):
    panel = Panel(SimpleNamespace(**{name: Widget() for name in NAMES}), Logic(), Desktop())
    panel.setParameters(parameters)
    return panel


def singleton(scene):
    node = slicer.vtkMRMLScriptedModuleNode()
    node.SetSingletonTag("XRADiffSlicer")
    return scene.AddNode(node)


# ---- save and load --------------------------------------------------------------------------


def reopened(scene, path, applicationLogic):
    """Write the scene as an MRB, close it, and read the bundle into the empty scene, as File > Open does."""
    scene.SetRootDirectory(str(path.parent))
    assert scene.WriteToMRB(str(path), None)
    scene.Clear(0)
    cache = slicer.vtkCacheManager()
    (path.parent / "cache").mkdir()
    cache.SetRemoteCacheDirectory(str(path.parent / "cache"))
    cache.SetMRMLScene(scene)
    scene.SetCacheManager(cache)
    manager = slicer.vtkDataIOManager()
    manager.SetCacheManager(cache)
    scene.SetDataIOManager(manager)
    assert scene.ReadFromMRB(str(path), True)
    scene.keepAlive = (cache, manager)


def test_saved_result_opens_ready(mrml, applicationLogic, found, tmp_path):
    """Views, geometry, overlays, calibrated poses, uncertainty and report are found again, and can be worked with."""
    nodes = [imageNodeFromView(view, view.name) for view in phantoms.sphereViews()]
    outputs = fillOutputs(found, nodes[0], views=nodes)
    ResultViews.fillReport(outputs.segmentation, "<p>Käthe " + "x" * 100_000 + "</p>")
    parameters = singleton(mrml)
    for name, field in OUTPUTS.items():
        parameters.SetNodeReferenceID(name, getattr(outputs, field).GetID())
    labels = [imageFromNode(overlay) for overlay in outputs.overlays]
    poses = [ResultViews.acquisitionOf(overlay) for overlay in outputs.overlays]
    voxels = sparseFromVolume(outputs.probability).points_lps_mm()

    reopened(mrml, tmp_path / "saved.mrb", applicationLogic)

    node = mrml.GetSingletonNode("XRADiffSlicer", "vtkMRMLScriptedModuleNode")
    parameters = Parameters(node)
    segmentation = parameters.outputSegmentation
    assert segmentation.GetSegmentation().GetNumberOfSegments() == 1
    overlays = ResultViews.overlaysOf(segmentation)
    for overlay, before, pose, name in zip(overlays, labels, poses, ("sphere 0", "sphere 1"), strict=True):
        np.testing.assert_array_equal(imageFromNode(overlay), before)
        assert ResultViews.acquisitionOf(overlay) == pose and ResultViews.viewOf(overlay).GetName() == name
        assert overlay.GetDisplayNode().GetColorNode().GetName() == ResultViews.COLOR_NAME
    assert ResultViews.reportOf(segmentation) == "<p>Käthe " + "x" * 100_000 + "</p>"
    np.testing.assert_allclose(sparseFromVolume(parameters.outputProbability).points_lps_mm(), voxels, atol=1e-4)
    assert parameters.outputProbability.GetNodeReference(UNCERTAINTY_ROLE) is not None
    assert parameters.outputModel.GetPolyData().GetPointData().HasArray("Uncertainty")

    ui = SimpleNamespace(**{name: Widget() for name in NAMES})
    section = ResultsSection(ui, Desktop(Views(applicationLogic)), print)
    section.setParameters(parameters)
    (measurements,) = section.application.shown
    assert measurements.GetCellText(0, 0) == "Volume" and float(measurements.GetCellText(0, 1)) > 100
    assert all(button.enabled for button in (ui.layoutButton, ui.reportButton, ui.exportButton, ui.coloringSelector))
    section.onLayout()
    assert Layout.compositeOf("XRADiff2").GetLabelVolumeID() == overlays[1].GetID()
    parameters.virtualPrimaryDeg = 20.0
    section.refresh()
    assert imageFromNode(segmentation.GetNodeReference(ResultViews.VIRTUAL_ROLE)).any()


def test_looking_at_an_opened_scene_changes_nothing(mrml, found):
    nodes = [imageNodeFromView(view, view.name) for view in phantoms.sphereViews()]
    outputs = fillOutputs(found, nodes[0], views=nodes)
    parameters = Parameters(singleton(mrml))
    parameters.outputSegmentation, parameters.outputModel = outputs.segmentation, outputs.model
    count, hidden = mrml.GetNumberOfNodes(), outputs.model.GetDisplayNode().GetVisibility()
    panelOf(parameters).setParameters(None)
    assert mrml.GetNumberOfNodes() == count and outputs.model.GetDisplayNode().GetVisibility() == hidden


def test_scene_saved_in_mid_work_opens_ready(mrml, applicationLogic, found, tmp_path):
    """Saved while a result is taken over: views, geometry, masks and marks are there, and Apply is possible."""
    nodes = [imageNodeFromView(view, view.name) for view in phantoms.sphereViews()]
    for node, view in zip(nodes, phantoms.sphereViews(), strict=True):
        taken = view.acquisition
        facts = {name: getattr(taken, name) for name in ("primary_deg", "secondary_deg", "sid_mm", "sod_mm")}
        storeFacts(node, {**facts, "pixel_spacing_mm": list(taken.pixel_spacing_mm)}, BY_HAND)
        mask = Masks.newMask(node, 0, imageFromNode(node) > 0)
        marks = VesselMarks.newMarks(node, 0)
        for pixel in ((70.0, 90.0), (80.0, 95.0)):
            marks.AddControlPoint(*positionOf(node, pixel))
    parameters = singleton(mrml)
    for index, node in enumerate(nodes):
        parameters.SetNodeReferenceID(f"view{index}", node.GetID())
    steps = Filling(contentsOf(found), nodes[0], None, nodes, "report").steps()
    for _step in range(4):
        next(steps)
    assert mask.GetScene() is not None
    reopened(mrml, tmp_path / "saved.mrb", applicationLogic)

    panel = panelOf(Parameters(mrml.GetSingletonNode("XRADiffSlicer", "vtkMRMLScriptedModuleNode")))
    assert panel.problem() == "" and panel.ui.applyButton.enabled and not panel.ui.progressBar.visible
    assert panel.ui.originLabel0.text == "LAO 35.0°, CAU 8.0° (by hand)"
    assert panel.ui.maskLabel1.text.startswith("Mask: ") and panel.ui.vesselLabel0.text == "2 points"
    panel.onApply()
    np.testing.assert_allclose(panel.logic.call.segmentOfInterest[1], [(70, 90), (80, 95)], atol=1e-3)
    assert [view.GetName() for view in panel.logic.call.views] == ["sphere 0", "sphere 1"]


# ---- nodes deleted under it -----------------------------------------------------------------


@pytest.mark.parametrize("field", ["segmentation", "probability", "model", "table", "overlay", "view"])
def test_any_node_of_a_result_may_be_deleted(mrml, applicationLogic, found, field):
    nodes = [imageNodeFromView(view, view.name) for view in phantoms.sphereViews()]
    outputs = fillOutputs(found, nodes[0], views=nodes)
    parameters = Parameters(singleton(mrml))
    parameters.outputSegmentation, parameters.outputModel = outputs.segmentation, outputs.model
    parameters.outputProbability, parameters.outputTable = outputs.probability, outputs.table
    section = ResultsSection(
        SimpleNamespace(**{name: Widget() for name in NAMES}), Desktop(Views(applicationLogic)), print
    )
    section.setParameters(parameters)
    section.onLayout()
    node = {"overlay": outputs.overlays[0], "view": nodes[0]}.get(field) or getattr(outputs, field)
    mrml.RemoveNode(node)
    parameters.virtualPrimaryDeg = 33.0
    section.refresh()
    section.onLayout()
    section.onCamera()
    section.onShow()
    section.onReport()
    again = fillOutputs(found, nodes[0], outputs, nodes)
    assert mrml.IsNodePresent(again.segmentation) and mrml.IsNodePresent(again.probability)
    assert len(again.overlays) == 2


# ---- module ---------------------------------------------------------------------------------


@pytest.fixture
def module(mrml, monkeypatch):
    app = SimpleNamespace(
        connect=lambda *_args: None, layoutManager=lambda: None, userSettings=lambda: Settings(), applicationLogic=None
    )
    monkeypatch.setattr(slicer, "app", app, raising=False)
    monkeypatch.setattr(slicer.util, "mainWindow", lambda: None, raising=False)
    monkeypatch.delitem(sys.modules, "XRADiffSlicer", raising=False)
    import XRADiffSlicer

    yield XRADiffSlicer
    while MADE:
        MADE.pop().removeObservers()


MADE = []


class Settings:
    stored: ClassVar[dict] = {}

    def value(self, name):
        return self.stored.get(name)

    def setValue(self, name, value):
        self.stored[name] = value

    def sync(self):
        pass


@pytest.fixture
def widget(module, monkeypatch):
    return makeWidget(module, monkeypatch)


def makeWidget(module, monkeypatch):
    """The widget as Slicer makes it (no main window, WITH_GENERIC_TESTS): with the forms' names and no Qt."""
    ui = SimpleNamespace(**{name: Widget() for name in NAMES})
    form = SimpleNamespace(setMRMLScene=lambda _scene: None)
    monkeypatch.setattr(slicer.util, "loadUI", lambda _path: form, raising=False)
    monkeypatch.setattr(slicer.util, "childWidgetVariables", lambda _form: ui, raising=False)
    for name in ("settingWidgets", "setSetting", "showPicture"):
        monkeypatch.setattr(f"XRADiffSlicerLib.Application.Application.{name}", getattr(Desktop, name))
    made = module.XRADiffSlicerWidget(SimpleNamespace(isEntered=True))
    made.layout = SimpleNamespace(addWidget=lambda _widget: None)
    made.resourcePath = lambda name: str(MODULE / "Resources" / name)
    MADE.append(made)
    made.setup()
    return made


def test_module_starts_and_ends_without_a_main_window(module, widget):
    module.onStartup()
    widget.enter()
    widget.exit()
    assert widget.panel.parameters is None
    widget.enter()
    assert widget.panel.parameters is not None
    widget.cleanup()
    assert widget.panel.parameters is None


def test_closing_the_scene_starts_afresh(mrml, widget):
    widget.panel.parameters.view0 = image("A")
    before = widget.panel.parameters
    mrml.Clear(0)
    assert widget.panel.parameters is not None and widget.panel.parameters is not before
    assert widget.panel.parameters.view0 is None
    assert widget.panel.ui.statusLabel.text == "Choose the image of view 1."
    assert before.guis == 0


def test_closing_the_scene_in_mid_work_leaves_no_trace_in_the_panel(mrml, widget, monkeypatch):
    facts = {"primary_deg": 35, "secondary_deg": 8, "sid_mm": 1000, "sod_mm": 700, "pixel_spacing_mm": 0.3}
    widget.panel.parameters.view0, widget.panel.parameters.view1 = image("A", facts), image("B", facts)
    ended = []

    def start(_views, **_options):
        widget.logic.worker = SimpleNamespace(running=True, abort=lambda: ended.append(widget.logic.worker))

    monkeypatch.setattr(widget.logic, "startReconstruction", start)
    monkeypatch.setattr("XRADiffSlicerLib.Application.Application.ensureInstalled", lambda *_given: None)
    widget.panel.onApply()
    assert widget.panel.ui.applyButton.text == "Cancel" and widget.panel.ui.progressBar.visible
    widget.logic.worker.abort = lambda: (ended.append(True), setattr(widget.logic.worker, "running", False))
    mrml.Clear(0)
    ui = widget.panel.ui
    assert ended == [True]
    assert (ui.applyButton.text, ui.applyButton.enabled, ui.progressBar.visible) == ("Apply", False, False)
    assert ui.statusLabel.text == "Choose the image of view 1."


def test_opening_a_scene_over_it_shows_the_parameters_of_that_scene(mrml, widget, tmp_path):
    other = slicer.vtkMRMLScene()
    node = slicer.vtkMRMLScriptedModuleNode()
    node.SetSingletonTag("XRADiffSlicer")
    volume = other.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "loaded")
    other.AddNode(node).SetNodeReferenceID("view0", volume.GetID())
    other.SetURL(str(tmp_path / "scene.mrml"))
    other.Commit()
    mrml.SetURL(str(tmp_path / "scene.mrml"))
    mrml.Connect()
    assert widget.panel.parameters.view0.GetName() == "loaded"


def test_leaving_the_module_lets_a_run_go_on(widget):
    widget.logic.worker = SimpleNamespace(running=True, abort=lambda: None, cancel=lambda: None)
    widget.exit()
    assert widget.panel.parameters is not None


def test_two_panels_share_the_parameters_and_not_the_work(mrml, module, monkeypatch):
    first, second = makeWidget(module, monkeypatch), makeWidget(module, monkeypatch)
    first.panel.parameters.view0 = image("A")
    assert second.panel.parameters.view0.GetName() == "A"
    first.logic.worker = SimpleNamespace(running=True, abort=lambda: None)
    assert first.logic.running and not second.logic.running
    first.logic.worker = None
    first.cleanup()
    assert second.panel.parameters.view0.GetName() == "A"


def test_parameters_that_are_deleted_begin_afresh(mrml, widget):
    widget.panel.parameters.view0 = image("A")
    before = widget.panel.parameters
    mrml.RemoveNode(before.parameterNode)
    panel = widget.panel
    assert panel.parameters is not before and panel.parameters.parameterNode.GetScene() is mrml
    assert panel.ui.statusLabel.text == "Choose the image of view 1."
    panel.parameters.view0 = image("B")
    assert panel.ui.statusLabel.text == "Choose the image of view 2."
    mrml.RemoveNode(image("other"))
    assert panel.parameters.view0.GetName() == "B"


def test_run_outlives_its_parameters(mrml, module, monkeypatch):
    """The result goes into the new parameters, which two panels share; both can be worked with."""
    first, second = makeWidget(module, monkeypatch), makeWidget(module, monkeypatch)
    facts = {"primary_deg": 35, "secondary_deg": 8, "sid_mm": 1000, "sod_mm": 700, "pixel_spacing_mm": 0.3}
    parameters = first.panel.parameters
    parameters.view0, parameters.view1 = image("A", facts), image("B", facts)
    calls = []

    def start(_views, **call):
        calls.append(call)
        first.logic.worker = SimpleNamespace(running=True, abort=lambda: None)

    monkeypatch.setattr(first.logic, "startReconstruction", start)
    monkeypatch.setattr("XRADiffSlicerLib.Application.Application.ensureInstalled", lambda *_given: None)
    monkeypatch.setattr("XRADiffSlicerLib.Application.Application.showSegmentation", lambda *_given: None)
    monkeypatch.setattr("XRADiffSlicerLib.Application.Application.showTable", lambda *_given: None)
    first.panel.onApply()
    mrml.RemoveNode(parameters.parameterNode)
    assert first.panel.parameters.parameterNode is second.panel.parameters.parameterNode
    assert first.panel.ui.applyButton.text == "Cancel" and second.panel.ui.applyButton.text == "Apply"
    calls[0]["onProgress"](0.5, "half")
    first.logic.worker = None
    outputs = fillOutputs(phantoms.result(), image("C"))
    calls[0]["onFinished"](outputs)
    assert first.panel.ui.statusLabel.text.startswith("Done.") and first.panel.ui.applyButton.text == "Apply"
    assert second.panel.parameters.outputSegmentation is outputs.segmentation
    assert second.panel.ui.exportButton.enabled


def test_parameters_deleted_while_the_module_is_left_are_made_when_it_is_entered(mrml, widget):
    node = widget.panel.parameters.parameterNode
    widget.exit()
    mrml.RemoveNode(node)
    assert widget.panel.parameters is None
    widget.enter()
    assert widget.panel.parameters.parameterNode.GetScene() is mrml


def test_reload_ends_what_runs(widget, monkeypatch):
    ended = []
    widget.logic.worker = SimpleNamespace(running=True, abort=lambda: ended.append(True))
    kept = {name: value for name, value in sys.modules.items() if re.match(r"XRADiffSlicerLib|xradiff", name)}
    try:
        widget.onReload()
    finally:
        sys.modules.update(kept)
    assert ended == [True] and widget.panel.parameters is None


def test_restart_for_an_installation_comes_back_to_the_module(module, monkeypatch):
    chosen = []
    monkeypatch.setattr(slicer.util, "selectModule", chosen.append, raising=False)
    monkeypatch.setattr(Settings, "stored", {"XRADiffSlicer/ResumeAfterRestart": "1 unet3d"})
    module.onStartup()
    assert chosen == []  # without a main window there is no panel to come back to
    monkeypatch.setattr(slicer.util, "mainWindow", lambda: object())
    module.onStartup()
    assert chosen == ["XRADiffSlicer"]
    widget = makeWidget(module, monkeypatch)
    assert widget.panel.parameters.method == "unet3d"
    assert "then press Apply" in widget.panel.ui.statusLabel.text
    assert Settings.stored["XRADiffSlicer/ResumeAfterRestart"] == ""
