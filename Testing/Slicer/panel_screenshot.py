"""Draw the panel after a run on the bundled case: python Testing/Slicer/panel_screenshot.py OUT.png [light|dark].

The forms are the real ones of Resources/UI; Qt is real (PySide6, offscreen). Widgets of Slicer and
CTK are stand-ins that look alike, so the picture does not prove that Slicer's own widgets behave.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QBuffer, QIODevice, QObject, Qt, Signal
from PySide6.QtGui import QColor, QFont, QPalette, QStandardItem, QStandardItemModel
from PySide6.QtUiTools import QUiLoader
from PySide6.QtWidgets import (
    QApplication,
    QComboBox,
    QDoubleSpinBox,
    QGroupBox,
    QHBoxLayout,
    QHeaderView,
    QSlider,
    QTableView,
    QToolButton,
    QWidget,
)

MODULE = Path(__file__).resolve().parents[2] / "XRADiffSlicer"
FORMS = MODULE / "Resources" / "UI"
WIDTH = 440


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

    def collapse(self) -> None:
        for child in self.findChildren(QWidget):
            child.setVisible(False)
        self.setFlat(True)
        self.setMaximumHeight(22)


class SliderWidget(QWidget):
    """Stand-in for ctkSliderWidget: a slider and the number beside it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        self.slider, self.number = QSlider(Qt.Orientation.Horizontal, self), QDoubleSpinBox(self)
        row.addWidget(self.slider)
        row.addWidget(self.number)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def showValue(self, value: float, decimals: int) -> None:
        """Show a value between the limits that the form gives."""
        low, high = float(self.property("minimum")), float(self.property("maximum"))
        self.number.setDecimals(decimals)
        self.number.setRange(low, high)
        self.number.setSuffix(self.property("suffix") or "")
        self.number.setValue(value)
        self.slider.setRange(0, 1000)
        self.slider.setValue(round(1000 * (value - low) / (high - low)))


class NodeComboBox(QComboBox):
    """Stand-in for qMRMLNodeComboBox."""

    currentNodeChanged = Signal(object)


class MRMLWidget(QWidget):
    """Stand-in for qMRMLWidget."""

    mrmlSceneChanged = Signal(object)

    def setMRMLScene(self, scene: object) -> None:
        pass


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
    """Return a form; an application must exist. Its connections carry MRML types, which Qt alone cannot make."""
    text = re.sub(r"<connections>.*</connections>", "", Path(path).read_text(encoding="utf-8"), flags=re.DOTALL)
    buffer = QBuffer()
    buffer.setData(text.encode())
    buffer.open(QIODevice.OpenModeFlag.ReadOnly)
    return Loader().load(buffer, None)


def widgetsOf(form: QWidget) -> SimpleNamespace:
    """Return the widgets of a form by name, as `slicer.util.childWidgetVariables` does."""
    return SimpleNamespace(**{child.objectName(): child for child in form.findChildren(QObject) if child.objectName()})


def loadWholeForm() -> QWidget:
    """Return the main form with its sections, as the module makes it."""
    sys.path.insert(0, str(MODULE))
    import slicer

    slicer.util.childWidgetVariables = widgetsOf
    from XRADiffSlicerLib.Sections import loadForm

    return loadForm(loadUI, lambda name: str(MODULE / "Resources" / name), None)


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
        ("installationCollapsibleButton", "Weights and installation"),
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
    find("logGroupBox").collapse()
    for name, kind in (("segmentation", "segmentation"), ("probability", "probability"), ("model", "surface")):
        find(f"{name}Selector").addItem(f"Demo view 0 {kind}")
    find("tableSelector").addItem("Demo view 0 reprojection fit")
    for name in ("layoutButton", "showButton", "reportButton", "exportButton"):
        find(name).setEnabled(True)
    find("outputsGroupBox").collapse()
    taken = views[0].acquisition
    for name, value, decimals in (
        ("overlay", 0.6, 2), ("virtualPrimary", taken.primary_deg, 0), ("virtualSecondary", taken.secondary_deg, 0)
    ):  # fmt: skip
        find(f"{name}Slider").showValue(value, decimals)
    find("coloringSelector").addItem("One color")
    find("cameraSelector").addItem("Free")
    _fillTable(find("fitTableView"), result.fits)
    _fillInstallation(form)
    # what the parameters put there: the first words of Parameters.SyntheticSide, -Poses and -Motion
    for name, text in (("Side", "Right coronary artery"), ("Poses", "Clinical routine"), ("Motion", "None")):
        find(f"synthetic{name}Selector").addItem(text)


def _fillInstallation(form: QWidget) -> None:
    """Show what is installed here, as the section itself does."""
    import conftest
    from xradiff.reconstruction.installed import list_weights
    from xradiff.reconstruction.registry import list_methods

    assert conftest.slicer
    from XRADiffSlicerLib.Installation import packagesText, weightsText
    from XRADiffSlicerLib.Packages import listPackages

    ui, weights = widgetsOf(form), list_weights()[0]
    ui.packagesLabel.setText(packagesText(listPackages(list_methods())))
    ui.weightsSelector.addItem(weights.name)
    ui.weightsLabel.setText(weightsText(weights))
    ui.verifyWeightsButton.setEnabled(True)


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
    for role in (QPalette.ColorRole.ButtonText, QPalette.ColorRole.Text, QPalette.ColorRole.WindowText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor("#7a7a7a"))
    palette.setColor(QPalette.ColorRole.PlaceholderText, QColor("#8a8a8a"))
    application.setPalette(palette)


def main(path: str, style: str = "light") -> None:
    """Write the picture to `path`."""
    application = QApplication.instance() or QApplication([])
    application.setStyle("Fusion")
    application.setFont(QFont("DejaVu Sans", 9))
    if style == "dark":
        darken(application)
    form = loadWholeForm()
    fill(form)
    form.resize(WIDTH, form.sizeHint().height())
    form.show()
    application.processEvents()
    form.resize(WIDTH, max(form.layout().totalHeightForWidth(WIDTH), form.minimumSizeHint().height()))
    application.processEvents()
    form.grab().save(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
