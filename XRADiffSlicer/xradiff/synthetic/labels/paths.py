"""Voxels of one coronary side -> voxel paths, one for each branch, by cheapest ways from the ostium.

Kruskal joins broken pieces; Dijkstra's tree of cheapest ways, where a step near the wall costs more than one in
the middle, has no cycle; its longest way from the root is the main branch, the longest that leaves it the
next one, and so on. The idea is TEASAR's (Sato et al. 2000, doi:10.1109/PCCGA.2000.883951), whose penalty is
replaced by one that does not depend on the thickest vessel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from .voxel_graph import VoxelGraph

__all__ = ["VoxelPath", "end_voxels", "joined", "voxel_paths"]

Array = NDArray[np.float64]
Integers = NDArray[np.int64]
_CENTRING = 6.0  # a millimetre costs depth to the power of minus this: the widest way wins, cycles break where thin
_TWIG_MM = 2.0  # a way must stand out of the vessels found so far by this much, or by ...
_TWIG_RADII = 0.8  # ... this many radii of the vessel it leaves, to be a branch
_END_MM = 6.0  # an end's thickness is that of its last millimetres


@dataclass(frozen=True, eq=False)
class VoxelPath:
    """Voxels of one branch, from the voxel on its parent (the ostium for the first) to its end.

    Attributes:
        voxels: (N,) numbers of voxels in the graph, N >= 2.
        parent: number of the parent path, -1 for the first.
    """

    voxels: Integers
    parent: int


def voxel_paths(graph: VoxelGraph, root: int) -> list[VoxelPath]:
    """Return the branches of the connected `graph`, main branch first, parents before children."""
    before, ahead = _cheapest_ways(graph, root)
    owner = np.full(len(before), -1)
    paths: list[VoxelPath] = []
    lines = _Covered(graph)
    for tip in _tips(before, ahead, graph, root):
        way = _way_back(tip, before, owner)
        if paths and not lines.stands_out(tip, int(way[0])):
            continue
        parent = int(owner[way[0]]) if paths else -1
        owner[way[1:] if paths else way] = len(paths)
        lines.add(way)
        paths.append(VoxelPath(way, parent))
    return paths


class _Covered:
    """The middle lines found so far, and whether a voxel lies outside the vessels around them."""

    def __init__(self, graph: VoxelGraph) -> None:
        self.graph = graph
        self.parts: list[tuple[cKDTree, Array]] = []

    def add(self, way: Integers) -> None:
        """Take one more line in."""
        self.parts.append((cKDTree(self.graph.points_mm[way]), self.graph.depth_mm[way]))

    def stands_out(self, voxel: int, joint: int) -> bool:
        """Tell whether `voxel`, whose way meets a line at `joint`, stands far enough out of every vessel."""
        need = max(_TWIG_MM, _TWIG_RADII * self.graph.depth_mm[joint])
        for tree, depth in self.parts:
            near = tree.query_ball_point(self.graph.points_mm[voxel], need + depth.max())
            if near:
                apart = np.linalg.norm(tree.data[near] - self.graph.points_mm[voxel], axis=1)
                if (apart - depth[near]).min() < need:
                    return False
        return True


def _cheapest_ways(graph: VoxelGraph, root: int) -> tuple[Integers, Array]:
    """Return each voxel's next voxel towards the root (N,), and the longest length (N,) that hangs on it, mm."""
    lengths = graph.lengths_mm.tocoo()
    rows, columns = lengths.coords
    depth = np.maximum(graph.depth_mm, 0.1)
    price = lengths.data * np.minimum(depth[rows], depth[columns]) ** -_CENTRING
    costs = csr_array((price, (rows, columns)), shape=lengths.shape)
    total, before = dijkstra(costs, indices=root, return_predecessors=True)
    ahead = np.zeros(len(total))
    last = before.tolist()
    steps = np.linalg.norm(graph.points_mm - graph.points_mm[np.maximum(before, 0)], axis=1)
    for voxel in np.argsort(-total, kind="stable").tolist():
        if last[voxel] >= 0:
            ahead[last[voxel]] = max(ahead[last[voxel]], ahead[voxel] + steps[voxel])
    return before.astype(np.int64), ahead


