"""Where the tree can lie: the space that the masks' bounding boxes see, as a voxel grid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.spatial import HalfspaceIntersection

from ..datatypes import AngiogramView, VolumeGrid
from ..errors import InputError
from .camera import Camera, camera_of
from .epipolar import wide_pairs

__all__ = ["common_space", "grid_around"]

FAR_MM = 1000.0


def _pyramid(mask: NDArray[np.bool_], camera: Camera, margin_mm: float) -> NDArray[np.float64]:
    """Half-spaces (5, 4), n.x + c <= 0, of the space seen through the mask's bounding box."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    # the margin is meant at the tree, which is nearer to the source than the detector: it errs to the large side
    pad = 0.5 + margin_mm / camera.pixel_size_mm(camera.sid_mm / 2)
    r0, r1, c0, c1 = rows[0] - pad, rows[-1] + pad, columns[0] - pad, columns[-1] + pad
    corners = camera.ray_directions(np.array([[r0, c0], [r0, c1], [r1, c1], [r1, c0]]))
    inward = corners.sum(axis=0)
    planes = []
    for first, second in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        normal = np.cross(first, second)
        normal /= np.linalg.norm(normal)
        normal = -normal if normal @ inward > 0 else normal
        planes.append([*normal, -normal @ camera.source])
    planes.append([*camera.d, -camera.d @ camera.source - camera.sid_mm])
    return np.array(planes)


def common_space(views: Sequence[AngiogramView], margin_mm: float = 0.0) -> NDArray[np.float64]:
    """Return the corners (V, 3) in LPS mm of the convex space seen through every mask's bounding box.

    Raises:
        InputError: the views' cones do not meet.
    """
    planes = np.concatenate([_pyramid(view.vessel_mask(), camera_of(view), margin_mm) for view in views])
    # Chebyshev centre: the largest ball inside, whose radius is negative where there is no such space
    result = linprog(
        [0, 0, 0, -1],
        A_ub=np.hstack([planes[:, :3], np.ones((len(planes), 1))]),
        b_ub=-planes[:, 3],
        bounds=[(-FAR_MM, FAR_MM)] * 3 + [(-FAR_MM, FAR_MM)],
    )
    if not result.success or result.x[3] <= 0:
        gap = -2 * result.x[3] if result.success else float("nan")
        raise InputError(
            f"the views do not see a common space (the cones through their masks miss each other by about "
            f"{gap:.1f} mm); check the angles, the distances and the table shift"
        )
    corners: NDArray[np.float64] = HalfspaceIntersection(planes, result.x[:3]).intersections
    return corners


def grid_around(
    views: Sequence[AngiogramView], spacing_mm: float, margin_mm: float = 0.0, *, parts: int = 1
) -> VolumeGrid:
    """Return the grid of `spacing_mm` voxels that holds all that two of the masks, WIDE_DEG apart, can show.

    It lies where the rays through the masks meet, not around the isocentre: an isocentred grid
    clips real trees. What lies beside the image of a third view two others may still see.

    Args:
        views: two or more, with masks.
        spacing_mm: voxel edge.
        margin_mm: around what the masks can show.
        parts: that each edge of a voxel is divided into later. The parts' centres are multiples of their edge, in
            LPS mm: volumes with one spacing, of any views and of generated trees, share their voxels.

    Raises:
        InputError: the views' cones do not meet.
    """
    corners = common_space(views, margin_mm)
    pairs = wide_pairs([camera_of(view) for view in views]) if len(views) > 2 else ()
    if pairs:
        corners = np.concatenate([common_space([views[i], views[j]], margin_mm) for i, j in pairs])
    low, high = corners.min(axis=0), corners.max(axis=0)
    part_mm = spacing_mm / parts
    middle_mm = (parts - 1) / 2 * part_mm  # of a voxel, from its first part
    first = np.floor((low - middle_mm) / part_mm) * part_mm + middle_mm
    x, y, z = (int(count) for count in np.ceil((high - first) / spacing_mm) + 1)
    return VolumeGrid((x, y, z), (spacing_mm,) * 3, (float(first[0]), float(first[1]), float(first[2])))
