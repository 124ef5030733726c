"""Asymmetric things whose place is known, for the tests."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from xradiff.datatypes import Acquisition, AngiogramView, SparseVolume, SurfaceMesh, VolumeGrid
from xradiff.quantification import summarise
from XRADiffSlicerLib import Contents, NodeConversion

GRID = VolumeGrid((20, 24, 30), (0.5, 0.5, 0.5), (-3.0, 11.0, -40.0))
LEFT_ANTERIOR = Acquisition(35.0, -8.0, 1050.0, 740.0, (0.6, 0.6))
RIGHT_ANTERIOR = Acquisition(-40.0, 12.0, 1050.0, 740.0, (0.6, 0.6))
SPHERE_CENTRE, SPHERE_RADIUS = np.array([4.0, -6.0, 9.0]), 5.0


def corner() -> SparseVolume:
    """A thick L with a foot along +z: no symmetry of the cube leaves it alone."""
    dense = np.zeros(GRID.shape, np.float32)
    dense[3:15, 4:7, 5:8] = 0.9
    dense[3:6, 4:13, 5:8] = 0.7
    dense[3:6, 4:7, 5:26] = 0.5
    return SparseVolume.from_dense(dense, GRID)


def tetrahedron() -> SurfaceMesh:
    """Four corners, one per axis, outward triangles."""
    vertices = np.array([[1.0, 2, 3], [11, 2, 3], [1, 7, 3], [1, 2, 23]])
    return SurfaceMesh(vertices, np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]))


def fits() -> tuple[SimpleNamespace, ...]:
    """Two rows of a fit table."""
    return tuple(
        SimpleNamespace(
            view_name=f"view {i}", coverage=0.99 - i / 100, precision=0.8, dice=0.9, chamfer_px=1.5, chamfer_mm=0.4
        )
        for i in (0, 1)
    )


def result(uncertainty: SparseVolume | None = None) -> SimpleNamespace:
    """What a reconstruction returns."""
    return SimpleNamespace(
        probability=corner(),
        uncertainty=uncertainty,
        segmentation=corner(),
        surface=tetrahedron(),
        fits=fits(),
        views=(),
        warnings=("Take care.",),
        notes=("Weights: mine.",),
        side=None,
        summary=summarise(corner()),
        segment=(),
    )


def sphereViews(shape: tuple[int, int] = (160, 200)) -> list[AngiogramView]:
    """Masks (0 and 255) of a sphere seen from two sides."""
    from xradiff.geometry import camera_of

    views = []
    for index, acquisition in enumerate((LEFT_ANTERIOR, RIGHT_ANTERIOR)):
        blank = AngiogramView(f"sphere {index}", np.zeros(shape, np.uint8), acquisition)
        camera = camera_of(blank)
        rows, columns = np.indices(shape)
        rays = camera.ray_directions(np.stack([rows, columns], axis=-1))
        toCentre = SPHERE_CENTRE - camera.source
        distance = np.linalg.norm(np.cross(rays, toCentre), axis=-1)
        pixels = np.where(distance <= SPHERE_RADIUS, 255, 0).astype(np.uint8)
        views.append(AngiogramView(f"sphere {index}", pixels, acquisition))
    return views


def fillVolume(node, volume):
    """Put a sparse volume into a volume node."""
    dense, grid = volume.to_dense(margin=1)
    NodeConversion.updateVolumeFromArray(node, np.ascontiguousarray(dense.T), Contents.ijkToRasFromGrid(grid))


def fillSegmentation(node, volume):
    """Make the voxels of a sparse volume the coronary segment of a node."""
    dense, grid = volume.to_dense(margin=1)
    NodeConversion.updateSegmentationFromArray(node, dense.T > 0, Contents.ijkToRasFromGrid(grid))


def fillModel(node, mesh):
    """Put a mesh into a model node."""
    arrays = Contents.surfaceArrays(mesh)
    NodeConversion.updateModelFromArrays(node, arrays["points"], arrays["triangles"], arrays["normals"])
