"""Soft volume -> closed smooth surface: marching cubes, windowed sinc smoothing, volume kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..checks import check_range
from ..datatypes import SparseVolume, SurfaceMesh, VolumeGrid
from ..errors import InputError
from ..memory import check_memory
from ..progress import Progress, silent
from .mesh import area_vectors, enclosed_volume_mm3
from .vtk_mesh import from_polydata, to_polydata

if TYPE_CHECKING:
    from vtkmodules.vtkCommonDataModel import vtkPolyData

__all__ = ["PASS_BAND", "surface_of"]

Array = NDArray[np.float64]
PASS_BAND = 0.1
LARGEST_OFFSET_VOXELS = 0.25


def surface_of(
    volume: SparseVolume, *, level: float = 0.5, smoothing: int = 20, progress: Progress = silent
) -> SurfaceMesh:
    """Return the closed surface of the voxels of at least `level`, outward normals, LPS mm.

    Marching cubes (flying edges: Schroeder et al. 2015, doi:10.1109/LDAV.2015.7348069) on the values
    with zeros around them, then windowed sinc smoothing (Taubin et al. 1996, doi:10.1007/BFb0015549,
    which does not shrink to first order). Both cut convex corners, about a tenth of the volume of a
    tube three voxels across; so each vertex is moved along its normal by one common distance (at
    most a quarter voxel) until the mesh encloses the volume of the voxels inside.

    Args:
        volume: soft or binary values.
        level: values of at least this lie inside, > 0.
        smoothing: iterations of the smoothing filter; 0 leaves the marching cubes surface as it is,
            its volume included.
        progress: told and asked between the steps.

    Raises:
        InputError: no voxel reaches the level, or the bounding box does not fit into memory.
    """
    check_range("surface level", level, 0, open_minimum=True)
    check_range("smoothing iterations", smoothing, 0, 1000)
    inside = int(np.count_nonzero(volume.values >= level))
    if inside == 0:
        raise InputError(f"no voxel has a value of at least {level:g}; there is no surface")
    # float32 values, and the edge table and triangles of the marching cubes
    needed = 14.0 * volume.bounding_grid(margin=1).size
    check_memory(needed, "extracting the surface", "choose a larger voxel")
    progress(0.0, "extracting the surface")
    mesh = _outward(from_polydata(_marching_cubes(*volume.to_dense(margin=1), level)))
    if smoothing:
        progress(0.5, "smoothing the surface")
        mesh = _smoothed(mesh, int(smoothing))
        spacing = volume.grid.spacing_mm
        mesh = _with_volume(mesh, inside * float(np.prod(spacing)), min(spacing))
    progress(1.0, f"surface of {len(mesh.triangles)} triangles")
    return mesh


def _marching_cubes(values: NDArray[np.float32], grid: VolumeGrid, level: float) -> vtkPolyData:
    """Return the level set of `values` (nx, ny, nz) on `grid`."""
    from vtkmodules.util.numpy_support import numpy_to_vtk
    from vtkmodules.vtkCommonDataModel import vtkImageData
    from vtkmodules.vtkFiltersCore import vtkFlyingEdges3D

    # A value equal to the level would put several vertices on one grid point: step inside.
    step = max(abs(level) * 1e-4, 1e-6)
    near = np.abs(values - level) < step
    values[near] = level + np.where(values[near] >= level, step, -step)
    image = vtkImageData()
    image.SetDimensions(*grid.shape)
    image.SetSpacing(*grid.spacing_mm)
    image.SetOrigin(*grid.origin_lps_mm)
    image.GetPointData().SetScalars(numpy_to_vtk(values.ravel(order="F"), deep=True))
    cubes = vtkFlyingEdges3D()
    cubes.SetInputData(image)
    cubes.SetValue(0, level)
    cubes.ComputeNormalsOff()
    cubes.ComputeGradientsOff()
    cubes.ComputeScalarsOff()
    cubes.Update()
    surface: vtkPolyData = cubes.GetOutput()
    return surface


def _outward(mesh: SurfaceMesh) -> SurfaceMesh:
    """Return the mesh turned so that it encloses a positive volume."""
    if enclosed_volume_mm3(mesh) >= 0:
        return mesh
    return SurfaceMesh(mesh.vertices_lps_mm, np.ascontiguousarray(mesh.triangles[:, ::-1]))


def _smoothed(mesh: SurfaceMesh, iterations: int) -> SurfaceMesh:
    """Return the mesh after `iterations` of windowed sinc smoothing; the triangles stay."""
    from vtkmodules.vtkFiltersCore import vtkWindowedSincPolyDataFilter

    smoother = vtkWindowedSincPolyDataFilter()
    smoother.SetInputData(to_polydata(mesh))
    smoother.SetNumberOfIterations(iterations)
    smoother.SetPassBand(PASS_BAND)
    smoother.BoundarySmoothingOff()
    smoother.FeatureEdgeSmoothingOff()
    smoother.NonManifoldSmoothingOn()
    smoother.NormalizeCoordinatesOn()
    smoother.Update()
    return SurfaceMesh(from_polydata(smoother.GetOutput()).vertices_lps_mm, mesh.triangles)


def _with_volume(mesh: SurfaceMesh, target_mm3: float, voxel_mm: float) -> SurfaceMesh:
    """Return the mesh moved along its normals until it encloses `target_mm3` (two Newton steps)."""
    left = LARGEST_OFFSET_VOXELS * voxel_mm
    for _ in range(2):
        area = float(np.linalg.norm(area_vectors(mesh), axis=1).sum())
        wanted = (target_mm3 - enclosed_volume_mm3(mesh)) / area
        offset = float(np.clip(wanted, -left, left))
        left -= abs(offset)
        mesh = SurfaceMesh(mesh.vertices_lps_mm + offset * _vertex_normals(mesh), mesh.triangles)
    return mesh


def _vertex_normals(mesh: SurfaceMesh) -> Array:
    """Return (V, 3) unit normals, the area-weighted mean of the triangles around each vertex."""
    total = np.zeros_like(mesh.vertices_lps_mm)
    vectors = area_vectors(mesh)
    for corner in range(3):
        for axis in range(3):
            total[:, axis] += np.bincount(mesh.triangles[:, corner], vectors[:, axis], minlength=len(total))
    normals: Array = total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)
    return normals
