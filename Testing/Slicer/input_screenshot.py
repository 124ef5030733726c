"""Draw sections 1 and 2 of the panel at work: python Testing/Slicer/input_screenshot.py FOLDER [light|dark].

The panel, its worker processes and the scene are real; see qt_panel.py for what stands in. FOLDER gets
`empty.png`, `demo.png` (the bundled case, ready for Apply) and `runs.png` (two grey runs of a synthetic case whose
frames were proposed and segmented by clicks).
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from qt_panel import application, grab, makePanel, newScene
from qt_widgets import CollapsibleButton, darken

WIDTH = 460
SHOWN = ("viewsCollapsibleButton", "reconstructionCollapsibleButton")


def draw(panel, path):
    """Write the picture of both sections to `path`."""
    for button in panel.form.findChildren(CollapsibleButton):
        button.setVisible(button.objectName() in SHOWN)
    grab(panel.form, WIDTH, path)


def click(panel, button):
    """Click and wait for the worker that was started; its next one, too."""
    button.click()
    while panel.logic.running:
        panel.logic.worker.wait(300)
    print(panel.ui.statusLabel.text())


def main(folder, style="light"):
    """Write the three pictures."""
    app = application()
    if style == "dark":
        darken(app)
    scene = newScene()
    from XRADiffSlicerLib.Launchers import ThreadLauncher
    from XRADiffSlicerLib.Logic import ReconstructionLogic
    from XRADiffSlicerLib.Parameters import Parameters
    from XRADiffSlicerLib.SampleData import loadDemo

    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    parameters = Parameters(scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode"))
    panel = makePanel(scene, ReconstructionLogic(ThreadLauncher()), parameters)
    draw(panel, target / f"empty-{style}.png")
    parameters.view0, parameters.view1 = loadDemo()
    draw(panel, target / f"demo-{style}.png")
    with tempfile.TemporaryDirectory() as name:
        parameters.view0, parameters.view1 = syntheticRuns(Path(name) / "case")
    click(panel, panel.ui.proposeFramesButton)
    click(panel, panel.ui.segmentAllButton)
    panel.ui.sidSpinBox0.setValue(panel.ui.sidSpinBox0.value() + 10)
    panel.ui.geometryGroupBox1.setCollapsed(True)
    panel.ui.moreSettingsGroupBox.setCollapsed(False)
    draw(panel, target / f"runs-{style}.png")


def syntheticRuns(folder):
    """Return the proxy volumes of both runs of a synthetic case."""
    from xradiff.dataset import write_case
    from xradiff.synthetic.case import CaseOptions, draw_case
    from XRADiffSlicerLib.SyntheticCase import loadSyntheticCase

    write_case(folder, draw_case(CaseOptions(side="left", poses="clinical", frames=20, motion="heart"), 5, 0), 1.0)
    return loadSyntheticCase(folder).angiograms


if __name__ == "__main__":
    main(*sys.argv[1:])
