"""Bridging of short breaks between connected parts, by tapered tubes between their ends."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from ..datatypes import SparseVolume
from .components import component_labels

__all__ = ["close_gaps"]

Array = NDArray[np.float64]
END_RADIUS_MM = 2.5
"""How far from the break the local vessel radius is looked for."""


def close_gaps(volume: SparseVolume, gap_mm: float) -> SparseVolume:
    """Return the volume with breaks of up to `gap_mm` between two connected parts bridged.

    The shortest break first, a bridge is drawn only between parts that are not joined yet, so no
    loop arises and nothing but the break changes. A bridge is a tube between the centres of the
    largest balls inside the two ends and tapers from one ball's radius to the other's. The length
    of a break is the distance of the closest voxel centres minus one voxel. New voxels carry the
    median value of the old ones.
    """
    if gap_mm <= 0 or len(volume.indices) < 2:
        return volume
    tree = cKDTree(volume.points_lps_mm())
    new = [_bridge(volume, tree, a, b) for a, b in _breaks(volume, gap_mm)]
    return _with_voxels(volume, np.concatenate(new)) if new else volume


def _breaks(volume: SparseVolume, gap_mm: float) -> list[tuple[int, int]]:
    """Return the closest voxels (i, j) of the parts to join: Kruskal's minimum spanning forest."""
    labels, points = component_labels(volume), volume.points_lps_mm()
    reach = gap_mm + max(volume.grid.spacing_mm) * (1 + 1e-6)
    members = [np.flatnonzero(labels == label) for label in range(labels.max() + 1)]
    trees = [cKDTree(points[member]) for member in members]
    boxes = [(points[member].min(axis=0), points[member].max(axis=0)) for member in members]
    found: list[tuple[float, int, int]] = []
    for a in range(len(members)):
        for b in range(a + 1, len(members)):
            apart = np.maximum(boxes[a][0] - boxes[b][1], boxes[b][0] - boxes[a][1])
            if np.linalg.norm(np.maximum(apart, 0)) > reach:
                continue
            distance, nearest = trees[a].query(points[members[b]], distance_upper_bound=reach)
            best = int(np.argmin(distance))
            if np.isfinite(distance[best]):
                found.append((float(distance[best]), int(members[a][nearest[best]]), int(members[b][best])))
    return _forest(sorted(found), labels)


def _forest(pairs: list[tuple[float, int, int]], labels: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return the pairs, in order, that join two parts not joined before."""
    group = np.arange(labels.max() + 1)
    chosen = []
    for _, i, j in pairs:
        a, b = group[labels[i]], group[labels[j]]
        if a != b:
            group[group == b] = a
            chosen.append((i, j))
    return chosen


def _bridge(volume: SparseVolume, tree: cKDTree, i: int, j: int) -> NDArray[np.int32]:
    """Return the (M, 3) indices of a tapered tube between the ends at voxels `i` and `j`."""
    (start, radius_a), (stop, radius_b) = _ball(volume, tree, i), _ball(volume, tree, j)
    margin = max(radius_a, radius_b) + max(volume.grid.spacing_mm)
    low = np.floor(volume.grid.indices(np.minimum(start, stop) - margin)).astype(int)
    high = np.ceil(volume.grid.indices(np.maximum(start, stop) + margin)).astype(int)
    low, high = np.maximum(low, 0), np.minimum(high, np.asarray(volume.grid.shape) - 1)
    box = np.indices(high - low + 1).reshape(3, -1).T + low
    points, axis = volume.grid.centres(box), stop - start
    along = np.clip((points - start) @ axis / max(float(axis @ axis), 1e-12), 0, 1)
    distance = np.linalg.norm(points - (start + along[:, None] * axis), axis=1)
    inside: NDArray[np.int32] = box[distance <= radius_a + along * (radius_b - radius_a)].astype(np.int32)
    return inside


def _ball(volume: SparseVolume, tree: cKDTree, voxel: int) -> tuple[Array, float]:
    """Return centre (3,) LPS mm and radius mm of the largest ball inside the volume near `voxel`."""
    points = volume.points_lps_mm()
    near = volume.indices[tree.query_ball_point(points[voxel], END_RADIUS_MM)]
    first = near.min(axis=0) - 1
    mask = np.zeros(near.max(axis=0) - first + 2, dtype=bool)
    mask[tuple((near - first).T)] = True
    # The cut at END_RADIUS_MM bounds a thick vessel's ball too, which a bridge does not need larger.
    depth = ndimage.distance_transform_edt(mask, sampling=volume.grid.spacing_mm)
    centre = np.unravel_index(int(np.argmax(depth)), depth.shape)
    half_voxel = 0.5 * min(volume.grid.spacing_mm)
    return volume.grid.centres(np.asarray(centre) + first), float(depth[centre]) - half_voxel + 1e-6


def _with_voxels(volume: SparseVolume, indices: NDArray[np.int32]) -> SparseVolume:
    """Return the volume with `indices` added where they are new, in lexicographic order."""
    merged, first = np.unique(np.concatenate([volume.indices, indices]), axis=0, return_index=True)
    old = first < len(volume.indices)
    values = np.full(len(merged), np.median(volume.values), dtype=np.float32)
    values[old] = volume.values[first[old]]
    return SparseVolume(volume.grid, merged.astype(np.int32), values)
