"""The folder for a Slicer without network; pip itself is not asked here, since that needs the network."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import pytest
from XRADiffSlicerLib.Packages import SHIPPED_WITH_SLICER, TORCH, requirementsFor

SCRIPT = Path(__file__).resolve().parents[1] / "Packaging" / "offline_package.py"


@pytest.fixture
def script():
    spec = importlib.util.spec_from_file_location("offline_package", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_wheels_are_those_that_the_panel_asks_for(script):
    asked = requirementsFor(["odl", "diffusers", "safetensors"])
    assert sorted(script.requirements()) == sorted(asked)
    assert script.TORCH == TORCH


@pytest.mark.parametrize("platform", ["linux", "windows", "macos"])
def test_pip_is_held_to_what_slicer_has(script, tmp_path, platform):
    command = script.downloadCommand(tmp_path, platform, ["odl>=1.0"])
    assert command[command.index("--constraint") + 1] == str(script.SLICER_HAS)
    assert command[command.index("--python-version") + 1] == "3.12" and "--only-binary=:all:" in command
    names = {line.partition("==")[0] for line in script.SLICER_HAS.read_text().splitlines() if "==" in line}
    assert names <= set(SHIPPED_WITH_SLICER)


def test_wheels_of_slicers_own_packages_are_left_out(script, tmp_path):
    for name in ("numpy-2.4.6-cp312-x.whl", "Pillow-12.2.0-x.whl", "numpy-2.5.0-x.whl", "torch-2.9-x.whl"):
        (tmp_path / name).touch()
    script.removeSlicersOwn(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["numpy-2.5.0-x.whl", "torch-2.9-x.whl"]


def test_weights_come_along_and_a_failure_of_pip_is_told(script, tmp_path, monkeypatch):
    ran = []
    monkeypatch.setattr(
        script.subprocess,
        "run",
        lambda command, check: ran.append(command) or SimpleNamespace(returncode=len(ran) // 2),
    )
    assert script.main(["--platform", "linux", "--out", str(tmp_path)]) == 1
    assert [command[-1] for command in ran] == [script.requirements()[-1], TORCH]
    assert "--extra-index-url" not in ran[0] and script.TORCH_INDEX in ran[1]
    models = SCRIPT.parents[2] / "XRADiffSlicer" / "Resources" / "Models"
    assert {file.name for file in (tmp_path / "weights").iterdir()} == {file.name for file in models.iterdir()}
