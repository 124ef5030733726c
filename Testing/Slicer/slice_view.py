"""What a slice view shows, drawn offscreen by Slicer's own slice logic and displayable managers.

Not proved: the arrangement of windows, the corner annotations and the mouse, which are the application's.
"""

from __future__ import annotations

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

MANAGERS = ("vtkMRMLSegmentationsDisplayableManager2D", "vtkMRMLMarkupsDisplayableManager")


def drawn(applicationLogic, tag, shape):
    """Return the picture (rows, columns, 3) of the slice view `tag`; a pixel for each of an image of this shape."""
    rows, columns = shape
    logic = applicationLogic.GetSliceLogicByLayoutName(tag)
    sliceNode = logic.GetSliceNode()
    sliceNode.SetDimensions(columns, rows, 1)
    logic.FitSliceToAll(columns, rows)
    logic.SnapSliceOffsetToIJK()
    window, interactor = vtk.vtkRenderWindow(), vtk.vtkRenderWindowInteractor()
    window.SetOffScreenRendering(1)
    window.SetSize(columns, rows)
    window.SetNumberOfLayers(2)
    interactor.SetRenderWindow(window)
    behind, front = vtk.vtkRenderer(), vtk.vtkRenderer()
    for layer, renderer in enumerate((behind, front)):
        renderer.SetLayer(layer)
        window.AddRenderer(renderer)
    mapper, image = vtk.vtkImageMapper(), vtk.vtkActor2D()
    mapper.SetInputConnection(logic.GetImageDataConnection())
    mapper.SetColorWindow(255)
    mapper.SetColorLevel(127.5)
    image.SetMapper(mapper)
    behind.AddViewProp(image)
    managers = _factory(applicationLogic).InstantiateDisplayableManagers(front)
    managers.SetMRMLDisplayableNode(sliceNode)
    picture = grabbed(window)
    managers.SetMRMLDisplayableNode(None)
    return picture


def grabbed(window):
    """Return the picture (rows, columns, 3) of a render window, row 0 on top."""
    window.Render()
    grab = vtk.vtkWindowToImageFilter()
    grab.SetInput(window)
    grab.Update()
    columns, rows, _one = grab.GetOutput().GetDimensions()
    return (
        vtk_to_numpy(grab.GetOutput().GetPointData().GetScalars()).reshape(rows, columns, 3)[::-1].astype(np.float64)
    )


def _factory(applicationLogic):
    factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()
    factory.SetMRMLApplicationLogic(applicationLogic)
    for name in MANAGERS:
        if hasattr(slicer, name) and not factory.IsDisplayableManagerRegistered(name):
            factory.RegisterDisplayableManager(name)
    return factory
