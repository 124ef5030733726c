"""Stage 8, volume -> closed triangle surface in LPS mm. Loads VTK."""

from .extract import surface_of
from .mesh import enclosed_volume_mm3, euler_number, is_closed, surface_area_mm2
from .vtk_mesh import from_polydata, to_polydata

__all__ = [
    "enclosed_volume_mm3",
    "euler_number",
    "from_polydata",
    "is_closed",
    "surface_area_mm2",
    "surface_of",
    "to_polydata",
]