def _tips(before: Integers, ahead: Array, graph: VoxelGraph, root: int) -> list[int]:
    """Return the end voxels of the longest ways, longest first; a way begins where a longer one passes."""
    inner = np.flatnonzero(before >= 0)
    steps = np.linalg.norm(graph.points_mm[inner] - graph.points_mm[before[inner]], axis=1)
    reach = ahead[inner] + steps
    order = inner[np.lexsort((-reach, before[inner]))]
    followed = np.zeros(len(before), dtype=bool)
    followed[order[np.insert(np.diff(before[order]) != 0, 0, True)]] = True
    following = np.full(len(before), -1)
    following[before[followed]] = np.flatnonzero(followed)
    length = np.zeros(len(before))
    length[inner] = reach
    starts = np.flatnonzero(~followed & (length > _TWIG_MM) & (before >= 0))
    starts = np.concatenate([[root], starts[np.argsort(-length[starts], kind="stable")]])
    tips = []
    for voxel in starts.tolist():
        while following[voxel] >= 0:
            voxel = int(following[voxel])
        tips.append(voxel)
    return tips


def _way_back(tip: int, before: Integers, owner: Integers) -> Integers:
    """Return the voxels from the first one that belongs to a path, or the root, to `tip`."""
    way = [tip]
    while before[way[-1]] >= 0 and owner[way[-1]] < 0:
        way.append(int(before[way[-1]]))
    return np.array(way[::-1], dtype=np.int64)


def _thickness_mm(graph: VoxelGraph, path: VoxelPath) -> float:
    """Return the typical radius of the vessel at the end of `path`: median depth over its last millimetres."""
    back = path.voxels[::-1]
    steps = np.linalg.norm(np.diff(graph.points_mm[back], axis=0), axis=1)
    along = np.insert(np.cumsum(steps), 0, 0.0)
    first = graph.depth_mm[back].max() * 0.5  # inside the rounded end itself the depth grows from 0
    near = (along >= first) & (along <= first + _END_MM)
    return float(np.median(graph.depth_mm[back[near]])) if near.any() else float(graph.depth_mm[back].mean())


def end_voxels(graph: VoxelGraph) -> tuple[Integers, Array]:
    """Return the voxels (E,) at the free ends of the connected `graph` and the vessel's radius (E,) there, mm."""
    start = int(np.argmax(graph.depth_mm))
    root = int(np.argmax(dijkstra(graph.lengths_mm, indices=start)))
    paths = voxel_paths(graph, root)
    first = VoxelPath(paths[0].voxels[::-1], -1)
    ends = np.array([int(path.voxels[-1]) for path in [first, *paths]])
    return ends, np.array([_thickness_mm(graph, path) for path in [first, *paths]])


def joined(graph: VoxelGraph) -> VoxelGraph:
    """Return the graph with its separate parts joined at their closest voxels, shortest gap first."""
    parts = graph.components()
    if parts.max() == 0:
        return graph
    group = np.arange(parts.max() + 1)
    extra = []
    for gap, i, j in sorted(_gaps(graph, parts)):
        if group[parts[i]] != group[parts[j]]:
            group[group == group[parts[j]]] = group[parts[i]]
            extra.append((gap, i, j))
    gaps, rows, columns = (np.array(values) for values in zip(*extra, strict=True))
    ends = (np.concatenate([rows, columns]), np.concatenate([columns, rows]))
    links = coo_array((np.concatenate([gaps, gaps]), ends), shape=graph.lengths_mm.shape)
    lengths = csr_array(graph.lengths_mm + links.tocsr())
    return VoxelGraph(graph.indices, graph.points_mm, lengths, graph.depth_mm)


def _gaps(graph: VoxelGraph, parts: Integers) -> list[tuple[float, int, int]]:
    """Return the closest voxels of every two parts as (distance in mm, voxel, voxel)."""
    members = [np.flatnonzero(parts == part) for part in range(parts.max() + 1)]
    trees = [cKDTree(graph.points_mm[member]) for member in members]
    found = []
    for a in range(len(members)):
        for b in range(a + 1, len(members)):
            distance, nearest = trees[a].query(graph.points_mm[members[b]])
            best = int(np.argmin(distance))
            found.append((float(distance[best]), int(members[a][nearest[best]]), int(members[b][best])))
    return found
