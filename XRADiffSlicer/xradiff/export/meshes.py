"""Surface -> VTP and STL in LPS mm, marked the way 3D Slicer reads (and writes) it.

Slicer turns a model from LPS to RAS on reading unless the file says SPACE=RAS: in the field data
array "SPACE" of a VTP, in the 80-byte header of an STL. Both files say SPACE=LPS.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..datatypes import SurfaceMesh
from ..surface import to_polydata

if TYPE_CHECKING:
    from vtkmodules.vtkCommonDataModel import vtkPolyData

__all__ = ["STL_HEADER", "mark_as_lps", "write_stl", "write_vtp", "write_with"]

STL_HEADER = "XRA-Diff surface. SPACE=LPS, mm. Research use only."


def write_vtp(path: Path, mesh: SurfaceMesh) -> None:
    """Write `mesh` as VTK XML polydata (float64, LPS mm).

    Raises:
        OSError: the file cannot be written.
    """
    from vtkmodules.vtkIOXML import vtkXMLPolyDataWriter

    polydata = to_polydata(mesh)
    mark_as_lps(polydata)
    writer = vtkXMLPolyDataWriter()
    writer.SetInputData(polydata)
    write_with(writer, path)


def write_stl(path: Path, mesh: SurfaceMesh) -> None:
    """Write `mesh` as binary STL (float32, LPS mm).

    Raises:
        OSError: the file cannot be written.
    """
    from vtkmodules.vtkIOGeometry import vtkSTLWriter

    writer = vtkSTLWriter()
    writer.SetInputData(to_polydata(mesh))
    writer.SetFileTypeToBinary()
    writer.SetHeader(STL_HEADER)
    write_with(writer, path)


def mark_as_lps(polydata: vtkPolyData) -> None:
    """Say in the field data that the points are LPS mm, the way Slicer reads it."""
    from vtkmodules.vtkCommonCore import vtkStringArray

    for name, value in (("SPACE", "LPS"), ("UNIT", "mm")):
        array = vtkStringArray()
        array.SetName(name)
        array.InsertNextValue(value)
        polydata.GetFieldData().AddArray(array)


def write_with(writer, path: Path) -> None:  # type: ignore[no-untyped-def]
    """Let a VTK `writer` write to `path`, and raise OSError where VTK would print."""
    messages: list[str] = []
    writer.AddObserver("ErrorEvent", lambda *_: messages.append("error"))
    writer.SetFileName(str(path))
    if not writer.Write() or messages or not path.is_file():
        raise OSError(f"{path.name} could not be written")
