"""Real Qt (PySide6, offscreen) for the forms of Resources/UI; widgets of Slicer and CTK are stand-ins that look alike.

So neither tests nor pictures prove that Slicer's own widgets behave.
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
from PySide6.QtGui import QColor, QPalette
from PySide6.QtUiTools import QUiLoader
from PySide6.QtWidgets import (
    QApplication,
    QComboBox,
    QDoubleSpinBox,
    QGroupBox,
    QHBoxLayout,
    QSlider,
    QTableView,
    QToolButton,
    QWidget,
)

MODULE = Path(__file__).resolve().parents[2] / "XRADiffSlicer"
if sys.version_info < (3, 12):  # PySide6 6.12 takes these for immortal, as they are from 3.12 on, and lets them die
    for constant in (None, True, False):
        ctypes.c_ssize_t.from_address(id(constant)).value += 1 << 40


class CollapsibleButton(QWidget):
    """Stand-in for ctkCollapsibleButton: a heading above its contents."""

    contentsCollapsed = Signal(bool)

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


class SliderWidget(QWidget):
    """Stand-in for ctkSliderWidget: a slider and the number beside it."""

    valueChanged = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        self.slider, self.number = QSlider(Qt.Orientation.Horizontal, self), QDoubleSpinBox(self)
        self.slider.setRange(0, 1000)
        row.addWidget(self.slider)
        row.addWidget(self.number)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.slider.sliderMoved.connect(self.onMoved)
        self.number.valueChanged.connect(self.onNumber)

    def value(self) -> float:
        return self.number.value()

    def setValue(self, value: float) -> None:
        self.number.setValue(value)
        self.onNumber(self.number.value())

    def onMoved(self, step: int) -> None:
        low, high = self.number.minimum(), self.number.maximum()
        self.number.setValue(low + (high - low) * step / 1000)

    def onNumber(self, value: float) -> None:
        low, high = self.number.minimum(), self.number.maximum()
        self.slider.setValue(round(1000 * (value - low) / max(high - low, 1e-9)))
        self.valueChanged.emit(value)

    minimum = Property(float, lambda self: self.number.minimum(), lambda self, low: self.number.setMinimum(low))
    maximum = Property(float, lambda self: self.number.maximum(), lambda self, high: self.number.setMaximum(high))
    singleStep = Property(float, lambda self: self.number.singleStep(), lambda self, by: self.number.setSingleStep(by))
    decimals = Property(int, lambda self: self.number.decimals(), lambda self, count: self.number.setDecimals(count))
    suffix = Property(str, lambda self: self.number.suffix(), lambda self, text: self.number.setSuffix(text))


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


def loadUI(path: str | Path) -> QWidget:
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
    palette.setColor(QPalette.ColorRole.PlaceholderText, QColor("#8a8a8a"))
    application.setPalette(palette)
