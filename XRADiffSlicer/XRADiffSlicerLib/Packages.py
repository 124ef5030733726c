"""Python packages of the methods: what is there, and how what is missing is installed beside those of Slicer."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution, version
from pathlib import Path
from typing import Any

import slicer

REQUIREMENTS = Path(__file__).resolve().parents[1] / "Resources" / "requirements.txt"
SHIPPED_WITH_SLICER = (
    "numpy", "scipy", "pydicom", "SimpleITK", "requests", "pillow", "packaging", "urllib3", "certifi", "highdicom",
    "dicomweb-client", "pyjpegls", "vtk", "setuptools", "pip",
)  # fmt: skip
TORCH = "torch>=2.4"
LONGEST_LICENCE = 40


@dataclass(frozen=True)
class Package:
    """A package as it is installed; `version` is "" where it is missing."""

    name: str
    version: str
    folder: str
    size: int
    licence: str


def listPackages(methods: Iterable[Any]) -> list[Package]:
    """Return the packages that methods need, in the order in which they are first named; loads none of them."""
    names = dict.fromkeys(name for spec in methods for name in spec.needs)
    return [_described(name) for name in names]


def _described(name: str) -> Package:
    try:
        found = distribution(name)
    except PackageNotFoundError:
        return Package(name, "", "", 0, "")
    return Package(name, found.version, str(found.locate_file("")), _size(found), _licence(found))


def _size(found: Distribution) -> int:
    """Bytes of the files that the installer noted."""
    sizes = (line.rpartition(",")[2] for line in (found.read_text("RECORD") or "").splitlines())
    return sum(int(size) for size in sizes if size.isdigit())


def _licence(found: Distribution) -> str:
    told = found.metadata.get("License-Expression") or found.metadata.get("License") or ""
    if told and "\n" not in told:
        return told if len(told) <= LONGEST_LICENCE else told[: LONGEST_LICENCE - 3] + "..."
    rows = [row for row in found.metadata.get_all("Classifier") or () if row.startswith("License ::")]
    return rows[0].rpartition(" :: ")[2] if rows else "see the package"


# ---- installing -----------------------------------------------------------------------------


def requirementsFor(packages: Iterable[str]) -> list[str]:
    """Return the lines of Resources/requirements.txt for these import names; PyTorch is not among them."""
    lines = [line.partition("#")[0].strip() for line in REQUIREMENTS.read_text(encoding="ascii").splitlines()]
    names = set(packages)
    return [line for line in lines if line and line.partition(">")[0] in names]


def shippedVersions() -> list[str]:
    """Return "name==version" of the packages that Slicer brought along."""
    found = []
    for name in SHIPPED_WITH_SLICER:
        try:
            found.append(f"{name}=={version(name)}")
        except PackageNotFoundError:
            continue
    return found


def ensureInstalled(packages: Iterable[str], folder: Path, wheels: Path | None = None) -> None:
    """Make sure that packages (import names) are there; the user is asked before anything is installed.

    Nothing that ships with Slicer is replaced: pip gets the versions that are there as constraints and fails where it
    would change one. PyTorch comes from the extension PyTorch, which picks the build for the graphics card.

    :param folder: for the file of constraints.
    :param wheels: folder of wheels to install from, without the network, PyTorch included.
    :raises RuntimeError: the user declined, or a package cannot be had; the message says what to do.
    """
    names = list(packages)
    wanted = requirementsFor(names)
    if wheels is not None and "torch" in names:
        wanted.insert(0, TORCH)
    if wanted:
        _pipEnsure(wanted, folder, wheels)
    if "torch" in names and wheels is None:
        _ensureTorch()


def _pipEnsure(wanted: list[str], folder: Path, wheels: Path | None) -> None:
    packaging = getattr(slicer, "packaging", None)
    if packaging is None:
        raise RuntimeError(f"{', '.join(wanted)} cannot be installed by this Slicer; use Slicer 5.12 or newer")
    if packaging.pip_check(wanted):
        return
    constraints = folder / "constraints.txt"
    constraints.write_text("\n".join(shippedVersions()) + "\n", encoding="ascii")
    with pipFrom(wheels):
        try:
            packaging.pip_ensure(wanted, constraints=str(constraints), requester="XRADiffSlicer")
        except OSError as error:
            raise RuntimeError(f"the packages could not be installed: {error}") from None
        except Exception as error:  # CalledProcessError of pip, RuntimeError of a user who declined
            where = f" from {wheels}" if wheels is not None else ""
            raise RuntimeError(f"{', '.join(wanted)} could not be installed{where}: {error}") from None


@contextmanager
def pipFrom(wheels: Path | None) -> Iterator[None]:
    """Let pip take packages from a folder alone while this lasts.

    :raises RuntimeError: the folder holds no wheel.
    """
    if wheels is None:
        yield
        return
    if not any(wheels.glob("*.whl")):
        raise RuntimeError(f"the wheel folder {wheels} holds no .whl file; `make package-offline` makes such a folder")
    # pip splits the variable at spaces; in an address there are none
    ours = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": wheels.resolve().as_uri()}
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _ensureTorch() -> None:
    packaging = getattr(slicer, "packaging", None)
    if packaging is not None and packaging.pip_check(TORCH):
        return
    try:
        import PyTorchUtils
    except ModuleNotFoundError:
        raise RuntimeError(
            "this method needs PyTorch: install the extension PyTorch in the Extensions Manager and restart Slicer, "
            'or choose a wheel folder under "Weights and installation"; the visual hull needs nothing more'
        ) from None
    if PyTorchUtils.PyTorchUtilsLogic().installTorch(askConfirmation=True, torchVersionRequirement=">=2.4") is None:
        raise RuntimeError("this method needs PyTorch, and its installation was declined")
