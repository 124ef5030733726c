"""Active voxels and masks -> what the network is told of each voxel, from every view and across the views.

Nothing depends on the order or the number of the views: the network pools what comes from single views, and
what is computed here across views is symmetric in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ....geometry import Camera, triangulate
from ....projection import views_that_tell
from .active import ActiveVoxels
from .implied import implied_wall, outer
from .vessel_maps import VesselMaps

__all__ = ["MEAN_RADIUS", "SHARED", "SINGLE", "WALL", "VoxelFeatures", "bundles", "voxel_features"]

Array = NDArray[np.float32]

SINGLE = 8 + 6
"""Numbers from one view: edge distance at the 8 children (mm), radius (mm), clarity of the direction, its
obliqueness, rivals on the ray (log), and how much better a rival's radii agree."""
SHARED = 6 + 6 + 3 + 3 + 2 + 8 + 2
"""Numbers across views: direction implied (outer product), viewing lines (mean outer product), radius mean,
least and disagreement, place in the tree, tolerance and voxel, distance of the 8 children from the implied vessel's
wall (mm), how well that is known, disagreement of the calibres."""
WALL = slice(20, 28)
"""Where the distances from the implied wall are among them."""
MEAN_RADIUS = 12
"""Where the mean radius (mm) is among them."""
FARTHEST_MM = 4.0
LARGEST_RADIUS_MM = 4.0
PLACE_MM = 50.0


@dataclass(frozen=True, eq=False)
class VoxelFeatures:
    """What is known of N active voxels from V views.

    Attributes:
        single: (V, N, SINGLE) from each view; distances in mm at the voxel's depth, negative inside the mask.
        seen: (V, N) 1 where the view tells of a voxel (`views_that_tell`), else 0. Of two views both do.
        shared: (N, SHARED) across the views.
        rays: (V, N) which of the view's rays (bundles as wide as a voxel) each voxel lies on, from 0.
        plane: (N,) angle in rad of the epipolar plane of the first two views; rivals of a voxel have the same.
    """

    single: Array
    seen: Array
    shared: Array
    rays: NDArray[np.int64]
    plane: Array


@dataclass(frozen=True, eq=False)
class _Seen:
    """One view's part: what its pixel says at each voxel."""

    distance: Array  # (N, 8) mm
    radius: Array  # (N,) mm
    calibre: Array  # (N,) mm
    offset: Array  # (N,) mm from the vessel's middle line; 0, like the plane's normal and clarity, where unseen
    clarity: Array  # (N,)
    ray: Array  # (N, 3) unit vector
    plane: Array  # (N, 3) unit normal of the plane through ray and vessel in the image, towards its middle line
    bin: NDArray[np.int64]  # (N,) which ray it lies on


def voxel_features(maps: Sequence[VesselMaps], voxels: ActiveVoxels, tolerance_mm: float) -> VoxelFeatures:
    """Return what the views tell of the voxels.

    Args:
        maps: of each view, two or more.
        voxels: where.
        tolerance_mm: that the voxels were chosen with.
    """
    points, children = voxels.centres_lps_mm(), voxels.children_lps_mm()
    there = views_that_tell([each.cone for each in maps], points, tolerance_mm).astype(np.float32)
    seen = [
        _seen(each, points, children, voxels.grid.spacing_mm[0], one) for each, one in zip(maps, there, strict=True)
    ]
    mean, least, most = _over_views([one.radius for one in seen], there)
    disagreement = np.asarray((most - least) / np.maximum(mean, 0.1), dtype=np.float32)
    direction = _implied_directions(seen, there)
    single = np.stack([_single(one, direction, disagreement) for one in seen])
    rays = _over_views([outer(one.ray) for one in seen], there)[0]
    place = (points - _middle(maps)) / PLACE_MM
    known = np.broadcast_to(np.array([tolerance_mm, voxels.grid.spacing_mm[0]], dtype=np.float32), (len(points), 2))
    wall = _wall(seen, there, children - points[:, None])
    shared = np.concatenate(
        [direction, rays, mean[:, None], least[:, None], disagreement[:, None], place, known, wall], axis=1
    )
    rays_of = np.stack([one.bin for one in seen])
    plane = _epipolar_angle(maps[0].camera, maps[1].camera, points)
    return VoxelFeatures(single.astype(np.float32), there, shared.astype(np.float32), rays_of, plane)


def _over_views(values: Sequence[Array], there: Array) -> tuple[Array, Array, Array]:
    """Return mean, least and most of values (N, ...) of each view, over the views that see a voxel; (V, N) 1 or 0."""
    stacked = np.stack(values)
    weight = np.broadcast_to(there.reshape(*there.shape, *[1] * (stacked.ndim - 2)), stacked.shape)
    least = np.min(stacked, axis=0, where=weight > 0, initial=np.inf)
    most = np.max(stacked, axis=0, where=weight > 0, initial=-np.inf)
    return np.average(stacked, axis=0, weights=weight).astype(np.float32), least, most


def _wall(seen: Sequence[_Seen], there: Array, children_mm: Array) -> Array:
    """Return (N, 8 + 2): distance from the implied wall, how well it is known, disagreement of the calibres."""
    mean, least, most = _over_views([one.calibre for one in seen], there)
    distance, known = implied_wall([one.plane for one in seen], [one.offset for one in seen], mean, children_mm)
    spread = (most - least) / np.maximum(mean, 0.1)
    return np.concatenate([np.clip(distance, -FARTHEST_MM, FARTHEST_MM), known[:, None], spread[:, None]], axis=1)


