"""Draw the panel after a run on the bundled case: python Testing/Slicer/panel_screenshot.py OUT.png [light|dark].

The form is the real Resources/UI/XRADiffSlicer.ui; Qt is real (PySide6, offscreen). Widgets of Slicer and
CTK are stand-ins that look alike, so the picture does not prove that Slicer's own widgets behave.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
import types
from pathlib import Path
from types import SimpleNamespace
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import Property, QBuffer, QChildEvent, QIODevice, QObject, Qt, Signal
from PySide6.QtGui import QColor, QFont, QPalette, QStandardItem, QStandardItemModel
from PySide6.QtUiTools import QUiLoader
from PySide6.QtWidgets import (
    QApplication,
    QComboBox,
    QDoubleSpinBox,
    QGroupBox,
    QHeaderView,
    QTableView,
    QToolButton,
    QWidget,
)

MODULE = Path(__file__).resolve().parents[2] / "XRADiffSlicer"
FORM = MODULE / "Resources" / "UI" / "XRADiffSlicer.ui"
WIDTH = 440
if sys.version_info < (3, 12):  # PySide6 6.12 takes these for immortal, as they are from 3.12 on, and lets them die
    for constant in (None, True, False):
        ctypes.c_ssize_t.from_address(id(constant)).value += 1 << 40


class CollapsibleButton(QWidget):
    """Stand-in for ctkCollapsibleButton: a heading above its contents."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.heading = QToolButton(self)
        self.heading.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.heading.setArrowType(Qt.ArrowType.DownArrow)
        self.setContentsMargins(0, 26, 0, 0)

    def setHeading(self, text: str) -> None:
        self.heading.setText(text)

    def resizeEvent(self, event: object) -> None:
        self.heading.setGeometry(0, 0, self.width(), 24)


