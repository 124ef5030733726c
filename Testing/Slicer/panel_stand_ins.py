"""What stands around the panel in its tests: widgets, a logic and a desktop that only record."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import slicer
from XRADiffSlicerLib import Geometry, NodeConversion

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
        self.lines, self.items, self.index, self.properties = [], [], -1, {}
        self.clicked, self.currentIndexChanged = Signal(), Signal()

    def setText(self, text):
        self.text = text

    def setToolTip(self, text):
        self.toolTip = text

    def setEnabled(self, enabled):
        self.enabled = enabled

    def setVisible(self, visible):
        self.visible = visible

    def setValue(self, value):
        self.value = value

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
        self.index = index


NAMES = [
    "applyButton", "methodSelector", "loadGeometryButton0", "loadGeometryButton1", "showButton", "reportButton",
    "copyLogButton", "progressBar", "statusLabel", "logTextEdit", "methodDescriptionLabel", "deviceLabel",
    "originLabel0", "originLabel1", "fitTableView", "resultsCollapsibleButton",
    "createButton",
]  # fmt: skip


class Logic:
    """Records; `running` as the test sets it."""

    def __init__(self):
        self.running, self.cancelled, self.call, self.resultFolder, self.refuse = False, 0, None, None, None

    def startReconstruction(self, views, **call):
        if self.refuse:
            raise self.refuse
        self.call = SimpleNamespace(views=views, **call)
        self.running = True

    def startSyntheticCase(self, **call):
        if self.refuse:
            raise self.refuse
        self.call = SimpleNamespace(**call)
        self.running = True

    def cancel(self):
        self.cancelled += 1


class Desktop:
    """Records what the application is asked."""

    def __init__(self):
        self.file, self.opened, self.copied, self.shown, self.ensured, self.declined = "", [], [], [], [], False

    def chooseFile(self, _title, _nameFilter):
        return self.file

    def openFile(self, path):
        self.opened.append(path)

    def copyText(self, text):
        self.copied.append(text)

    def showSegmentation(self, segmentation):
        self.shown.append(segmentation)

    def showTable(self, _view, table):
        self.shown.append(table)

    def ensureInstalled(self, packages, _folder):
        self.ensured.append(tuple(packages))
        if self.declined:
            raise RuntimeError("the installation was declined")


def image(name, facts=FACTS, origin=Geometry.FROM_JSON):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    NodeConversion.updateImageFromArray(node, np.eye(4, dtype=np.uint8))
    if facts:
        Geometry.storeFacts(node, facts, origin)
    return node
