"""What the panel asks of the running application, in one small object that tests replace."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import slicer

from .Layout import THREE_D_TAG, layoutOf, registerLayouts

RESOURCES = Path(__file__).resolve().parents[1] / "Resources"
SHIPPED_WITH_SLICER = (
    "numpy", "scipy", "pydicom", "SimpleITK", "requests", "pillow", "packaging", "urllib3", "certifi"
)  # fmt: skip


class Application:
    """Dialogs, browser, 3D view and package installation."""

    def chooseFile(self, title: str, nameFilter: str) -> str:
        """Return the path of a file that the user picks, "" if none."""
        import qt

        return str(qt.QFileDialog.getOpenFileName(slicer.util.mainWindow(), title, "", nameFilter))

    def chooseFolder(self, title: str) -> str:
        """Return the path of a folder that the user picks, "" if none."""
        import qt

        return str(qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), title))

    def openFile(self, path: Path) -> None:
        """Open a local file with the desktop's program for it."""
        import qt

        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(path)))

    def copyText(self, text: str) -> None:
        """Put text on the clipboard."""
        slicer.app.clipboard().setText(text)

    def showSegmentation(self, segmentation: Any) -> None:
        """Show a segmentation in 3D and center the 3D views on it."""
        segmentation.GetDisplayNode().SetVisibility(True)
        segmentation.GetDisplayNode().SetVisibility3D(True)
        if slicer.app.layoutManager() is not None:
            slicer.util.resetThreeDViews()

    def applicationLogic(self) -> Any:
        """Return the logic that knows the slice views."""
        return slicer.app.applicationLogic()

    def registerLayouts(self) -> None:
        """Make our layouts known; a saved scene that uses one is loaded right then."""
        if (manager := slicer.app.layoutManager()) is not None:
            registerLayouts(manager.layoutLogic().GetLayoutNode())

    def setLayout(self, count: int) -> bool:
        """Arrange the views for a result of `count` angiograms; False where there is no main window."""
        manager = slicer.app.layoutManager()
        if manager is None:
            return False
        self.registerLayouts()
        manager.setLayout(layoutOf(count))
        return True

    def cameraNode(self) -> Any:
        """Return the camera of the first 3D view, made parallel; None where there is no 3D view."""
        view = slicer.mrmlScene.GetSingletonNode(THREE_D_TAG, "vtkMRMLViewNode")
        if view is None:
            return None
        view.SetRenderMode(view.Orthographic)
        return slicer.modules.cameras.logic().GetViewActiveCameraNode(view)

    def showTable(self, view: Any, table: Any) -> None:
        """Show a table node in a qMRMLTableView."""
        view.setMRMLTableNode(table)

    def ensureInstalled(self, packages: Iterable[str], constraintsFolder: Path) -> None:
        """Make sure that the packages of a method are there; the user is asked before anything is installed.

        Nothing that ships with Slicer is replaced. PyTorch comes from the extension PyTorch only.

        :raises RuntimeError: the user declined, or a package cannot be had; the message says what to do.
        """
        wanted = requirementsFor(packages)
        packaging = getattr(slicer, "packaging", None)
        if packaging is not None and wanted and not packaging.pip_check(wanted):
            constraints = constraintsFolder / "constraints.txt"
            constraints.write_text("\n".join(shippedVersions()) + "\n", encoding="ascii")
            packaging.pip_ensure(wanted, constraints=str(constraints), requester="XRADiffSlicer")
        if "torch" in packages:
            _ensureTorch()


def requirementsFor(packages: Iterable[str]) -> list[str]:
    """Return the lines of Resources/requirements.txt for these import names; PyTorch is not among them."""
    lines = [line.partition("#")[0].strip() for line in (RESOURCES / "requirements.txt").read_text().splitlines()]
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


def _ensureTorch() -> None:
    try:
        import PyTorchUtils
    except ModuleNotFoundError:
        raise RuntimeError(
            "this method needs PyTorch: install the extension PyTorch in the Extensions Manager and restart Slicer; "
            "the visual hull needs nothing more"
        ) from None
    if PyTorchUtils.PyTorchUtilsLogic().installTorch(askConfirmation=True, torchVersionRequirement=">=2.4") is None:
        raise RuntimeError("this method needs PyTorch, and its installation was declined")
