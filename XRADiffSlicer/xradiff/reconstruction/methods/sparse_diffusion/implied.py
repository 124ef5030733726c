"""What two or more views imply of the vessel at a voxel, if they see the same one: how far its wall is.

Each view puts the vessel's axis into the plane through the ray and the vessel's direction in the image, so far to
one side as the pixel lies beside the vessel's middle line. The planes of two views meet in the axis.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["implied_wall", "outer"]

Array = NDArray[np.float32]

DAMPING = 0.01
"""Added to the normal equations, so that planes that nearly coincide leave the axis where the images show it."""


def implied_wall(
    normals: Sequence[Array], offsets_mm: Sequence[Array], radius_mm: Array, children_mm: Array
) -> tuple[Array, Array]:
    """Return the distance (N, 8) of the children from the wall of the implied vessel, and how well it is known.

    The distance is in mm, negative inside. How well, (N,): 0 where all planes coincide; of two views sin^2 of the
    angle between the planes.

    With the sum M of the normals' outer products, and a damping d, the axis lies at (M + d)^-1 sum(offset * normal)
    and d (M + d)^-1 projects onto its direction; where planes nearly coincide both stay where the images show them.

    Args:
        normals: of each view, (N, 3) unit normals of the planes, towards the vessel's middle line.
        offsets_mm: of each view, (N,) how far the middle line is that way.
        radius_mm: (N,) of the vessel.
        children_mm: (N, 8, 3) the children's places from the points that the offsets belong to.
    """
    xx, yy, zz, xy, yz, zx = np.sum([outer(normal) for normal in normals], axis=0).T
    known = xx * yy - xy * xy + yy * zz - yz * yz + zz * xx - zx * zx
    xx, yy, zz = xx + DAMPING, yy + DAMPING, zz + DAMPING
    rows = [
        [yy * zz - yz * yz, zx * yz - xy * zz, xy * yz - zx * yy],
        [zx * yz - xy * zz, xx * zz - zx * zx, xy * zx - xx * yz],
        [xy * yz - zx * yy, xy * zx - xx * yz, xx * yy - xy * xy],
    ]  # adjugate of M + d
    scale = 1 / (xx * rows[0][0] + xy * rows[0][1] + zx * rows[0][2])
    x, y, z = np.sum([normal * offset[:, None] for normal, offset in zip(normals, offsets_mm, strict=True)], axis=0).T
    moved = np.moveaxis(children_mm, 2, 0)
    squared = np.zeros(children_mm.shape[:2], dtype=np.float32)
    for axis, (a, b, c) in enumerate(rows):
        place = (scale * (a * x + b * y + c * z))[:, None]
        along = [(DAMPING * scale * part)[:, None] for part in (a, b, c)]
        across = moved[axis] - along[0] * moved[0] - along[1] * moved[1] - along[2] * moved[2]
        squared += (place - across) ** 2
    return np.sqrt(squared) - radius_mm[:, None], known


def outer(vectors: Array) -> Array:
    """Return (N, 6): xx, yy, zz, xy, yz, zx of vectors (N, 3); their sign does not matter."""
    products = np.concatenate([vectors**2, vectors * np.roll(vectors, -1, axis=1)], axis=1)
    return np.asarray(products, dtype=np.float32)
