"""The section "Results" of the panel: layout, overlays, cameras, colors, report and export of a result."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from .Coloring import colorSurface, hasSpread
from .Geometry import describeAngles
from .Layout import MOST_VIEWS, setOpacity, showInViews
from .Outputs import OutputNodes, measurementsOf
from .Parameters import SurfaceColoring
from .ResultFiles import REPORT, SEGMENTATION, SURFACE, VOLUME, exportResult
from .ResultViews import (
    VIRTUAL_ROLE,
    acquisitionOf,
    overlaysOf,
    putCamera,
    reportOf,
    shapeOf,
    sparseFromSegmentation,
    updateVirtualView,
    virtualAcquisition,
)

FREE, VIRTUAL = "free", "virtual"


class ResultsSection:
    """Behavior of Resources/UI/Results.ui.

    :param ui: the widgets of the form, by name.
    :param application: see `Application.Application`.
    :param say: called with one line for the user.
    """

    def __init__(self, ui: Any, application: Any, say: Any) -> None:
        self.ui, self.application, self._say = ui, application, say
        self.parameters: Any = None
        self._cameras: list[str] = []
        self._tables: tuple[Any, Any] = (None, None)
        self._applied: tuple[Any, ...] = ()
        self._vessels: tuple[Any, Any] = (None, None)
        self._reportFolder: Path | None = None
        ui.layoutButton.clicked.connect(self.onLayout)
        ui.showButton.clicked.connect(self.onShow)
        ui.reportButton.clicked.connect(self.onReport)
        ui.exportButton.clicked.connect(self.onExport)
        ui.cameraSelector.currentIndexChanged.connect(self.onCamera)

    def setParameters(self, parameters: Any) -> None:
        """Follow `parameters`; None to let go of them. What the scene shows stays as it was saved."""
        self.parameters = parameters
        self._applied = self._wanted()
        self.refresh()

    def refresh(self) -> None:
        """Bring buttons and views in line with the parameters."""
        segmentation = self._segmentation()
        overlays = overlaysOf(segmentation)
        there = segmentation is not None
        for button, enabled in (
            (self.ui.layoutButton, bool(overlays)),
            (self.ui.showButton, there),
            (self.ui.reportButton, bool(reportOf(segmentation))),
            (self.ui.exportButton, there),
            (self.ui.cameraSelector, bool(overlays)),
            (self.ui.overlaySlider, bool(overlays)),
            (self.ui.virtualPrimarySlider, bool(overlays)),
            (self.ui.virtualSecondarySlider, bool(overlays)),
            (self.ui.coloringSelector, self._model() is not None and hasSpread(self._model())),
        ):
            button.setEnabled(enabled)
        self._fillTables()
        self._fillCameras(overlays)
        self._apply(overlays)

    def show(self, outputs: Any) -> None:
        """Show a new result: the virtual C-arm starts where the first view was taken."""
        self.ui.resultsCollapsibleButton.setProperty("collapsed", False)
        overlays = overlaysOf(outputs.segmentation)
        if self.parameters is not None and overlays:
            first = acquisitionOf(overlays[0])
            self.parameters.virtualPrimaryDeg = round(first.primary_deg)
            self.parameters.virtualSecondaryDeg = round(first.secondary_deg)
        self.application.showSegmentation(outputs.segmentation)
        self._applied = ()
        self.refresh()
        self.onLayout()

    # ---- what follows the parameters --------------------------------------------------------

    def _segmentation(self) -> Any:
        return self.parameters.outputSegmentation if self.parameters is not None else None

    def _model(self) -> Any:
        return self.parameters.outputModel if self.parameters is not None else None

    def _outputs(self) -> OutputNodes:
        p = self.parameters
        return OutputNodes(p.outputSegmentation, p.outputProbability, p.outputModel, p.outputTable)

    def _wanted(self) -> tuple[Any, ...]:
        """What the views show as far as the parameters say it."""
        if self.parameters is None:
            return ()
        p = self.parameters
        return (p.overlayOpacity, p.surfaceColoring, (p.virtualPrimaryDeg, p.virtualSecondaryDeg))

    def _apply(self, overlays: list[Any]) -> None:
        """Change what the parameters changed since the last time."""
        wanted, applied = self._wanted(), self._applied or (None, None, None)
        self._applied = wanted
        if not wanted or not overlays:
            return
        if wanted[0] != applied[0]:
            setOpacity(overlays, wanted[0])
        if wanted[1] != applied[1] and self._model() is not None and self._model().GetDisplayNode() is not None:
            colorSurface(self._model(), self._segmentation(), wanted[1] is SurfaceColoring.UNCERTAINTY)
        if wanted[2] != applied[2]:
            self._turnVirtual(overlays)

    def _turnVirtual(self, overlays: list[Any]) -> None:
        """Draw the silhouette at the angles of the virtual C-arm."""
        vessels = self._vesselsOf(self._segmentation())
        if vessels is not None:
            taken = virtualAcquisition(
                overlays[0], self.parameters.virtualPrimaryDeg, self.parameters.virtualSecondaryDeg
            )
            updateVirtualView(self._segmentation(), vessels, taken, shapeOf(overlays[0]))
        if self._camera() == VIRTUAL:
            self.onCamera()

    def _vesselsOf(self, segmentation: Any) -> Any:
        """The voxels of the segmentation, read again only when it changed."""
        state = (segmentation.GetID(), segmentation.GetSegmentation().GetMTime())
        if self._vessels[0] != state:
            self._vessels = (state, sparseFromSegmentation(segmentation))
        return self._vessels[1]

    def _fillTables(self) -> None:
        """Show the tables of the result, also of one in a scene that was opened."""
        table = self.parameters.outputTable if self.parameters is not None else None
        tables = (table, measurementsOf(self._segmentation()))
        if tables != self._tables:
            self._tables = tables
            self.application.showTable(self.ui.fitTableView, tables[0])
            self.application.showTable(self.ui.measurementsTableView, tables[1])

    def _fillCameras(self, overlays: list[Any]) -> None:
        """List the free camera, one for each view and the virtual C-arm."""
        entries = [(_("Free"), FREE)]
        for index, overlay in enumerate(overlays):
            taken = acquisitionOf(overlay)
            angles = describeAngles(taken.primary_deg, taken.secondary_deg)
            entries.append((_("View {number}: {angles}").format(number=index + 1, angles=angles), overlay.GetID()))
        entries.append((_("Virtual C-arm"), VIRTUAL))
        if [text for text, _camera in entries] == self._cameras:
            return
        self._cameras = [text for text, _camera in entries]
        blocked = self.ui.cameraSelector.blockSignals(True)
        self.ui.cameraSelector.clear()
        for text, camera in entries:
            self.ui.cameraSelector.addItem(text, camera)
        self.ui.cameraSelector.blockSignals(blocked)

    def _camera(self) -> str:
        """FREE, VIRTUAL or the identifier of an overlay."""
        data = self.ui.cameraSelector.itemData(self.ui.cameraSelector.property("currentIndex"))
        return str(data or FREE)

    # ---- buttons ----------------------------------------------------------------------------

    def onLayout(self, *_args: Any) -> None:
        """Show the result beside its angiograms."""
        overlays = overlaysOf(self._segmentation())
        if not overlays or not self.application.setLayout(min(len(overlays), MOST_VIEWS)):
            return
        if self._segmentation().GetNodeReference(VIRTUAL_ROLE) is None:
            self._turnVirtual(overlays)
        virtual = self._segmentation().GetNodeReference(VIRTUAL_ROLE)
        showInViews(overlays, virtual, self.parameters.overlayOpacity, self.application.applicationLogic())

    def onShow(self, *_args: Any) -> None:
        """Show the segmentation in 3D."""
        if self._segmentation() is not None:
            self.application.showSegmentation(self._segmentation())

    def onCamera(self, *_args: Any) -> None:
        """Put the camera of the 3D view where an angiogram was seen from."""
        overlays, chosen = overlaysOf(self._segmentation()), self._camera()
        node = self.application.cameraNode() if overlays and chosen != FREE else None
        if node is None:
            return
        overlay = next((found for found in overlays if found.GetID() == chosen), overlays[0])
        taken = acquisitionOf(overlay)
        if chosen == VIRTUAL:
            angles = (self.parameters.virtualPrimaryDeg, self.parameters.virtualSecondaryDeg)
            taken = virtualAcquisition(overlay, *angles)
        putCamera(node, taken, shapeOf(overlay))

    def onReport(self, *_args: Any) -> None:
        """Open the report of the result."""
        html = reportOf(self._segmentation())
        if html:
            if self._reportFolder is None:
                self._reportFolder = Path(tempfile.mkdtemp(prefix="XRADiffSlicer-report-"))
                weakref.finalize(self, shutil.rmtree, self._reportFolder, ignore_errors=True)
            path = self._reportFolder / "report.html"
            path.write_text(html, encoding="utf-8")
            self.application.openFile(path)

    def onExport(self, *_args: Any) -> None:
        """Write the ticked files into a folder."""
        folder = self.application.chooseFolder(_("Folder for the files of the result"))
        if not folder or self._segmentation() is None:
            return
        ticks = {VOLUME: "Volume", SEGMENTATION: "Segmentation", SURFACE: "Surface", REPORT: "Report"}
        wanted = [kind for kind, word in ticks.items() if getattr(self.ui, f"export{word}CheckBox").isChecked()]
        try:
            files = exportResult(self._outputs(), folder, wanted)
        except OSError as error:
            self._say(str(error))
            return
        self._say(_("Exported {files} to {folder}.").format(files=", ".join(f.name for f in files), folder=folder))
