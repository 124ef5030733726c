"""The module file, its form and what is shipped with it."""

from __future__ import annotations

import re
import sys
import types
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import slicer
from panel_stand_ins import allNames, widgetsOf
from XRADiffSlicerLib.Sections import MOST_VIEWS, PARAMETER, SECTIONS

REPOSITORY = Path(__file__).resolve().parents[2]
MODULE = REPOSITORY / "XRADiffSlicer"
LIBRARY = MODULE / "XRADiffSlicerLib"
DEMO = MODULE / "Resources" / "SampleData" / "demo"
FORMS = {path.stem: ET.parse(path).getroot() for path in sorted((MODULE / "Resources" / "UI").glob("*.ui"))}
needsDemo = pytest.mark.skipif(not (DEMO / "view0.png").exists(), reason=f"the bundled case is not in {DEMO}")


@pytest.fixture
def module(mrml, monkeypatch):
    monkeypatch.setattr(
        slicer, "app", types.SimpleNamespace(connect=lambda *_args: None, layoutManager=lambda: None), raising=False
    )
    monkeypatch.delitem(sys.modules, "XRADiffSlicer", raising=False)
    import XRADiffSlicer

    return XRADiffSlicer


# ---- module file ----------------------------------------------------------------------------


def test_module_file_is_short_and_alone():
    assert len((MODULE / "XRADiffSlicer.py").read_text(encoding="utf-8").splitlines()) < 150
    assert [path.name for path in MODULE.glob("*.py")] == ["XRADiffSlicer.py"]


def test_library_files_are_short():
    for path in LIBRARY.glob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 300, path.name


def test_module_card(module):
    parent = types.SimpleNamespace()
    module.XRADiffSlicer(parent)
    assert parent.categories == ["Cardiac"]
    assert "Research use only, not a medical device" in parent.helpText
    assert "XRA-Diff" in parent.acknowledgementText


