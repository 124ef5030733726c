"""SurfaceMesh <-> vtkPolyData; coordinates pass unchanged (LPS mm)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..datatypes import SurfaceMesh
from ..errors import InputError

if TYPE_CHECKING:
    from vtkmodules.vtkCommonDataModel import vtkPolyData

__all__ = ["from_polydata", "to_polydata"]


def to_polydata(mesh: SurfaceMesh) -> vtkPolyData:
    """Return a vtkPolyData with the mesh's vertices (float64) and triangles; it owns its memory."""
    from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray
    from vtkmodules.vtkCommonCore import vtkPoints
    from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData

    points = vtkPoints()
    points.SetDataTypeToDouble()
    points.SetData(numpy_to_vtk(np.ascontiguousarray(mesh.vertices_lps_mm, dtype=np.float64), deep=True))
    offsets = np.arange(0, 3 * len(mesh.triangles) + 1, 3, dtype=np.int64)
    corners = np.ascontiguousarray(mesh.triangles, dtype=np.int64).ravel()
    cells = vtkCellArray()
    cells.SetData(numpy_to_vtkIdTypeArray(offsets, deep=True), numpy_to_vtkIdTypeArray(corners, deep=True))
    polydata = vtkPolyData()
    polydata.SetPoints(points)
    polydata.SetPolys(cells)
    return polydata


def from_polydata(polydata: vtkPolyData) -> SurfaceMesh:
    """Return the triangles of `polydata`.

    Raises:
        InputError: a cell is not a triangle.
    """
    from vtkmodules.util.numpy_support import vtk_to_numpy

    if polydata.GetNumberOfPolys() == 0:
        return SurfaceMesh(np.zeros((0, 3)), np.zeros((0, 3), dtype=np.int64))
    cells = polydata.GetPolys()
    if cells.IsHomogeneous() != 3 or polydata.GetNumberOfStrips():
        raise InputError("the surface holds cells that are not triangles; triangulate it first")
    vertices = vtk_to_numpy(polydata.GetPoints().GetData()).astype(np.float64)
    triangles = vtk_to_numpy(cells.GetConnectivityArray()).astype(np.int64).reshape(-1, 3)
    return SurfaceMesh(vertices, triangles)
