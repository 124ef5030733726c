"""What the panel asks of the running application, in one small object that tests replace."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import slicer

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

    def showPicture(self, label: Any, png: bytes) -> None:
        """Show a picture (PNG) in a label; nothing where it is empty."""
        import qt

        pixmap = qt.QPixmap()
        if png:
            pixmap.loadFromData(png)
        label.setPixmap(pixmap)

    def showImages(self, images: Sequence[Any]) -> None:
        """Show each image in a slice view of its own, as far as the layout has slice views."""
        manager = slicer.app.layoutManager()
        if manager is None:
            return
        for name, image in zip(manager.sliceViewNames(), images, strict=False):
            logic = manager.sliceWidget(name).sliceLogic()
            logic.GetSliceCompositeNode().SetBackgroundVolumeID(image.GetID())
            logic.GetSliceNode().SetOrientationToAxial()
            logic.FitSliceToAll()

    def editSegmentation(self, segmentation: Any, image: Any) -> None:
        """Open the Segment Editor with a segmentation on its image."""
        slicer.util.setSliceViewerLayers(background=image, fit=False)
        segmentation.GetDisplayNode().RemoveAllViewNodeIDs()
        slicer.util.selectModule("SegmentEditor")
        editor = slicer.modules.segmenteditor.widgetRepresentation().self().editor
        editor.setSegmentationNode(segmentation)
        editor.setSourceVolumeNode(image)

    def settingWidgets(self, place: Any, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Fill `place` with widgets for settings, see `SettingWidgets`; return them by name."""
        from .SettingWidgets import fill

        return fill(place, rows)

    def setSetting(self, widget: Any, value: Any) -> None:
        """Show `value` in a widget made by `settingWidgets`."""
        from .SettingWidgets import show

        show(widget, value)

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
