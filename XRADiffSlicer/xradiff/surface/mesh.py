"""Size and soundness of a triangle mesh."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..datatypes import SurfaceMesh

__all__ = ["area_vectors", "enclosed_volume_mm3", "euler_number", "is_closed", "surface_area_mm2"]

Array = NDArray[np.float64]


def area_vectors(mesh: SurfaceMesh) -> Array:
    """Return (T, 3) outward normals whose length is the triangle's area in mm2."""
    a, b, c = (mesh.vertices_lps_mm[mesh.triangles[:, corner]] for corner in range(3))
    vectors: Array = 0.5 * np.cross(b - a, c - a)
    return vectors


def surface_area_mm2(mesh: SurfaceMesh) -> float:
    """Return the sum of the triangles' areas."""
    return float(np.linalg.norm(area_vectors(mesh), axis=1).sum())


def enclosed_volume_mm3(mesh: SurfaceMesh) -> float:
    """Return the enclosed volume by the divergence theorem; positive when normals point outwards."""
    if len(mesh.triangles) == 0:
        return 0.0
    corner = mesh.vertices_lps_mm[mesh.triangles[:, 0]] - mesh.vertices_lps_mm.mean(axis=0)
    return float(np.einsum("ij,ij->", corner, area_vectors(mesh)) / 3)


def is_closed(mesh: SurfaceMesh) -> bool:
    """Return whether each edge belongs to exactly two triangles that run along it in opposite directions."""
    if len(mesh.triangles) == 0:
        return False
    edges = np.concatenate([mesh.triangles[:, [i, (i + 1) % 3]] for i in range(3)])
    count = np.int64(len(mesh.vertices_lps_mm))
    forward = np.sort(edges[:, 0] * count + edges[:, 1])
    backward = np.sort(edges[:, 1] * count + edges[:, 0])
    return bool(np.array_equal(forward, backward) and np.all(np.diff(forward) > 0))


def euler_number(mesh: SurfaceMesh) -> int:
    """Return vertices - edges + triangles: 2 for each ball, 2 less for each handle."""
    edges = np.sort(np.concatenate([mesh.triangles[:, [i, (i + 1) % 3]] for i in range(3)]), axis=1)
    used = np.unique(mesh.triangles).size
    return int(used - len(np.unique(edges, axis=0)) + len(mesh.triangles))
