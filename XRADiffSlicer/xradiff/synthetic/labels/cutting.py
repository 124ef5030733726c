"""Two vessels that one label joins -> the cut at their thinnest common place.

Wave fronts run through the voxels from one tree's seeds; each front's connected pieces are nodes, the voxel pairs
between two pieces are the capacity of their link. The least cut (Ford and Fulkerson 1956,
doi:10.4153/CJM-1956-045-5) of that small graph severs every connection between the seeds where the voxel
pairs are fewest.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import breadth_first_order, connected_components, dijkstra, maximum_flow

from .voxel_graph import VoxelGraph

__all__ = ["cut_apart"]

Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]
_FRONTS = 1.05  # thickness of a front in longest voxel steps: links join neighbouring fronts only


def cut_apart(graph: VoxelGraph, first: Flags, second: Flags) -> tuple[Flags, Integers]:
    """Return which voxels (N,) stay with the seeds `first` (N,), and the voxels (C,) beside the cut.

    The graph is connected; both seed sets hold at least one voxel and have none in common.
    """
    piece = _front_pieces(graph, first)
    count = int(piece.max()) + 1
    links = graph.lengths_mm.tocoo()
    rows, columns = piece[links.coords[0]], piece[links.coords[1]]
    across = rows != columns
    ones = np.ones(int(across.sum()), dtype=np.int32)
    capacity = coo_array((ones, (rows[across], columns[across])), shape=(count + 2, count + 2)).tocsr()
    reached = _source_side(capacity.tocoo(), np.unique(piece[first]), np.unique(piece[second]), count)
    kept = reached[piece]
    severed = kept[links.coords[0]] & ~kept[links.coords[1]]
    return kept, np.unique(np.concatenate([links.coords[0][severed], links.coords[1][severed]]))


def _front_pieces(graph: VoxelGraph, seeds: Flags) -> Integers:
    """Return the number (N,) of the front's connected piece in which each voxel lies."""
    away = dijkstra(graph.lengths_mm, indices=np.flatnonzero(seeds), min_only=True)
    front = np.floor(away / (_FRONTS * graph.lengths_mm.data.max())).astype(np.int64)
    links = graph.lengths_mm.tocoo()
    same = front[links.coords[0]] == front[links.coords[1]]
    ends = (links.coords[0][same], links.coords[1][same])
    within = csr_array((np.ones(int(same.sum())), ends), shape=links.shape)
    return connected_components(within, directed=False)[1].astype(np.int64)


def _source_side(capacity: coo_array, sources: Integers, sinks: Integers, count: int) -> Flags:
    """Return which of the `count` nodes lie on the source's side of the least cut."""
    plenty = int(capacity.data.sum()) + 1
    rows = np.concatenate([capacity.coords[0], np.full(len(sources), count), sinks])
    columns = np.concatenate([capacity.coords[1], sources, np.full(len(sinks), count + 1)])
    data = np.concatenate([capacity.data, np.full(len(sources) + len(sinks), plenty)]).astype(np.int32)
    network = csr_array((data, (rows, columns)), shape=(count + 2, count + 2))
    network.indices, network.indptr = network.indices.astype(np.int32), network.indptr.astype(np.int32)
    flow = maximum_flow(network, count, count + 1).flow
    rest = csr_array(network - flow)
    rest.data[rest.data < 0] = 0
    rest.eliminate_zeros()
    order = breadth_first_order(rest, count, return_predecessors=False)
    reached = np.zeros(count + 2, dtype=bool)
    reached[order] = True
    return reached[:count]