def test_loading_the_module_loads_nothing_heavy():
    """Slicer imports every module at start."""
    import subprocess

    code = f"""
import sys; sys.path[:0] = [{str(MODULE)!r}, {str(Path(__file__).parent)!r}]
import conftest
sys.modules.pop("SampleData")
before = set(sys.modules)
import XRADiffSlicer
new = {{name.partition(".")[0] for name in set(sys.modules) - before}}
heavy = new & {{"torch", "odl", "scipy", "SimpleITK", "pydicom", "xradiff", "diffusers", "psutil"}}
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_reload_forgets_our_packages_only(module, monkeypatch):
    widget = module.XRADiffSlicerWidget()
    widget.removeObservers = lambda: None
    mine = {name: value for name, value in sys.modules.items() if name.partition(".")[0] in OURS}
    for name in ("XRADiffSlicerLib.Fresh", "xradiff.fresh", "xradiffer"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    try:
        widget.onReload()
        assert [name for name in sys.modules if name.partition(".")[0] in OURS] == []
        assert "xradiffer" in sys.modules and widget.reloaded
    finally:
        sys.modules.update(mine)


OURS = ("XRADiffSlicerLib", "xradiff")


@needsDemo
@pytest.mark.parametrize("withPsutil", [True, False])
def test_self_test_passes(module, monkeypatch, withPsutil):
    if not withPsutil:  # as in Slicer, which does not ship it
        monkeypatch.setitem(sys.modules, "psutil", None)
    from XRADiffSlicerLib import Worker
    from XRADiffSlicerLib.Launchers import ThreadLauncher

    monkeypatch.setattr(Worker, "defaultLauncher", ThreadLauncher)  # the other one needs Slicer's event loop
    module.XRADiffSlicerTest().runTest()


@needsDemo
def test_console_recipe(module):
    from XRADiffSlicerLib.SampleData import loadDemo

    outputs = module.XRADiffSlicerLogic().reconstruct(loadDemo(), method="visual_hull", spacingMm=1.0)
    assert outputs.segmentation.GetSegmentation().GetNumberOfSegments() == 1


def test_logic_has_typed_parameters(module):
    parameters = module.XRADiffSlicerLogic().getParameterNode()
    assert (parameters.method, parameters.spacingMm, parameters.calibrate) == ("sparse_diffusion", 0.5, True)
    assert (parameters.syntheticSide.value, parameters.syntheticFrames) == ("right", 0)
    again = module.XRADiffSlicerLogic().getParameterNode()
    assert again.parameterNode is parameters.parameterNode


# ---- samples --------------------------------------------------------------------------------


def test_samples_are_registered_with_addresses_and_checksums(mrml):
    from SampleData import SampleDataLogic
    from XRADiffSlicerLib import SampleData

    SampleDataLogic.sources.clear()
    SampleData.registerSamples()
    synthetic, clinical = SampleDataLogic.sources
    assert all(uri.startswith("file://") for uri in synthetic["uris"])
    commit = "9edf8d48ab3dedfdc178754a5ff4d5cd1846c396"
    published = f"https://raw.githubusercontent.com/cvlab-ai/xra-diff/{commit}/data/"
    assert all(uri.startswith(published) for uri in clinical["uris"])
    assert all(re.fullmatch("SHA256:[0-9a-f]{64}", checksum) for checksum in clinical["checksums"])
    for source in (synthetic, clinical):
        assert {len(source[key]) for key in ("uris", "fileNames", "nodeNames", "loadFileType")} == {4}


def test_clinical_checksums_are_those_of_the_files():
    """Where a copy of the published pair is at hand."""
    from XRADiffSlicerLib.SampleData import CLINICAL_FILES

    folder = REPOSITORY.parent / "shared" / "data" / "clinical_pair"
    if not folder.exists():
        pytest.skip(f"no copy of the published pair in {folder}")
    for name, digest in CLINICAL_FILES.items():
        assert slicer.util.computeChecksum("SHA256", str(folder / name)) == digest


def test_clinical_pair_loads_with_its_geometry(mrml):
    from XRADiffSlicerLib.Geometry import factsOf
    from XRADiffSlicerLib.SampleData import CLINICAL_FILES, loadPair

    folder = REPOSITORY.parent / "shared" / "data" / "clinical_pair"
    if not folder.exists():
        pytest.skip(f"no copy of the published pair in {folder}")
    nodes = loadPair([folder / name for name in CLINICAL_FILES], "Clinical")
    assert [node.GetImageData().GetDimensions() for node in nodes] == [(512, 512, 1)] * 2
    assert factsOf(nodes[0])[0]["primary_deg"] == 39.2


# ---- form -----------------------------------------------------------------------------------

WIDGETS = {name: widget for form in FORMS for name, widget in widgetsOf(form).items()}


@pytest.mark.parametrize("form", sorted(FORMS))
def test_forms_follow_the_scene(form):
    root = FORMS[form].find("widget")
    assert (root.get("class"), root.get("name")) == ("qMRMLWidget", form)
    connected = {connection.findtext("receiver") for connection in FORMS[form].iter("connection")}
    followers = {name for name, widget in widgetsOf(form).items() if widget.get("class").startswith("qMRML")}
    assert connected == followers - {form}


def test_every_form_has_its_place_and_no_name_is_used_twice():
    assert set(FORMS) == {"XRADiffSlicer", "View", *SECTIONS}
    for place in SECTIONS.values():
        assert WIDGETS[place].get("class") == "ctkCollapsibleButton" and WIDGETS[place].find("layout") is not None
    assert len(allNames()) == len(set(allNames()))


def test_every_widget_that_the_code_uses_is_in_a_form():
    used = set()
    for path in LIBRARY.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        used |= set(re.findall(r"\bui\.(\w+)", text))
        used |= {f"{name}0" for name in re.findall(r'\bwidget\("(\w+)"\)', text)}
    assert len(used) > 30
    assert used <= set(allNames()), used - set(allNames())


NUMBERS = ("QDoubleSpinBox", "QSpinBox", "ctkSliderWidget")
INPUTS = (*NUMBERS, "qMRMLNodeComboBox", "QPushButton", "QComboBox", "QCheckBox", "QToolButton", "QSlider")


def propertyOf(widget, name):
    found = next((child for child in widget.findall("property") if child.get("name") == name), None)
    return None if found is None else "".join(found.itertext()).strip()


def test_every_parameter_has_its_widget_and_the_other_way_round():
    import typing

    from XRADiffSlicerLib.Parameters import Parameters, ViewGeometry

    bound = {form: [name for w in widgetsOf(form).values() if (name := propertyOf(w, PARAMETER))] for form in FORMS}
    rows = [numbered(name, index) for name in bound.pop("View") for index in range(MOST_VIEWS)]
    packs = [f"geometry{index}" for index in range(MOST_VIEWS)]
    expected = {f"{pack}.{name}" for pack in packs for name in typing.get_type_hints(ViewGeometry)}
    expected |= set(typing.get_type_hints(Parameters)) - {*packs, "method", "methodSettings", "viewCount"}
    assert sorted([*rows, *(name for names in bound.values() for name in names)]) == sorted(expected)


def numbered(name, index):
    """The parameter of a view's row as Sections names it."""
    head, dot, member = name.partition(".")
    return f"{head}{index}{dot}{member}"


