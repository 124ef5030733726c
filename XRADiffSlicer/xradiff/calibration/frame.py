"""The directions that matter for two views, and the epipolar coordinate of a pixel in mm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..geometry import Camera, triangulate
from ..geometry.epipolar import epipolar_normal

__all__ = ["PairFrame", "pair_frame", "ray_normals"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PairFrame:
    """Two cameras and the axes of what two views can tell about a shift between them.

    Attributes:
        a, b: the cameras as they stand.
        origin: (3,) closest point of the rays through the middles of the two masks, LPS mm.
        n: (3,) unit vector d_A x d_B, across the epipolar planes: a shift along it opens gaps between rays.
        m: (3,) unit vector n x baseline: a shift along it mostly changes the size of the image.
        baseline: (3,) unit vector along S_B - S_A: a shift along it changes no epipolar plane.
    """

    a: Camera
    b: Camera
    origin: Array
    n: Array
    m: Array
    baseline: Array

    def coordinate_mm(self, camera: Camera, pixels: ArrayLike) -> Array:
        """Return s (...): the epipolar plane of each pixel (..., 2) of `camera` meets origin + s n.

        A point that both views show has the same s in both.
        """
        plane = np.cross(self.b.source - self.a.source, camera.ray_directions(pixels))
        across: Array = (plane @ (camera.source - self.origin)) / (plane @ self.n)
        return across


def pair_frame(a: Camera, b: Camera, centre_a: ArrayLike, centre_b: ArrayLike) -> PairFrame:
    """Return the frame of two cameras whose masks have their middles at pixels `centre_a`, `centre_b` (2,).

    Raises:
        InputError: the two views look along the same line.
    """
    n = epipolar_normal(a, b)
    baseline = b.source - a.source
    baseline = baseline - (baseline @ n) * n
    baseline /= np.linalg.norm(baseline)
    origin = triangulate([a, b], [np.asarray(centre_a), np.asarray(centre_b)])
    return PairFrame(a, b, origin, n, np.cross(n, baseline), baseline)


def ray_normals(a: Camera, b: Camera, pixels_a: ArrayLike, pixels_b: ArrayLike) -> tuple[Array, Array]:
    """Return the unit normals n_i (..., 3) of the rays' common perpendiculars and the gaps g_i (...) in mm.

    g_i = n_i . (S_B - S_A); a further displacement t of the object in view B makes it n_i . (S_B - t - S_A).
    """
    normal = np.cross(a.ray_directions(pixels_a), b.ray_directions(pixels_b))
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-12)
    gap: Array = normal @ (b.source - a.source)
    return normal, gap
