"""Packages and weights: what is shown, how it is installed without replacing anything of Slicer's, and resumed."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import slicer
from panel_stand_ins import NAMES, Desktop, Logic, Widget
from xradiff.reconstruction.installed import list_weights
from xradiff.reconstruction.registry import list_methods, method_spec
from XRADiffSlicerLib import Installation, Packages
from XRADiffSlicerLib.Installation import RESUME_SETTING, InstallationSection, interruptedMethod
from XRADiffSlicerLib.Launchers import ThreadLauncher
from XRADiffSlicerLib.Logic import ReconstructionLogic


class Pip:
    """Stands in for slicer.packaging: records what pip would be asked."""

    def __init__(self, there=False, failure=None):
        self.there, self.failure, self.asked, self.environment = there, failure, [], {}

    def pip_check(self, requirements):
        return self.there

    def pip_ensure(self, requirements, **options):
        self.asked.append((requirements, options, Path(options["constraints"]).read_text()))
        self.environment = {name: os.environ.get(name) for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS")}
        if self.failure:
            raise self.failure


@pytest.fixture
def pip(monkeypatch):
    made = Pip()
    for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(slicer, "packaging", made, raising=False)
    monkeypatch.setitem(sys.modules, "PyTorchUtils", None)
    return made


@pytest.fixture
def section(monkeypatch, tmp_path):
    monkeypatch.setenv("XRADIFF_WEIGHTS", str(tmp_path))
    said = []
    ui = SimpleNamespace(**{name: Widget() for name in NAMES})
    made = InstallationSection(ui, Logic(), Desktop(), said.append, lambda: method_spec("sparse_diffusion"))
    made.said = said
    return made


# ---- installing -----------------------------------------------------------------------------


def test_missing_package_is_asked_for_without_replacing_slicers(pip, tmp_path):
    Packages.ensureInstalled(("odl",), tmp_path)
    requirements, options, constraints = pip.asked[0]
    assert requirements == ["odl>=1.0"] and options["requester"] == "XRADiffSlicer"
    assert f"numpy=={np.__version__}" in constraints.splitlines()
    assert {line.partition("==")[0] for line in constraints.splitlines()} >= {"numpy", "scipy", "pydicom", "SimpleITK"}
    assert pip.environment == {"PIP_NO_INDEX": None, "PIP_FIND_LINKS": None}


def test_nothing_is_asked_where_all_is_there(pip, tmp_path):
    pip.there = True
    Packages.ensureInstalled(("torch", "odl", "safetensors"), tmp_path)
    Packages.ensureInstalled((), tmp_path)
    assert pip.asked == []


def test_torch_comes_from_its_extension(pip, tmp_path, monkeypatch):
    with pytest.raises(RuntimeError, match="extension PyTorch"):
        Packages.ensureInstalled(("torch",), tmp_path)
    assert pip.asked == []  # never from pip
    calls = []
    logic = SimpleNamespace(installTorch=lambda **options: calls.append(options))
    monkeypatch.setitem(sys.modules, "PyTorchUtils", SimpleNamespace(PyTorchUtilsLogic=lambda: logic))
    with pytest.raises(RuntimeError, match="declined"):
        Packages.ensureInstalled(("torch",), tmp_path)
    assert calls == [{"askConfirmation": True, "torchVersionRequirement": ">=2.4"}]


def test_wheel_folder_is_used_instead_of_the_network(pip, tmp_path):
    wheels = tmp_path / "wheels für Käthe"
    wheels.mkdir()
    with pytest.raises(RuntimeError, match=r"holds no \.whl file"):
        Packages.ensureInstalled(("torch",), tmp_path, wheels)
    (wheels / "torch-2.9-py3-none-any.whl").touch()
    Packages.ensureInstalled(("torch", "safetensors"), tmp_path, wheels)
    assert pip.asked[0][0] == ["torch>=2.4", "safetensors>=0.4"]
    assert pip.environment["PIP_NO_INDEX"] == "1"
    assert " " not in pip.environment["PIP_FIND_LINKS"] and pip.environment["PIP_FIND_LINKS"].startswith("file://")
    assert "PIP_NO_INDEX" not in os.environ and "PIP_FIND_LINKS" not in os.environ


def test_real_pip_finds_a_wheel_in_such_a_folder(tmp_path):
    """The address with its escapes is one that pip reads."""
    import subprocess
    import zipfile

    wheels = tmp_path / "wheels für Käthe"
    wheels.mkdir()
    with zipfile.ZipFile(wheels / "xratiny-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("xratiny.py", "")
        wheel.writestr("xratiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: xratiny\nVersion: 1.0\n")
        wheel.writestr("xratiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("xratiny-1.0.dist-info/RECORD", "")
    with Packages.pipFrom(wheels):
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--target", str(tmp_path / "t"), "xratiny"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Would install xratiny-1.0" in done.stdout, done.stderr


@pytest.mark.parametrize("failure", [RuntimeError("declined"), OSError("disk full"), ValueError("conflict")])
def test_failed_installation_is_one_line(pip, tmp_path, failure):
    pip.failure = failure
    with pytest.raises(RuntimeError, match=str(failure)):
        Packages.ensureInstalled(("odl",), tmp_path)


def test_old_slicer_is_told_so(tmp_path, monkeypatch):
    monkeypatch.delattr(slicer, "packaging", raising=False)
    with pytest.raises(RuntimeError, match=r"use Slicer 5\.12 or newer"):
        Packages.ensureInstalled(("odl",), tmp_path)


# ---- resuming -------------------------------------------------------------------------------


def test_restart_during_an_installation_is_noticed_by_the_next_process_alone(section):
    section.ensureInstalled(method_spec("sparse_diffusion"))
    assert section.application.resume == f"{os.getpid()} sparse_diffusion"
    assert interruptedMethod(section.application) == ""  # the same process
    section.application.storeSetting(RESUME_SETTING, f"{os.getpid() + 1} sparse_diffusion")
    assert interruptedMethod(section.application) == "sparse_diffusion"


def test_marker_goes_with_the_first_progress_and_with_a_refusal(section):
    section.ensureInstalled(method_spec("sparse_diffusion"))
    section.settled()
    assert section.application.setting(RESUME_SETTING) == ""
    section.application.declined = True
    with pytest.raises(RuntimeError):
        section.ensureInstalled(method_spec("sparse_diffusion"))
    assert section.application.setting(RESUME_SETTING) == ""


def test_install_button_says_what_happened(section):
    section.ui.installButton.clicked.emit(False)
    assert section.said == ["The packages of Sparse XRA-Diff are there."]
    section.application.declined = True
    section.ui.installButton.clicked.emit(False)
    assert section.said[-1] == "the installation was declined"


# ---- what is there --------------------------------------------------------------------------


def test_packages_are_listed_with_version_folder_size_and_licence():
    found = {package.name: package for package in Packages.listPackages(list_methods())}
    assert set(found) == {name for spec in list_methods() for name in spec.needs}
    torch = found["torch"]
    assert torch.version == __import__("importlib.metadata").metadata.version("torch")
    assert torch.size > 50e6 and Path(torch.folder, "torch").is_dir()
    assert found["diffusers"].licence.startswith("Apache")
    assert Packages._described("no_such_package").version == ""
    text = Installation.packagesText([torch, Packages.Package("x<y", "", "", 0, "")])
    assert torch.version in text and "x&lt;y" in text and "missing" in text


def test_section_looks_at_the_disk_when_it_is_opened(section):
    assert section.ui.packagesLabel.text == "" and section.ui.weightsSelector.items == []
    section.ui.installationCollapsibleButton.contentsCollapsed.emit(False)
    names = [name for _text, name in section.ui.weightsSelector.items]
    assert names == [found.name for found in list_weights()]
    assert "part of the extension" in section.ui.weightsLabel.text and "MIT" in section.ui.weightsLabel.text
    assert section.ui.verifyWeightsButton.enabled and not section.ui.removeWeightsButton.enabled


def test_missing_weights_are_told(section, monkeypatch):
    monkeypatch.setattr("xradiff.weights.resource", nothing)
    section.fill()
    assert all(text.endswith("(missing)") for text, _name in section.ui.weightsSelector.items)
    assert "Missing" in section.ui.weightsLabel.text and not section.ui.verifyWeightsButton.enabled


def nothing(name):
    """An installation that ships no weights."""
    from xradiff.errors import MissingDependencyError

    raise MissingDependencyError(f"there is no {name}")


def test_folders_are_settings_of_the_user(section, tmp_path):
    section.ui.weightsFolderEdit.setText(str(tmp_path / "nowhere"))
    section.ui.weightsFolderEdit.editingFinished.emit()
    assert section.said[-1].endswith("is not a folder.") and section.application.settings == {}
    (tmp_path / "w").mkdir()
    section.application.folder = str(tmp_path / "w")
    section.ui.weightsFolderButton.clicked.emit(False)
    assert os.environ["XRADIFF_WEIGHTS"] == str(tmp_path / "w")
    section.ui.wheelFolderButton.clicked.emit(False)
    assert section.application.settings["XRADiffSlicer/WheelFolder"] == str(tmp_path / "w")
    section.ensureInstalled(method_spec("unet3d"))
    assert section.application.wheels == tmp_path / "w"
    section.ui.wheelFolderEdit.setText("")
    section.ui.wheelFolderEdit.editingFinished.emit()
    section.ensureInstalled(method_spec("unet3d"))
    assert section.application.wheels is None


def test_weights_buttons_start_the_worker(section):
    section.fill()
    section.ui.verifyWeightsButton.clicked.emit(False)
    assert section.logic.call.arguments == ["--verify", "sparse_diffusion_both"]
    section.logic.call.onFinished("SHA-256 is right")
    assert section.said == ["SHA-256 is right"]
    section.ui.addWeightsButton.clicked.emit(False)
    assert section.logic.call.arguments == ["--verify", "sparse_diffusion_both"]  # no file was chosen
    section.application.file = "/a/b.safetensors"
    section.ui.addWeightsButton.clicked.emit(False)
    assert section.logic.call.arguments == ["--add", "/a/b.safetensors"]
    section.logic.call.onFailed("it is damaged", False)
    assert section.said[-1] == "it is damaged"
    section.ui.removeWeightsButton.clicked.emit(False)
    assert section.logic.call.arguments == ["--remove", "sparse_diffusion_both"]
    section.logic.refuse = RuntimeError("something is running already")
    section.ui.verifyWeightsButton.clicked.emit(False)
    assert section.said[-1] == "something is running already"


def test_weights_are_verified_in_a_worker_process(monkeypatch, tmp_path):
    monkeypatch.setenv("XRADIFF_WEIGHTS", str(tmp_path))
    logic, finished, failed = ReconstructionLogic(ThreadLauncher()), [], []
    for name in ("unet3d_both", "no_such_weights"):
        logic.startWeightsCommand(
            ["--verify", name], onFinished=finished.append, onFailed=lambda message, _cancelled: failed.append(message)
        )
        logic.worker.wait(60)
    assert len(finished) == 1 and finished[0].endswith("unet3d_both.safetensors: SHA-256 is right")
    assert len(failed) == 1 and failed[0].startswith("unknown weights 'no_such_weights'")
