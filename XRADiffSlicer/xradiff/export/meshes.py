"""Surface -> VTP and STL in LPS mm, marked the way 3D Slicer reads (and writes) it.

Slicer turns a model from LPS to RAS on reading unless the file says SPACE=RAS: in the field data
array "SPACE" of a VTP, in the 80-byte header of an STL. Both files say SPACE=LPS.
"""

from __future__ import annotations

from pathlib import Path

from ..datatypes import SurfaceMesh
from ..surface import to_polydata

__all__ = ["STL_HEADER", "write_stl", "write_vtp"]

STL_HEADER = "XRA-Diff surface. SPACE=LPS, mm. Research use only."


def write_vtp(path: Path, mesh: SurfaceMesh) -> None:
    """Write `mesh` as VTK XML polydata (float64, LPS mm).

    Raises:
        OSError: the file cannot be written.
    """
    from vtkmodules.vtkCommonCore import vtkStringArray
    from vtkmodules.vtkIOXML import vtkXMLPolyDataWriter

    polydata = to_polydata(mesh)
    for name, value in (("SPACE", "LPS"), ("UNIT", "mm")):
        array = vtkStringArray()
        array.SetName(name)
        array.InsertNextValue(value)
        polydata.GetFieldData().AddArray(array)
    writer = vtkXMLPolyDataWriter()
    writer.SetInputData(polydata)
    _write(writer, path)


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
    _write(writer, path)


def _write(writer, path: Path) -> None:  # type: ignore[no-untyped-def]
    """Write, and raise where VTK would print."""
    messages: list[str] = []
    writer.AddObserver("ErrorEvent", lambda *_: messages.append("error"))
    writer.SetFileName(str(path))
    if not writer.Write() or messages or not path.is_file():
        raise OSError(f"{path.name} could not be written")
