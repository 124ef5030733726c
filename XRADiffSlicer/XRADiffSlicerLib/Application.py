"""What the panel asks of the running application, in one small object that tests replace."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import slicer

from .Layout import THREE_D_TAG, layoutOf, registerLayouts
from .Packages import ensureInstalled


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
            composite = logic.GetSliceCompositeNode()
            composite.SetBackgroundVolumeID(image.GetID())
            composite.SetForegroundVolumeID(None)
            composite.SetLabelVolumeID(None)  # the overlay of a result may lie on another image
            logic.GetSliceNode().SetOrientationToAxial()
            logic.FitSliceToAll()

    def editSegmentation(self, segmentation: Any, image: Any) -> None:
        """Open the Segment Editor with a segmentation on its image."""
        slicer.util.setSliceViewerLayers(background=image, label=None, fit=False)  # no overlay on what is drawn
        segmentation.GetDisplayNode().RemoveAllViewNodeIDs()
        slicer.util.selectModule("SegmentEditor")
        editor = slicer.modules.segmenteditor.widgetRepresentation().self().editor
        editor.setSegmentationNode(segmentation)
        editor.setSourceVolumeNode(image)

    def placePoints(self, markups: Any) -> None:
        """Let the user set points of a point list in the slice views until the right button is clicked."""
        logic = slicer.modules.markups.logic()
        logic.SetActiveList(markups)
        logic.StartPlaceMode(True)

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

    def setting(self, name: str) -> str:
        """Return a setting of the user, "" if it was never stored."""
        return str(slicer.app.userSettings().value(name) or "")

    def storeSetting(self, name: str, value: str) -> None:
        """Keep a setting of the user at once, so that it outlives a restart."""
        settings = slicer.app.userSettings()
        settings.setValue(name, value)
        settings.sync()

    def ensureInstalled(self, packages: Iterable[str], folder: Path, wheels: Path | None) -> None:
        """Make sure that packages are there; see `Packages.ensureInstalled`."""
        ensureInstalled(packages, folder, wheels)
