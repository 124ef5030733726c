"""Draw the panel after a run on the bundled case: python Testing/Slicer/panel_screenshot.py OUT.png [light|dark].

The panel, its worker process and the scene are real; see qt_panel.py for what stands in. Its sections stand in columns
side by side; in Slicer they are one below the other.
"""

from __future__ import annotations

import sys
from itertools import pairwise

from PySide6.QtCore import QRect
from PySide6.QtGui import QPainter, QPixmap
from qt_panel import application, grab, makePanel, newScene
from qt_widgets import MODULE, darken

WIDTH, GAP = 460, 12
COLUMNS = ("resultsCollapsibleButton",)  # each begins a new column


def main(path: str, style: str = "light") -> None:
    """Write the picture to `path`."""
    app = application()
    if style == "dark":
        darken(app)
    scene = newScene()
    from XRADiffSlicerLib.Launchers import ThreadLauncher
    from XRADiffSlicerLib.Logic import ReconstructionLogic
    from XRADiffSlicerLib.Parameters import Parameters
    from XRADiffSlicerLib.SampleData import loadDemo

    parameters = Parameters(scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode"))
    panel = makePanel(scene, ReconstructionLogic(ThreadLauncher()), parameters)
    parameters.view0, parameters.view1 = loadDemo()
    panel.ui.applyButton.click()
    panel.logic.worker.wait()
    print(panel.ui.statusLabel.text())
    panel.installation.fill()
    for index in range(2):
        getattr(panel.ui, f"geometryGroupBox{index}").setCollapsed(index > 0)
    panel.ui.measurementsGroupBox.setCollapsed(False)
    panel.ui.logGroupBox.setCollapsed(False)
    for label in (panel.ui.packagesLabel, panel.ui.weightsLabel):
        label.setText(label.text().replace(str(MODULE), "...").replace(sys.prefix, "..."))
    grab(panel.form, WIDTH, path)
    inColumns(panel, path)


def inColumns(panel, path):
    """Cut the picture in `path` where COLUMNS begin and lay the pieces side by side."""
    whole = QPixmap(path)
    cuts = [0, *(getattr(panel.ui, name).geometry().top() - 4 for name in COLUMNS), whole.height()]
    pieces = [whole.copy(QRect(0, top, WIDTH, bottom - top)) for top, bottom in pairwise(cuts)]
    width = len(pieces) * WIDTH + (len(pieces) - 1) * GAP
    picture = QPixmap(width, max(piece.height() for piece in pieces))
    picture.fill(panel.form.palette().window().color())
    painter = QPainter(picture)
    for index, piece in enumerate(pieces):
        painter.drawPixmap(index * (WIDTH + GAP), 0, piece)
    painter.end()
    picture.save(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
