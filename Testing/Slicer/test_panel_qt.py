"""The panel on the real form in real Qt (PySide6, offscreen); Slicer's own widgets are stand-ins.

Proves that every widget accepts what the panel does to it. Binding of parameters to widgets is Slicer's and is
not proved here.
"""

from __future__ import annotations

import os
from types import SimpleNamespace

import mrml_phantoms as phantoms
import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
pytest.importorskip("PySide6.QtWidgets", reason="needs PySide6-Essentials", exc_type=ImportError)

from panel_stand_ins import Desktop, Logic, image
from PySide6.QtWidgets import QApplication
from XRADiffSlicerLib.Outputs import fillOutputs
from XRADiffSlicerLib.Parameters import Parameters
from XRADiffSlicerLib.Widget import Panel


@pytest.fixture
def panel(mrml):
    from panel_screenshot import loadWholeForm, widgetsOf

    application = QApplication.instance() or QApplication([])
    form = loadWholeForm()
    panel = Panel(widgetsOf(form), Logic(), Desktop())
    panel.setParameters(Parameters(mrml.AddNewNodeByClass("vtkMRMLScriptedModuleNode")))
    panel.form = form
    form.show()
    yield panel
    panel.setParameters(None)
    form.deleteLater()
    application.processEvents()


def test_whole_workflow_with_clicks(panel):
    ui, logic = panel.ui, panel.logic
    assert not ui.applyButton.isEnabled()
    assert ui.statusLabel.text() == ui.applyButton.toolTip() == "Choose the image of view 1."
    assert ui.methodSelector.currentText() == "Sparse XRA-Diff"
    panel.parameters.view0 = image("A")
    panel.parameters.view1 = image("B")
    assert ui.applyButton.isEnabled() and ui.originLabel1.text() == "from JSON: LAO 39.2°, CAU 7.9°"

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
    ui.copyLogButton.click()
    assert panel.application.copied == ["a line\nTake care."]


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
    from PySide6.QtCore import Qt
    from PySide6.QtWidgets import QAbstractButton, QAbstractSpinBox, QComboBox

    for kind in (QAbstractButton, QAbstractSpinBox, QComboBox):
        for widget in panel.form.findChildren(kind):
            if widget.objectName() and not widget.objectName().startswith("qt_"):
                assert widget.focusPolicy() & Qt.FocusPolicy.TabFocus, widget.objectName()
