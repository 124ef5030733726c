"""The real panel in real Qt (PySide6, offscreen) on real MRML: its forms, its code, its pictures and its settings.

Stand-ins, kept small: Slicer's and CTK's own widgets (qt_widgets.py), the module `qt` of PythonQt (PySide6's
classes under the same names), and `Binding` in place of Slicer's binding of parameters to widgets. They do not prove
that PythonQt passes every argument as PySide6 does, nor how Slicer's own widgets look and behave.
"""

from __future__ import annotations

import os
import sys
import types
import typing

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import conftest
import slicer
import vtk
from panel_stand_ins import Desktop
from PySide6.QtGui import QFont, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QApplication, QCheckBox, QComboBox, QDoubleSpinBox, QHeaderView, QSpinBox, QWidget
from qt_widgets import CollapsibleButton, NodeComboBox, SliderWidget, childWidgetVariables, loadForm, qtModule

KEPT = []  # the scene does not keep the application's logic alive


class Binding:
    """Keeps widgets and parameters of the same name in step, in both directions."""

    def __init__(self, parameters, widgets):
        self.parameters, self.showing = parameters, False
        self.rows = [(w, str(w.property("SlicerParameterName"))) for w in widgets if w.property("SlicerParameterName")]
        self.kinds = typing.get_type_hints(type(parameters), include_extras=True)
        for widget, name in self.rows:
            if type(widget) is QComboBox and not widget.count():
                for member in self.kinds[name]:
                    widget.addItem(member.label(), member)
            self._changed(widget).connect(lambda *_args, widget=widget, name=name: self.read(widget, name))
        self.tag = parameters.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_args: self.show())
        self.show()

    def release(self):
        self.parameters.RemoveObserver(self.tag)
        self.rows = []

    def show(self):
        if self.showing:
            return
        self.showing = True
        for widget, name in self.rows:
            value = self._owner(name)[1]()
            if isinstance(widget, NodeComboBox):
                widget.setCurrentNode(value)
            elif type(widget) is QComboBox:
                widget.setCurrentIndex(list(self.kinds[name]).index(value))
            elif isinstance(widget, QCheckBox):
                widget.setChecked(value)
            else:
                widget.setValue(value)
        self.showing = False

    def read(self, widget, name):
        if self.showing or (widget, name) not in self.rows:
            return
        put = self._owner(name)[0]
        if isinstance(widget, NodeComboBox):
            put(widget.currentNode())
        elif type(widget) is QComboBox:
            put(list(self.kinds[name])[widget.currentIndex()])
        else:
            put(widget.isChecked() if isinstance(widget, QCheckBox) else widget.value())

    def _owner(self, name):
        head, _dot, member = name.partition(".")
        owner, member = (getattr(self.parameters, head), member) if member else (self.parameters, head)
        return lambda value: setattr(owner, member, value), lambda: getattr(owner, member)

    @staticmethod
    def _changed(widget):
        if isinstance(widget, NodeComboBox):
            return widget.currentNodeChanged
        if isinstance(widget, QComboBox):
            return widget.currentIndexChanged
        if isinstance(widget, QCheckBox):
            return widget.toggled
        assert isinstance(widget, (QSpinBox, QDoubleSpinBox, SliderWidget)), widget
        return widget.valueChanged


class QtDesktop(Desktop):
    """Records what the application is asked; pictures and settings are drawn by the real code."""

    def showPicture(self, label, png):
        from XRADiffSlicerLib.Application import Application

        Application().showPicture(label, png)

    def settingWidgets(self, place, rows):
        from XRADiffSlicerLib.Application import Application

        return Application().settingWidgets(place, rows)

    def setSetting(self, widget, value):
        from XRADiffSlicerLib.Application import Application

        Application().setSetting(widget, value)

    def showTable(self, view, table):
        super().showTable(view, table)
        model = QStandardItemModel(view)
        if table is None:
            view.setModel(model)
            return
        columns = range(table.GetNumberOfColumns())
        model.setHorizontalHeaderLabels([table.GetColumnName(column) for column in columns])
        for row in range(table.GetNumberOfRows()):
            model.appendRow([QStandardItem(table.GetCellText(row, column)) for column in columns])
        view.setModel(model)
        view.verticalHeader().hide()
        view.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        view.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)


def application():
    """Return the one Qt application, as the screenshots look."""
    app = QApplication.instance() or QApplication([])
    app.setStyle("Fusion")
    app.setFont(QFont("DejaVu Sans", 9))
    return app


def newScene():
    """Return a scene with the logics that the module uses."""
    scene = slicer.vtkMRMLScene()
    app = slicer.vtkSlicerApplicationLogic()
    app.SetMRMLScene(scene)
    app.GetColorLogic().SetMRMLScene(scene)
    app.GetColorLogic().AddDefaultColorNodes()
    app.SetModuleLogic("Colors", app.GetColorLogic())
    KEPT.append(app)
    logics = {name: getattr(slicer, kind)() for name, kind in conftest.LOGICS.items()}
    for logic in logics.values():
        logic.SetMRMLScene(scene)
        logic.SetMRMLApplicationLogic(app)
    slicer.mrmlScene = scene
    slicer.modules = types.SimpleNamespace(
        **{name: types.SimpleNamespace(logic=lambda logic=logic: logic) for name, logic in logics.items()}
    )
    return scene


def makePanel(scene, logic, parameters):
    """Return the panel with its form in `panel.form`; the form is not shown yet."""
    sys.modules.setdefault("qt", qtModule())
    from XRADiffSlicerLib.Parameters import Parameters
    from XRADiffSlicerLib.Widget import Panel

    Parameters.connectGui = lambda self, ui: Binding(
        self, [widget for widget in vars(ui).values() if isinstance(widget, QWidget)]
    )
    Parameters.disconnectGui = lambda _self, binding: binding.release()
    form = loadForm(scene)
    for button in form.findChildren(CollapsibleButton):
        button.setHeading(str(button.property("text") or ""))
    panel = Panel(childWidgetVariables(form), logic, QtDesktop())
    panel.form = form
    panel.setParameters(parameters)
    return panel


def grab(form, width, path):
    """Write the picture of a form to `path`, as high as its contents."""
    form.setFixedWidth(width)
    form.show()
    for _ in range(3):
        application().processEvents()
        form.resize(width, max(form.layout().totalHeightForWidth(width), form.minimumSizeHint().height()))
    form.grab().save(str(path))
