"""What two or more views imply of the vessel at a voxel, if they see the same one: how far its wall is.

Each view puts the vessel's axis into the plane through the ray and the vessel's direction in the image, so far to
one side as the pixel lies beside the vessel's middle line. The planes of two views meet in the axis.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["implied_wall"]

Array = NDArray[np.float32]

DAMPING = 0.01
"""Added to the normal equations, so that planes that nearly coincide leave the axis where the images show it."""


def implied_wall(
    normals: Sequence[Array], offsets_mm: Sequence[Array], radius_mm: Array, children_mm: Array
) -> tuple[Array, Array]:
    """Return the distance (N, 8) of the children from the wall of the implied vessel, and how well it is known.

    The distance is in mm, negative inside. How well, (N,): 0 where the planes coincide, 1 where they are
    perpendicular (second eigenvalue of the sum of their normals' outer products).

    Args:
        normals: of each view, (N, 3) unit normals of the planes, towards the vessel's middle line.
        offsets_mm: of each view, (N,) how far the middle line is that way.
        radius_mm: (N,) of the vessel.
        children_mm: (N, 8, 3) the children's places from the points that the offsets belong to.
    """
    matrix = np.zeros((len(radius_mm), 3, 3))
    right = np.zeros((len(radius_mm), 3))
    for normal, offset in zip(normals, offsets_mm, strict=True):
        matrix += normal[:, :, None] * normal[:, None, :]
        right += normal * offset[:, None]
    axis = np.linalg.solve(matrix + DAMPING * np.eye(3), right[..., None])[..., 0]
    values, vectors = np.linalg.eigh(matrix)
    along = vectors[:, :, 0]
    across = children_mm - (children_mm @ along[:, :, None]) * along[:, None, :]
    distance = np.linalg.norm(axis[:, None] - across, axis=2)
    return (distance - radius_mm[:, None]).astype(np.float32), values[:, 1].astype(np.float32)