class CollapsibleGroupBox(QGroupBox):
    """Stand-in for ctkCollapsibleGroupBox."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.toggled.connect(self.showContents)

    def isCollapsed(self) -> bool:
        return not self.isChecked()

    def setCollapsed(self, collapsed: bool) -> None:
        self.setChecked(not collapsed)

    collapsed = Property(bool, isCollapsed, setCollapsed)

    def showContents(self, shown: bool) -> None:
        for child in self.children():
            if isinstance(child, QWidget):
                child.setVisible(shown)
        self.setMaximumHeight(16777215 if shown else 22)

    def childEvent(self, event: QChildEvent) -> None:
        super().childEvent(event)
        if event.added() and self.isCollapsed() and isinstance(event.child(), QWidget):
            event.child().setVisible(False)


class SliderWidget(QDoubleSpinBox):
    """Stand-in for ctkSliderWidget: only its number."""


class NodeComboBox(QComboBox):
    """Stand-in for qMRMLNodeComboBox: lists the nodes of its types when it is asked for one."""

    currentNodeChanged = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.scene: Any = None
        self.activated.connect(lambda _index: self.currentNodeChanged.emit(self.currentNode()))

    def setMRMLScene(self, scene: Any) -> None:
        self.scene = scene

    def nodes(self) -> list[Any]:
        kinds = self.property("nodeTypes") or []
        scene = self.scene
        found = [scene.GetNthNode(i) for i in range(scene.GetNumberOfNodes())] if scene is not None else []
        return [node for node in found if node.GetClassName() in kinds and not node.GetHideFromEditors()]

    def setCurrentNode(self, node: Any) -> None:
        nodes = self.nodes()
        before = self.currentNode()
        self.clear()
        self.addItem(str(self.property("noneDisplay") or "None"))
        for one in nodes:
            self.addItem(one.GetName(), one.GetID())
        self.setCurrentIndex(nodes.index(node) + 1 if node in nodes else 0)
        if before is not self.currentNode():
            self.currentNodeChanged.emit(self.currentNode())

    def currentNode(self) -> Any:
        return self.scene.GetNodeByID(self.currentData()) if self.currentIndex() > 0 else None


class MRMLWidget(QWidget):
    """Stand-in for qMRMLWidget."""

    mrmlSceneChanged = Signal(object)

    def setMRMLScene(self, scene: object) -> None:
        for child in self.findChildren(NodeComboBox):
            child.setMRMLScene(scene)


STAND_INS = {
    "ctkCollapsibleButton": CollapsibleButton,
    "ctkCollapsibleGroupBox": CollapsibleGroupBox,
    "ctkSliderWidget": SliderWidget,
    "qMRMLNodeComboBox": NodeComboBox,
    "qMRMLTableView": QTableView,
    "qMRMLWidget": MRMLWidget,
}


class Loader(QUiLoader):
    """Loads the form with stand-ins in place of the widgets of Slicer and CTK."""

    def createWidget(self, className: str, parent: QWidget | None = None, name: str = "") -> QWidget:
        if className not in STAND_INS:
            return super().createWidget(className, parent, name)
        widget = STAND_INS[className](parent)
        widget.setObjectName(name)
        return widget


def loadUI(path: str) -> QWidget:
    """Stand-in for slicer.util.loadUI. Connections of the scene carry MRML types, which Qt alone cannot make."""
    text = re.sub(r"<connections>.*</connections>", "", Path(path).read_text(encoding="utf-8"), flags=re.DOTALL)
    buffer = QBuffer()
    buffer.setData(text.encode())
    buffer.open(QIODevice.OpenModeFlag.ReadOnly)
    return Loader().load(buffer, None)


def childWidgetVariables(widget: QWidget) -> SimpleNamespace:
    """Stand-in for slicer.util.childWidgetVariables."""
    children = widget.findChildren(QObject)
    return SimpleNamespace(**{child.objectName(): child for child in children if child.objectName()})


def loadForm(scene: Any = None) -> QWidget:
    """Return the whole form as the module makes it; an application must exist."""
    import slicer

    sys.path.insert(0, str(MODULE))
    from XRADiffSlicerLib import Sections

    slicer.util.childWidgetVariables = childWidgetVariables
    return Sections.loadForm(loadUI, lambda name: str(MODULE / "Resources" / name), scene)


def qtModule() -> types.ModuleType:
    """Stand-in for the module `qt` of PythonQt: the same classes under their names."""

    def find(name: str) -> Any:
        for part in (QtCore, QtGui, QtWidgets):
            if hasattr(part, name):
                return getattr(part, name)
        raise AttributeError(name)

    module = types.ModuleType("qt")
    module.__getattr__ = find  # type: ignore[method-assign]
    return module


def reconstructDemo() -> tuple[list, object, object]:
    """Return the bundled case's views, the method's description and the result, as Apply makes them."""
    sys.path.insert(0, str(MODULE))
    from xradiff.pipeline import reconstruct
    from xradiff.reconstruction.registry import DEFAULT, method_spec
    from xradiff.views import read_view

    demo = MODULE / "Resources" / "SampleData" / "demo"
    views = [
        read_view(demo / f"view{index}.png", demo / f"view{index}.json", name=f"Demo view {index}") for index in (0, 1)
    ]
    return views, method_spec(DEFAULT), reconstruct(views)


def fill(form: QWidget) -> None:
    """Show a finished run on the bundled case, with the numbers that this run gave."""
    views, method, result = reconstructDemo()

    def find(name: str) -> QObject:
        return form.findChild(QObject, name)

    for name, text in (
        ("viewsCollapsibleButton", "1. Views"),
        ("reconstructionCollapsibleButton", "2. Reconstruction"),
        ("resultsCollapsibleButton", "3. Results"),
        ("syntheticCollapsibleButton", "Synthetic case"),
    ):
        find(name).setHeading(text)
    for index, view in enumerate(views):
        taken = view.acquisition
        find(f"viewSelector{index}").addItem(view.name)
        for name, value in (
            ("primary", taken.primary_deg),
            ("secondary", taken.secondary_deg),
            ("sid", taken.sid_mm),
            ("sod", taken.sod_mm),
            ("rowSpacing", taken.pixel_spacing_mm[0]),
            ("columnSpacing", taken.pixel_spacing_mm[1]),
        ):
            find(f"{name}SpinBox{index}").setValue(value)
        primary = f"{'LAO' if taken.primary_deg >= 0 else 'RAO'} {abs(taken.primary_deg):.1f}°"
        secondary = f"{'CRA' if taken.secondary_deg >= 0 else 'CAU'} {abs(taken.secondary_deg):.1f}°"
        find(f"originLabel{index}").setText(f"from JSON: {primary}, {secondary}")
        find(f"loadGeometryButton{index}").setEnabled(True)
    find("methodSelector").addItem(method.title)
    about = f"About {method.seconds_cpu:g} s and {method.memory_gb:g} GB of memory."
    find("methodDescriptionLabel").setText(f"{method.description} {about}")
    find("deviceLabel").setText("CPU: this PyTorch was built for the CPU only")
    find("applyButton").setEnabled(True)
    find("progressBar").setVisible(False)
    fits = " and ".join(f"{fit.coverage:.1%}" for fit in result.fits)
    find("statusLabel").setText(f"Done. The result covers {fits} of the masks.")
    find("logGroupBox").setCollapsed(True)
    for name, kind in (("segmentation", "segmentation"), ("probability", "probability"), ("model", "surface")):
        find(f"{name}Selector").addItem(f"Demo view 0 {kind}")
    find("tableSelector").addItem("Demo view 0 reprojection fit")
    for name in ("showButton", "reportButton"):
        find(name).setEnabled(True)
    _fillTable(find("fitTableView"), result.fits)
    # what the parameters put there: the first words of Parameters.SyntheticSide, -Poses and -Motion
    for name, text in (("Side", "Right coronary artery"), ("Poses", "Clinical routine"), ("Motion", "None")):
        find(f"synthetic{name}Selector").addItem(text)


def _fillTable(view: QTableView, fits: tuple) -> None:
    model = QStandardItemModel(view)
    model.setHorizontalHeaderLabels(["View", "Coverage", "Precision", "Dice", "CD (px)", "CD (mm)"])
    for fit in fits:
        numbers = (fit.coverage, fit.precision, fit.dice, fit.chamfer_px, fit.chamfer_mm)
        row = [fit.view_name, *(f"{number:.3f}" for number in numbers)]
        model.appendRow([QStandardItem(text) for text in row])
    view.setModel(model)
    view.verticalHeader().hide()
    view.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
    view.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)


def darken(application: QApplication) -> None:
    """Use a palette like Slicer's dark style."""
    palette = QPalette()
    for role, color in (
        (QPalette.ColorRole.Window, "#2d2d2d"),
        (QPalette.ColorRole.WindowText, "#e6e6e6"),
        (QPalette.ColorRole.Base, "#1f1f1f"),
        (QPalette.ColorRole.AlternateBase, "#2a2a2a"),
        (QPalette.ColorRole.Text, "#e6e6e6"),
        (QPalette.ColorRole.Button, "#3a3a3a"),
        (QPalette.ColorRole.ButtonText, "#e6e6e6"),
        (QPalette.ColorRole.Highlight, "#3d7ebf"),
    ):
        palette.setColor(role, QColor(color))
    for role in (QPalette.ColorRole.WindowText, QPalette.ColorRole.Text, QPalette.ColorRole.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor("#808080"))
    application.setPalette(palette)


def main(path: str, style: str = "light") -> None:
    """Write the picture to `path`."""
    application = QApplication.instance() or QApplication([])
    application.setStyle("Fusion")
    application.setFont(QFont("DejaVu Sans", 9))
    if style == "dark":
        darken(application)
    form = loadForm()
    fill(form)
    form.resize(WIDTH, form.sizeHint().height())
    form.show()
    application.processEvents()
    form.resize(WIDTH, max(form.layout().totalHeightForWidth(WIDTH), form.minimumSizeHint().height()))
    application.processEvents()
    form.grab().save(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
