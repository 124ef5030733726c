"""Draw what the layout of a result shows: python Testing/Slicer/layout_screenshot.py OUT.png.

3D view with its camera at view 1, virtual C-arm, and both angiograms of a synthetic case (grey runs with drawn masks)
with their overlays. The slice views are Slicer's own (`slice_view.py`); the arrangement in windows is not proved here.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

SIZE = 512
BORDER = 4
BACKGROUND = (0.75, 0.76, 0.91)


def syntheticRuns(folder):
    """Return the proxy volumes of both runs of a synthetic case, each with the mask of the frame that it shows."""
    import SimpleITK as sitk
    from xradiff.dataset import write_case
    from xradiff.synthetic.case import CaseOptions, draw_case
    from XRADiffSlicerLib.Masks import newMask
    from XRADiffSlicerLib.Runs import frameOf
    from XRADiffSlicerLib.SyntheticCase import loadSyntheticCase

    write_case(folder, draw_case(CaseOptions(side="left", poses="clinical", frames=24), 11, 0), 1.0)
    images = loadSyntheticCase(folder).angiograms
    for index, image in enumerate(images):
        masks = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / f"view{index}_masks.nrrd")))
        newMask(image, frameOf(image), masks[frameOf(image)] > 0)
    return images


def rendered(model, cameraNode):
    """The surface as a 3D view with this camera draws it."""
    import vtk
    from slice_view import grabbed

    mapper, actor, renderer = vtk.vtkPolyDataMapper(), vtk.vtkActor(), vtk.vtkRenderer()
    mapper.SetInputData(model.GetPolyData())
    mapper.ScalarVisibilityOff()
    actor.SetMapper(mapper)
    actor.GetProperty().SetColor(0.85, 0.25, 0.22)
    renderer.AddActor(actor)
    renderer.SetBackground(*BACKGROUND)
    renderer.SetActiveCamera(cameraNode.GetCamera())
    renderer.ResetCameraClippingRange()
    window = vtk.vtkRenderWindow()
    window.SetOffScreenRendering(1)
    window.SetSize(SIZE, SIZE)
    window.AddRenderer(renderer)
    return grabbed(window)


def main(path):
    """Write the picture to `path`."""
    import SimpleITK as sitk
    import slicer
    from qt_panel import KEPT, application, makePanel, newScene
    from slice_view import drawn

    application()
    scene = newScene()
    applicationLogic = KEPT[-1]
    from panel_stand_ins import Views
    from XRADiffSlicerLib import Layout, ResultViews
    from XRADiffSlicerLib.Launchers import ThreadLauncher
    from XRADiffSlicerLib.Logic import ReconstructionLogic
    from XRADiffSlicerLib.Parameters import Parameters

    panel = makePanel(
        scene, ReconstructionLogic(ThreadLauncher()), Parameters(scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode"))
    )
    panel.results.application.views = Views(applicationLogic)
    with tempfile.TemporaryDirectory() as name:
        panel.parameters.view0, panel.parameters.view1 = syntheticRuns(Path(name) / "case")
    panel.ui.applyButton.click()
    panel.logic.worker.wait()
    print(panel.ui.statusLabel.text())
    panel.parameters.virtualPrimaryDeg, panel.parameters.virtualSecondaryDeg = 0.0, 0.0
    overlay = ResultViews.overlaysOf(panel.parameters.outputSegmentation)[0]
    camera = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLCameraNode")
    ResultViews.putCamera(camera, ResultViews.acquisitionOf(overlay), ResultViews.shapeOf(overlay))
    first, second, virtual = (
        drawn(applicationLogic, tag, (SIZE, SIZE))
        for tag in (Layout.viewTag(0), Layout.viewTag(1), Layout.VIRTUAL_TAG)
    )
    rows = [[rendered(panel.parameters.outputModel, camera), first], [virtual, second]]
    picture = framed(rows).round().astype(np.uint8)
    sitk.WriteImage(sitk.GetImageFromArray(picture, isVector=True), path, useCompression=True)


def framed(rows):
    """The pictures side by side with a border between them."""
    picture = np.full((2 * SIZE + BORDER, 2 * SIZE + BORDER, 3), 200.0)
    for row, pictures in enumerate(rows):
        for column, one in enumerate(pictures):
            top, left = row * (SIZE + BORDER), column * (SIZE + BORDER)
            picture[top : top + SIZE, left : left + SIZE] = one
    return picture


if __name__ == "__main__":
    main(*sys.argv[1:])
