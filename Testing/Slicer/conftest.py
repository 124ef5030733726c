"""A MRML scene with the logics that the module uses, and stand-ins for what slicer-core lacks.

slicer-core holds Slicer's C++ nodes and logics and `slicer.util`, but no application, Qt or Python modules.
What each stand-in here does not prove: ScriptedLoadableModule*: how Slicer finds, shows and reloads modules;
parameterNodeWrapper: how values are stored in the scene and bound to widgets; qt: dialogs and timers;
SampleData: downloading; i18n: translation.
"""

from __future__ import annotations

import sys
import types
import typing
import unittest
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / "XRADiffSlicer"), str(Path(__file__).resolve().parent)]

import slicer  # noqa: E402

REPOSITORY = Path(__file__).resolve().parents[2]
MODULE = REPOSITORY / "XRADiffSlicer"

LOGICS = {
    "volumes": "vtkSlicerVolumesLogic",
    "segmentations": "vtkSlicerSegmentationsModuleLogic",
    "sequences": "vtkSlicerSequencesLogic",
    "subjecthierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "cameras": "vtkSlicerCamerasModuleLogic",
    "colors": "vtkSlicerColorLogic",
    "markups": "vtkSlicerMarkupsLogic",
}


class ScriptedLoadableModule:
    def __init__(self, parent):
        self.parent = parent


class ScriptedLoadableModuleWidget:
    def __init__(self, parent=None):
        self.parent = parent

    def setup(self):
        pass

    def onReload(self):
        self.reloaded = True


class ScriptedLoadableModuleLogic:
    def __init__(self, parent=None):
        self.moduleName = type(self).__name__.removesuffix("Logic")

    def getParameterNode(self):
        node = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
        if node is None:
            node = slicer.vtkMRMLScriptedModuleNode()
            node.SetSingletonTag(self.moduleName)
            node = slicer.mrmlScene.AddNode(node)
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    def delayDisplay(self, message, *_args):
        pass


class WithinRange(typing.NamedTuple):
    minimum: float
    maximum: float


def parameterPack(cls):
    """Values with their defaults and ranges, read and written by name; kept in Python only."""
    ranges = {name: kind.__metadata__[0] for name, kind in typing.get_type_hints(cls, include_extras=True).items()}

    def init(self, owner=None):
        self.__dict__["_owner"] = owner

    def setattribute(self, name, value):
        if not ranges[name].minimum <= value <= ranges[name].maximum:
            raise ValueError(f"{name} = {value} is not within {ranges[name]}")
        self.__dict__[name] = value
        if self._owner is not None:
            self._owner.Modified()

    cls.__init__ = init
    cls.__setattr__ = setattribute
    cls.getValue = lambda self, name: getattr(self, name)
    cls.setValue = setattribute
    cls.isPack = True
    return cls


def parameterNodeWrapper(cls):
    """Typed members on a real vtkMRMLScriptedModuleNode: nodes as references, all else in Python only."""
    hints = typing.get_type_hints(cls, include_extras=True)

    def init(self, node):
        self.__dict__.update(parameterNode=node, guis=0)
        for name, kind in hints.items():
            if getattr(kind, "isPack", False):
                self.__dict__[name] = kind(self)

    def getattribute(self, name):
        if name in hints and name not in self.__dict__:
            return self.parameterNode.GetNodeReference(name)
        raise AttributeError(name)

    def setattribute(self, name, value):
        if name not in hints:
            raise AttributeError(name)
        if value is None or isinstance(value, slicer.vtkMRMLNode):
            self.parameterNode.SetNodeReferenceID(name, value.GetID() if value is not None else None)
        else:
            self.__dict__[name] = value
            self.parameterNode.Modified()

    def connectGui(self, ui):
        self.__dict__["guis"] += 1
        return self.guis

    def disconnectGui(self, tag):
        self.__dict__["guis"] -= 1

    cls.__init__ = init
    cls.__getattr__ = getattribute
    cls.__setattr__ = setattribute
    cls.connectGui, cls.disconnectGui = connectGui, disconnectGui
    cls.AddObserver = lambda self, event, callback: self.parameterNode.AddObserver(event, callback)
    cls.RemoveObserver = lambda self, tag: self.parameterNode.RemoveObserver(tag)
    cls.Modified = lambda self: self.parameterNode.Modified()
    return cls


class SampleDataLogic:
    sources: typing.ClassVar[list[dict]] = []

    @staticmethod
    def registerCustomSampleDataSource(**source):
        SampleDataLogic.sources.append(source)


def module(name, **members):
    made = types.ModuleType(name)
    made.__dict__.update(members)
    sys.modules[name] = made
    return made


base = (ScriptedLoadableModule, ScriptedLoadableModuleWidget, ScriptedLoadableModuleLogic, ScriptedLoadableModuleTest)
slicer.ScriptedLoadableModule = module(
    "slicer.ScriptedLoadableModule", **{c.__name__: c for c in base}, __all__=[c.__name__ for c in base]
)
slicer.i18n = module("slicer.i18n", tr=lambda text: text, translate=lambda _context, text: text)
slicer.parameterNodeWrapper = module(
    "slicer.parameterNodeWrapper",
    WithinRange=WithinRange,
    parameterPack=parameterPack,
    parameterNodeWrapper=parameterNodeWrapper,
)
module("SampleData", SampleDataLogic=SampleDataLogic)


@pytest.fixture
def applicationLogic():
    """The real logic of the application, without a scene."""
    return slicer.vtkSlicerApplicationLogic()


@pytest.fixture
def mrml(monkeypatch, applicationLogic):
    """An empty scene as `slicer.mrmlScene`, with `slicer.modules.NAME.logic()` for LOGICS."""
    scene = slicer.vtkMRMLScene()
    app = applicationLogic
    app.SetMRMLScene(scene)
    color = app.GetColorLogic()
    color.SetMRMLScene(scene)
    color.AddDefaultColorNodes()
    app.SetModuleLogic("Colors", color)
    logics = {}
    for name, cls in LOGICS.items():
        logics[name] = getattr(slicer, cls)()
        logics[name].SetMRMLApplicationLogic(app)
        logics[name].SetMRMLScene(scene)
    modules = {name: types.SimpleNamespace(logic=lambda logic=logic: logic) for name, logic in logics.items()}
    monkeypatch.setattr(slicer, "mrmlScene", scene, raising=False)
    monkeypatch.setattr(slicer, "modules", types.SimpleNamespace(**modules), raising=False)
    yield scene
    scene.Clear()


@pytest.fixture(scope="session")
def synthetic(tmp_path_factory):
    """The folder of a synthetic case with a run of 12 frames of each view."""
    from xradiff.dataset import write_case
    from xradiff.synthetic.case import CaseOptions, draw_case

    folder = tmp_path_factory.mktemp("synthetic") / "case"
    options = CaseOptions(side="right", poses="clinical", frames=12, image_px=256)
    write_case(folder, draw_case(options, 3, 0), 2.0)
    return folder
