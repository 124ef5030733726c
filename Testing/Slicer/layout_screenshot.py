"""Draw what the layout of a result shows: python Testing/Slicer/layout_screenshot.py OUT.png.

3D view with the camera at view 1, virtual C-arm, and both angiograms of the bundled case with their overlays, from the
nodes that the module makes. The arrangement in windows is Slicer's and not proved here.
"""

from __future__ import annotations

import sys

import numpy as np

SIZE = 512
OPACITY = 0.6


def grey(node: object) -> np.ndarray:
    """The image of a node as three channels from 0 to 255."""
    from XRADiffSlicerLib.NodeConversion import imageFromNode

    pixels = imageFromNode(node).astype(float)
    return np.repeat((255 * pixels / max(pixels.max(), 1))[..., None], 3, axis=2)


def overlaid(overlay: object) -> np.ndarray:
    """An angiogram under its overlay, in the colors of the overlay's table."""
    from XRADiffSlicerLib.NodeConversion import imageFromNode
    from XRADiffSlicerLib.ResultViews import COLORS, viewOf

    picture, labels = 0.35 * grey(viewOf(overlay)), imageFromNode(overlay)
    for label, (_name, color) in COLORS.items():
        picture[labels == label] = (1 - OPACITY) * picture[labels == label] + OPACITY * np.array(color)
    return picture


def rendered(model: object, cameraNode: object) -> np.ndarray:
    """The surface as a 3D view with this camera draws it."""
    import vtk
    from vtk.util.numpy_support import vtk_to_numpy

    mapper, actor, renderer = vtk.vtkPolyDataMapper(), vtk.vtkActor(), vtk.vtkRenderer()
    mapper.SetInputData(model.GetPolyData())
    mapper.ScalarVisibilityOff()
    actor.SetMapper(mapper)
    actor.GetProperty().SetColor(0.85, 0.25, 0.22)
    renderer.AddActor(actor)
    renderer.SetBackground(0.75, 0.76, 0.91)
    renderer.SetActiveCamera(cameraNode.GetCamera())
    renderer.ResetCameraClippingRange()
    window = vtk.vtkRenderWindow()
    window.SetOffScreenRendering(1)
    window.SetSize(SIZE, SIZE)
    window.AddRenderer(renderer)
    window.Render()
    grab = vtk.vtkWindowToImageFilter()
    grab.SetInput(window)
    grab.Update()
    picture = vtk_to_numpy(grab.GetOutput().GetPointData().GetScalars()).reshape(SIZE, SIZE, 3)
    return picture[::-1].astype(float)


def main(path: str) -> None:
    """Write the picture to `path`."""
    import slicer
    from qt_panel import newScene

    newScene()
    from XRADiffSlicerLib.Logic import ReconstructionLogic
    from XRADiffSlicerLib.ResultViews import (
        acquisitionOf,
        putCamera,
        shapeOf,
        sparseFromSegmentation,
        updateVirtualView,
        virtualAcquisition,
    )
    from XRADiffSlicerLib.SampleData import loadDemo

    outputs = ReconstructionLogic().reconstruct(loadDemo())
    first, second = outputs.overlays
    camera = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLCameraNode")
    putCamera(camera, acquisitionOf(first), shapeOf(first))
    turned = virtualAcquisition(first, 0, 0)
    virtual = updateVirtualView(
        outputs.segmentation, sparseFromSegmentation(outputs.segmentation), turned, (SIZE, SIZE)
    )
    rows = [[rendered(outputs.model, camera), overlaid(first)], [grey(virtual), overlaid(second)]]
    picture = np.concatenate([np.concatenate(row, axis=1) for row in rows]).round().astype(np.uint8)

    import SimpleITK as sitk

    sitk.WriteImage(sitk.GetImageFromArray(picture, isVector=True), path, useCompression=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
