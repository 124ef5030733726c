"""Centreline tree <-> VTP in LPS mm: one polyline a branch, radius and SYNTAX segment at each point."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..centreline_tree import Branch, CentrelineTree
from ..errors import InputError
from ..files import existing_file
from .meshes import mark_as_lps, write_with

if TYPE_CHECKING:
    from vtkmodules.vtkCommonDataModel import vtkPolyData

__all__ = ["read_centreline_vtp", "write_centreline_vtp"]

# the name that VMTK and its Slicer extension give to the array of radii
RADIUS = "Radius"
SEGMENT, BRANCH, PARENT, PARENT_POINT, SIDE = "Segment", "Branch", "Parent", "ParentPoint", "Side"


def write_centreline_vtp(path: Path, tree: CentrelineTree) -> None:
    """Write `tree` as VTK XML polydata: lines with point arrays Radius (mm) and Segment, cell arrays
    Branch (name), Parent and ParentPoint (indices of `Branch`), field Side.

    Raises:
        OSError: the file cannot be written.
    """
    from vtkmodules.vtkIOXML import vtkXMLPolyDataWriter

    writer = vtkXMLPolyDataWriter()
    writer.SetInputData(_polydata(tree))
    write_with(writer, path)


def _polydata(tree: CentrelineTree) -> vtkPolyData:
    from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray
    from vtkmodules.vtkCommonCore import vtkPoints
    from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData

    counts = [len(branch.points_lps_mm) for branch in tree]
    points, lines, polydata = vtkPoints(), vtkCellArray(), vtkPolyData()
    points.SetData(numpy_to_vtk(tree.points_lps_mm(), deep=True))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    ids = np.arange(offsets[-1], dtype=np.int64)
    lines.SetData(numpy_to_vtkIdTypeArray(offsets, deep=True), numpy_to_vtkIdTypeArray(ids, deep=True))
    polydata.SetPoints(points)
    polydata.SetLines(lines)
    radii = numpy_to_vtk(np.concatenate([branch.radii_mm for branch in tree]), deep=True)
    radii.SetName(RADIUS)
    polydata.GetPointData().AddArray(radii)
    polydata.GetPointData().AddArray(_strings(SEGMENT, [name for branch in tree for name in branch.segments]))
    polydata.GetCellData().AddArray(_strings(BRANCH, tree.names))
    for name, values in (
        (PARENT, [branch.parent for branch in tree]),
        (PARENT_POINT, [branch.parent_point for branch in tree]),
    ):
        array = numpy_to_vtk(np.array(values, dtype=np.int32), deep=True)
        array.SetName(name)
        polydata.GetCellData().AddArray(array)
    mark_as_lps(polydata)
    polydata.GetFieldData().AddArray(_strings(SIDE, [tree.side]))
    return polydata


def _strings(name: str, values: Iterable[object]) -> Any:
    from vtkmodules.vtkCommonCore import vtkStringArray

    array = vtkStringArray()
    array.SetName(name)
    for value in values:
        array.InsertNextValue(str(value))
    return array


def read_centreline_vtp(path: str | Path) -> CentrelineTree:
    """Read what `write_centreline_vtp` wrote.

    Raises:
        InputError: the file is missing, or lacks an array.
    """
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkIOXML import vtkXMLPolyDataReader

    file = existing_file(path, "the centreline file")
    reader = vtkXMLPolyDataReader()
    reader.AddObserver("ErrorEvent", lambda *_: None)
    reader.SetFileName(str(file))
    reader.Update()
    polydata = reader.GetOutput()
    cells, points, fields = polydata.GetCellData(), polydata.GetPointData(), polydata.GetFieldData()
    where = ((points, (RADIUS, SEGMENT)), (cells, (BRANCH, PARENT, PARENT_POINT)), (fields, (SIDE,)))
    missing = [name for data, names in where for name in names if data.GetAbstractArray(name) is None]
    if missing:
        raise InputError(f"not a centreline file of this project (it lacks the array {missing[0]}): {file}")
    positions = vtk_to_numpy(polydata.GetPoints().GetData()).astype(float)
    radii = vtk_to_numpy(points.GetArray(RADIUS)).astype(float)
    segments = _values(points.GetAbstractArray(SEGMENT))
    parents, leaves = (vtk_to_numpy(cells.GetArray(name)) for name in (PARENT, PARENT_POINT))
    ends = vtk_to_numpy(polydata.GetLines().GetOffsetsArray())
    branches = []
    for index, name in enumerate(_values(cells.GetAbstractArray(BRANCH))):
        part = slice(int(ends[index]), int(ends[index + 1]))
        names = np.array(segments[part], dtype=np.str_)
        branches.append(Branch(name, positions[part], radii[part], names, int(parents[index]), int(leaves[index])))
    return CentrelineTree(_values(fields.GetAbstractArray(SIDE))[0], tuple(branches))


def _values(array: Any) -> list[str]:
    return [array.GetValue(index) for index in range(array.GetNumberOfValues())]
