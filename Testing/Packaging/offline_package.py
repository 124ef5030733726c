"""Make the folder for a Slicer without network: wheels/ and weights/; `make package-offline` calls it.

The wheels are those that the methods need beyond Slicer's own packages, for the Python of Slicer 5.12, PyTorch for the
CPU among them. In the panel, "Weights and installation" takes the two folders. Needs pip and the network.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
RESOURCES = REPOSITORY / "XRADiffSlicer" / "Resources"
SLICER_HAS = Path(__file__).with_name("slicer-5.12.txt")
SLICER_PYTHON = "3.12"
PLATFORMS = {
    "linux": ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"),
    "windows": ("win_amd64",),
    "macos": ("macosx_11_0_arm64", "macosx_12_0_arm64", "macosx_14_0_arm64"),
}
TORCH, TORCH_INDEX = "torch>=2.4", "https://download.pytorch.org/whl/cpu"


def downloadCommand(wheels: Path, platform: str, wanted: Sequence[str], index: str = "") -> list[str]:
    """Return the pip command that fetches `wanted` and what it needs into `wheels`, from `index` too if given."""
    command = [sys.executable, "-m", "pip", "download", "--dest", str(wheels), "--only-binary=:all:"]
    command += ["--python-version", SLICER_PYTHON, "--implementation", "cp", "--abi", "cp312", "--abi", "abi3"]
    command += ["--abi", "none", "--constraint", str(SLICER_HAS)]
    command += ["--extra-index-url", index] if index else []
    for tag in PLATFORMS[platform]:
        command += ["--platform", tag]
    return [*command, *wanted]


def requirements() -> list[str]:
    """Return the lines of Resources/requirements.txt."""
    lines = (RESOURCES / "requirements.txt").read_text(encoding="ascii").splitlines()
    return [line.partition("#")[0].strip() for line in lines if line and not line.startswith("#")]


def removeSlicersOwn(wheels: Path) -> None:
    """Delete the wheels of packages that Slicer has in that very version."""
    own = [line.split("==") for line in SLICER_HAS.read_text(encoding="ascii").splitlines() if "==" in line]
    for name, version in own:
        for wheel in wheels.glob("*.whl"):
            if wheel.name.lower().startswith(f"{name.lower().replace('-', '_')}-{version}-"):
                wheel.unlink()


def copyWeights(folder: Path) -> None:
    """Copy the shipped weights and their cards."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in sorted((RESOURCES / "Models").iterdir()):
        shutil.copyfile(file, folder / file.name)


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the folder; return pip's exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--platform", choices=tuple(PLATFORMS), required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--torch-index", default="", metavar="URL", help=f"for Linux {TORCH_INDEX} by default")
    options = parser.parse_args(arguments)
    wheels = options.out / "wheels"
    wheels.mkdir(parents=True, exist_ok=True)
    copyWeights(options.out / "weights")
    index = options.torch_index or (TORCH_INDEX if options.platform == "linux" else "")
    for wanted, place in ((requirements(), ""), ([TORCH], index)):
        code = subprocess.run(downloadCommand(wheels, options.platform, wanted, place), check=False).returncode
        if code:
            return code
    removeSlicersOwn(wheels)
    return 0


if __name__ == "__main__":
    sys.exit(main())