def test_limits_of_the_form_are_those_of_the_parameters():
    import typing

    from XRADiffSlicerLib.Parameters import Parameters, ViewGeometry

    hints = typing.get_type_hints(ViewGeometry, include_extras=True)
    hints |= typing.get_type_hints(Parameters, include_extras=True)
    for widget in WIDGETS.values():
        if widget.get("class") in NUMBERS:
            parameter = propertyOf(widget, PARAMETER).rpartition(".")[2]
            limits = hints[parameter].__metadata__[0]
            shown = (float(propertyOf(widget, "minimum")), float(propertyOf(widget, "maximum")))
            assert shown == (limits.minimum, limits.maximum), parameter


def test_inputs_have_tooltips_and_numbers_have_units():
    for name, widget in WIDGETS.items():
        if widget.get("class") in INPUTS:
            assert propertyOf(widget, "toolTip"), name
        if widget.get("class") == "QDoubleSpinBox":
            assert (propertyOf(widget, "suffix") or "") in ("°", "mm"), name


def test_opening_the_panel_loads_nothing_heavy():
    """The whole form in real Qt, its code and the list of methods, without the packages that take seconds."""
    pytest.importorskip("PySide6.QtWidgets", reason="needs PySide6-Essentials", exc_type=ImportError)
    import subprocess

    code = f"""
import sys; sys.path[:0] = [{str(MODULE)!r}, {str(Path(__file__).parent)!r}]
import conftest
from panel_stand_ins import Logic
from qt_panel import application, makePanel, newScene
application()
scene = newScene()
before = set(sys.modules)
from XRADiffSlicerLib.Parameters import Parameters
panel = makePanel(scene, Logic(), Parameters(scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")))
new = {{name.partition(".")[0] for name in set(sys.modules) - before}}
heavy = new & {{"torch", "odl", "scipy", "SimpleITK", "pydicom", "diffusers", "safetensors"}}
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)


def test_screenshot_of_the_form_can_be_drawn(tmp_path):
    pytest.importorskip("PySide6.QtWidgets", reason="needs PySide6-Essentials", exc_type=ImportError)
    import subprocess

    script = Path(__file__).with_name("panel_screenshot.py")
    subprocess.run([sys.executable, str(script), str(tmp_path / "panel.png"), "dark"], check=True, timeout=600)
    import SimpleITK as sitk

    width, height = sitk.ReadImage(str(tmp_path / "panel.png")).GetSize()[:2]
    assert width >= 400 and height >= 700
