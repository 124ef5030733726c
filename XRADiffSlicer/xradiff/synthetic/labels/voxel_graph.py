"""The set voxels of a label as a graph: who touches whom, how far apart, how deep below the surface.

Only the set voxels are held, never the box around them: a label fills about a thousandth of its image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from .volume import LabelVolume

__all__ = ["VoxelGraph", "voxel_graph"]

Array = NDArray[np.float64]
Integers = NDArray[np.int64]
_ALL = np.stack(np.meshgrid(*[(-1, 0, 1)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
_HALF = _ALL[14:]  # one of each pair of opposite neighbours


@dataclass(frozen=True, eq=False)
class VoxelGraph:
    """The N set voxels of a label, each joined to its 26 neighbours.

    Attributes:
        indices: (N, 3) array indices in the label, lexicographic order.
        points_mm: (N, 3) positions along the label's own axes (index times spacing), mm.
        lengths_mm: (N, N) sparse, symmetric: distance of joined voxels.
        depth_mm: (N,) distance from the label's surface, half a voxel outside the last voxel.
    """

    indices: Integers
    points_mm: Array
    lengths_mm: csr_array
    depth_mm: Array

    def only(self, voxels: Integers) -> VoxelGraph:
        """Return the graph of some voxels (M,); depths stay those of the whole."""
        lengths = csr_array(self.lengths_mm[voxels][:, voxels])
        return VoxelGraph(self.indices[voxels], self.points_mm[voxels], lengths, self.depth_mm[voxels])

    def components(self) -> Integers:
        """Return the number (N,) of the connected part of each voxel, the largest part first."""
        _, parts = connected_components(self.lengths_mm, directed=False)
        order = np.argsort(-np.bincount(parts), kind="stable")
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        return rank[parts].astype(np.int64)


def voxel_graph(label: LabelVolume) -> VoxelGraph:
    """Return the graph of the set voxels of `label`."""
    indices = label.voxels()
    shape = np.asarray(label.inside.shape) + 2
    flat = np.ravel_multi_index(tuple((indices + 1).T), tuple(shape))
    strides = np.array([shape[1] * shape[2], shape[2], 1])
    spacing = np.asarray(label.spacing_mm)
    first, second, length = [], [], []
    for step in _HALF:
        place, found = _find(flat, flat + step @ strides)
        first.append(np.flatnonzero(found))
        second.append(place[found])
        length.append(np.full(len(first[-1]), np.linalg.norm(step * spacing)))
    rows, columns, values = np.concatenate(first), np.concatenate(second), np.concatenate(length)
    ends = (np.concatenate([rows, columns]), np.concatenate([columns, rows]))
    lengths = csr_array((np.concatenate([values, values]), ends), shape=(len(flat), len(flat)))
    points = indices * spacing
    return VoxelGraph(indices, points, lengths, _depth(flat, points, tuple(shape), spacing))


def _find(flat: Integers, wanted: Integers) -> tuple[Integers, NDArray[np.bool_]]:
    """Return where each `wanted` number (M,) stands in the sorted `flat`, and whether it is there."""
    place = np.minimum(np.searchsorted(flat, wanted), len(flat) - 1)
    return place, flat[place] == wanted


def _depth(flat: Integers, points: Array, shape: tuple[int, ...], spacing: Array) -> Array:
    """Return the distance (N,) of each voxel from the surface: nearest empty voxel less half a voxel edge."""
    steps = _ALL @ np.array([shape[1] * shape[2], shape[2], 1])
    around = np.unique((flat[:, None] + steps).ravel())
    empty = around[~_find(flat, around)[1]]
    shell = (np.stack(np.unravel_index(empty, shape), axis=1) - 1) * spacing
    distance, _ = cKDTree(shell).query(points)
    return np.asarray(distance - spacing.min() / 2)