def _epipolar_angle(a: Camera, b: Camera, points: Array) -> Array:
    """Return the angle (N,) about the line of the two sources, from the middle of the points."""
    axis = (b.source - a.source) / np.linalg.norm(b.source - a.source)
    out = points.mean(axis=0) - a.source
    out = (out - (out @ axis) * axis) / np.linalg.norm(out - (out @ axis) * axis)
    arms = points - a.source
    return np.asarray(np.arctan2(arms @ np.cross(axis, out), arms @ out), dtype=np.float32)


def _seen(maps: VesselMaps, points: Array, children: Array, block_mm: float, there: Array) -> _Seen:
    camera = maps.camera
    distance = maps.edge.distance_mm(children.reshape(-1, 3)).reshape(-1, 8)
    pixels, depth = camera.project(points), camera.depth(points)
    size = camera.pixel_size_mm(depth)
    nearest = np.clip(np.rint(pixels), 0, np.subtract(camera.shape, 1)).astype(np.int64)
    place = (nearest[:, 0], nearest[:, 1])
    radius, calibre = (
        np.clip(each[place] * size, 0, LARGEST_RADIUS_MM).astype(np.float32)
        for each in (maps.radius_px, maps.calibre_px)
    )
    offset = np.clip(calibre + maps.edge.distance_mm(points), 0, FARTHEST_MM)
    ray = points - camera.source
    ray /= np.linalg.norm(ray, axis=1, keepdims=True)
    width = max(block_mm / float(camera.pixel_size_mm(-camera.source @ camera.d)), 1.0)
    _, ray_number = bundles(pixels, width)
    return _Seen(
        distance=np.clip(distance, -FARTHEST_MM, FARTHEST_MM).astype(np.float32),
        radius=radius,
        calibre=calibre,
        offset=(offset * there).astype(np.float32),
        clarity=maps.clarity[place] * there,
        ray=ray.astype(np.float32),
        plane=_plane(camera, maps.tangent[place], maps.inward[place], ray) * there[:, None],
        bin=ray_number,
    )


def bundles(pixels: NDArray[np.floating], width: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the squares (R, 2) of `width` pixels in which pixels (N, 2) lie, and which of them each does (N,)."""
    cell = np.floor(pixels / width).astype(np.int64)
    low = cell.min(axis=0)
    columns = int(cell[:, 1].max() - low[1]) + 1
    key, number = np.unique((cell[:, 0] - low[0]) * columns + cell[:, 1] - low[1], return_inverse=True)
    return np.stack(np.divmod(key, columns), axis=1) + low, number


def _plane(camera: Camera, tangent: Array, inward: Array, ray: NDArray[np.floating]) -> Array:
    """Return the normals (N, 3) of the planes that hold rays and vessels' directions, towards the middle lines."""
    normal = np.cross(ray, _lifted(camera, tangent))
    normal *= np.where((normal * _lifted(camera, inward)).sum(axis=1, keepdims=True) < 0, -1, 1)
    return np.asarray(normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-6), dtype=np.float32)


def _lifted(camera: Camera, step: Array) -> NDArray[np.floating]:
    """Return (N, 3) mm on the detector of steps (N, 2) in pixels (row, column)."""
    row_mm, column_mm = camera.pixel_spacing_mm
    return np.asarray(step[:, :1] * row_mm * camera.v + step[:, 1:] * column_mm * camera.u)


def _implied_directions(seen: Sequence[_Seen], there: Array) -> Array:
    """Return (N, 6): the mean over pairs of views that see a voxel of t t^T, t = n_A x n_B the direction both imply.

    Where both planes nearly coincide t is short: the images say little.
    """
    pairs = list(combinations(seen, 2))
    total = sum(outer(np.cross(a.plane, b.plane) * np.sqrt(a.clarity * b.clarity)[:, None]) for a, b in pairs)
    views = there.sum(axis=0)
    return np.asarray(total / np.maximum(views * (views - 1) / 2, 1)[:, None], dtype=np.float32)


def _single(one: _Seen, direction: Array, disagreement: Array) -> Array:
    """Return the (N, SINGLE) numbers of one view."""
    x, y, z = one.ray.T
    weights = np.stack([x * x, y * y, z * z, 2 * x * y, 2 * y * z, 2 * z * x], axis=1)
    along = (weights * direction).sum(axis=1)  # how much the implied direction points along the ray
    length = direction[:, :3].sum(axis=1)
    rivals = np.bincount(one.bin)[one.bin]
    best = np.full(int(one.bin.max()) + 1, np.inf, dtype=np.float32)
    np.minimum.at(best, one.bin, disagreement)
    columns = [one.radius, one.clarity, along, length, np.log(rivals), disagreement - best[one.bin]]
    return np.concatenate([one.distance, np.stack(columns, axis=1)], axis=1)


def _middle(maps: Sequence[VesselMaps]) -> Array:
    """Return the point (3,) closest to the rays through the middles of the masks' boxes, LPS mm."""
    middles = []
    for each in maps:
        rows, columns = np.nonzero(each.cone.distance_px < 0)
        middles.append(np.array([rows.min() + rows.max(), columns.min() + columns.max()]) / 2)
    return triangulate([each.camera for each in maps], middles).astype(np.float32)
