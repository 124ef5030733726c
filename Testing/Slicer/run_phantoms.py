"""Runs and vessels whose pixels are known, and a DICOM database that knows one file."""

from __future__ import annotations

import numpy as np
import slicer
from XRADiffSlicerLib import NodeConversion

FACTS = {"primary_deg": 39.2, "secondary_deg": -7.9, "sid_mm": 1074.0, "sod_mm": 749.0, "pixel_spacing_mm": 0.308}


class Database:
    """Stands for slicer.dicomDatabase; knows instance 1.2.3."""

    def __init__(self, file):
        self.file = file

    def fileForInstance(self, uid):
        return str(self.file) if uid == "1.2.3" and self.file is not None else ""

    def fileValue(self, _file, _tag):
        return ""


def runNode(name, count, *, seconds=1 / 15, shape=(12, 16), kind=np.uint8, offset=0, uid=""):
    """Add a run as Slicer's image sequence reader does and return its proxy volume."""
    rng = np.random.default_rng(count)
    sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", f"{name} sequence")
    sequence.SetIndexName("time")
    sequence.SetIndexUnit("s")
    for index in range(count):
        node = slicer.vtkMRMLScalarVolumeNode()
        NodeConversion.updateImageFromArray(node, (rng.integers(20, 200, shape) + offset).astype(kind))
        if uid:
            node.SetAttribute("DICOM.instanceUIDs", uid)
        sequence.SetDataNodeAtValue(node, f"{index * seconds:.4f}")
    browser = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", f"{name} browser")
    browser.AddSynchronizedSequenceNode(sequence)
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
    browser.SetSelectedItemNumber(0)
    proxy = browser.GetProxyNode(sequence)
    proxy.SetName(name)
    return proxy


def drawVessel(shape):
    """A thin L: no symmetry of the image leaves it alone."""
    vessels = np.zeros(shape, bool)
    vessels[2:18, 6:8] = True
    vessels[16:18, 6:25] = True
    return vessels
