"""Draw the panel after a run on the bundled case: python Testing/Slicer/panel_screenshot.py OUT.png [light|dark].

The panel, its worker process and the scene are real; see qt_panel.py for what stands in.
"""

from __future__ import annotations

import sys

from qt_panel import application, grab, makePanel, newScene
from qt_widgets import MODULE, darken

WIDTH = 460


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
    for label in (panel.ui.packagesLabel, panel.ui.weightsLabel):
        label.setText(label.text().replace(str(MODULE), "...").replace(sys.prefix, "..."))
    grab(panel.form, WIDTH, path)


if __name__ == "__main__":
    main(*sys.argv[1:])
