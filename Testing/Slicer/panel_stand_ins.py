"""What stands around the panel in its tests: widgets, a logic and a desktop that only record.

What they do not prove: Widget: that Qt's widgets behave so (test_panel_qt.py runs the panel on real ones); Views: how
Slicer's layout manager makes windows and draws in them (nodes, slice logics and layout node are real); Desktop:
dialogs, the browser, the user's settings on disk, and what pip does (test_installation.py asks the real one once).
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import slicer
import vtk
from XRADiffSlicerLib import Geometry, Layout, NodeConversion
from XRADiffSlicerLib.Sections import MOST_VIEWS, SECTIONS

FACTS = {"primary_deg": 39.2, "secondary_deg": -7.9, "sid_mm": 1074, "sod_mm": 749, "pixel_spacing_mm": 0.308}


class Signal:
    def __init__(self):
        self.slots = []

    def connect(self, slot):
        self.slots.append(slot)

    def emit(self, *args):
        for slot in self.slots:
            slot(*args)


class Widget:
    """Remembers what was set; every setter of Qt that the panel uses."""

    def __init__(self):
        self.text, self.toolTip, self.enabled, self.visible, self.value = "", "", True, True, 0
        self.checked = True
        self.lines, self.items, self.index, self.properties = [], [], -1, {}
        self.clicked, self.currentIndexChanged, self.valueChanged = Signal(), Signal(), Signal()
        self.editingFinished, self.contentsCollapsed = Signal(), Signal()
        self.title, self.maximum, self.picture = "", 0, b""

    def setText(self, text):
        self.text = text

    def setToolTip(self, text):
        self.toolTip = text

    def setEnabled(self, enabled):
        self.enabled = enabled

    def setVisible(self, visible):
        self.visible = visible

    def setTitle(self, title):
        self.title = title

    def setMaximum(self, maximum):
        self.maximum = maximum

    def setValue(self, value):
        changed, self.value = value != self.value, value
        if changed:
            self.valueChanged.emit(value)

    def setProperty(self, name, value):
        self.properties[name] = value

    def setPlainText(self, text):
        self.lines = text.splitlines()

    def appendPlainText(self, text):
        self.lines.append(text)

    def toPlainText(self):
        return "\n".join(self.lines)

    def addItem(self, text, data):
        self.items.append((text, data))

    def setCurrentIndex(self, index):
        changed, self.index = index != self.index, index
        if changed:
            self.currentIndexChanged.emit(index)

    def property(self, name):
        return {"currentIndex": self.index, "text": self.text}[name]

    def itemData(self, index):
        return self.items[index][1] if 0 <= index < len(self.items) else None

    def clear(self):
        self.items, self.index = [], -1

    def layout(self):
        return SimpleNamespace(addWidget=lambda _widget: None)

    def blockSignals(self, blocked):
        return False

    def isChecked(self):
        return self.checked


UI = Path(__file__).resolve().parents[2] / "XRADiffSlicer" / "Resources" / "UI"


def widgetsOf(form):
    """Return the XML elements of the widgets in Resources/UI/FORM.ui by name."""
    return {widget.get("name"): widget for widget in ET.parse(UI / f"{form}.ui").getroot().iter("widget")}


def allNames():
    """Names of all widgets of the panel; those of a view's row once for each view."""
    rows = [f"{name}{index}" for name in widgetsOf("View") for index in range(MOST_VIEWS)]
    return [*widgetsOf("XRADiffSlicer"), *(name for form in SECTIONS for name in widgetsOf(form)), *rows]


NAMES = allNames()


class Logic:
    """Records; `running` as the test sets it."""

    def __init__(self):
        self.running, self.cancelled, self.call, self.refuse = False, 0, None, None

    def startReconstruction(self, views, **call):
        if self.refuse:
            raise self.refuse
        self.call = SimpleNamespace(views=views, **call)
        self.running = True

    def startFrameChoice(self, images, **call):
        self.call = SimpleNamespace(images=images, **call)
        self.running = True

    def startSegmentation(self, image, frame, **call):
        if self.refuse:
            raise self.refuse
        self.call = SimpleNamespace(image=image, frame=frame, **call)
        self.running = True

    def startSyntheticCase(self, **call):
        if self.refuse:
            raise self.refuse
        self.call = SimpleNamespace(**call)
        self.running = True

    def startWeightsCommand(self, arguments, **call):
        if self.refuse:
            raise self.refuse
        self.call = SimpleNamespace(arguments=arguments, **call)

    def cancel(self):
        self.cancelled += 1


class Views:
    """The views of the application: real slice logics and a real camera, without windows."""

    def __init__(self, applicationLogic):
        self.logic = applicationLogic
        self.slices = vtk.vtkCollection()
        self.logic.SetSliceLogics(self.slices)
        self.layout = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLayoutNode")
        self.view = slicer.vtkMRMLViewNode()
        self.view.SetSingletonTag("1")
        self.view = slicer.mrmlScene.AddNode(self.view)
        self.camera = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLCameraNode")

    def arrange(self, number):
        """Make the slice views that the layout names, as Slicer's layout manager does."""
        Layout.registerLayouts(self.layout)
        self.layout.SetViewArrangement(number)
        for tag in re.findall('vtkMRMLSliceNode" singletontag="(\\w+)"', self.layout.GetCurrentLayoutDescription()):
            if Layout.compositeOf(tag) is None:
                logic = slicer.vtkMRMLSliceLogic()
                logic.SetMRMLApplicationLogic(self.logic)
                logic.SetMRMLScene(slicer.mrmlScene)
                logic.AddSliceNode(tag)
                self.slices.AddItem(logic)


class Desktop:
    """Records what the application is asked; with `views`, real views follow."""

    def __init__(self, views=None):
        self.views, self.folder, self.layouts, self.settings = views, "", [], {}
        self.file, self.opened, self.copied, self.shown, self.ensured, self.declined = "", [], [], [], [], False

    def chooseFile(self, _title, _nameFilter):
        return self.file

    def chooseFolder(self, _title):
        return self.folder

    def setLayout(self, count):
        self.layouts.append(count)
        if self.views is not None:
            self.views.arrange(Layout.layoutOf(count))
        return self.views is not None

    def applicationLogic(self):
        return self.views.logic

    def cameraNode(self):
        return self.views.camera if self.views is not None else None

    def showPicture(self, label, png):
        label.picture = png

    def showImages(self, images):
        self.images = images

    def editSegmentation(self, segmentation, image):
        self.edited = (segmentation, image)

    def placePoints(self, markups):
        self.placing = markups

    def settingWidgets(self, _place, rows):
        return {row["name"]: SimpleNamespace(row=row, value=None) for row in rows}

    def setSetting(self, widget, value):
        widget.value = value

    def openFile(self, path):
        self.opened.append(path)

    def copyText(self, text):
        self.copied.append(text)

    def showSegmentation(self, segmentation):
        self.shown.append(segmentation)

    def showTable(self, _view, table):
        if table is not None:
            self.shown.append(table)

    def setting(self, name):
        return self.settings.get(name, "")

    def storeSetting(self, name, value):
        self.settings[name] = value

    def ensureInstalled(self, packages, _folder, wheels):
        self.ensured.append(tuple(packages))
        self.resume, self.wheels = self.setting("XRADiffSlicer/ResumeAfterRestart"), wheels
        if self.declined:
            raise RuntimeError("the installation was declined")


def image(name, facts=FACTS, origin=Geometry.FROM_JSON):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    NodeConversion.updateImageFromArray(node, np.eye(4, dtype=np.uint8))
    if facts:
        Geometry.storeFacts(node, facts, origin)
    return node
