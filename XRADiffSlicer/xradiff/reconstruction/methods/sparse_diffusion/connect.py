"""Parts of the tree -> one tree, where voxels that all masks allow and that are not unlikely lead across a gap."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components, dijkstra

from ....datatypes import SparseVolume

__all__ = ["UNLIKELY", "VESSEL", "connect_parts", "part_numbers"]

VESSEL = 0.5
UNLIKELY = 0.08
"""A bridge takes no voxel of less probability."""
SMALLEST_PART = 8
INSIDE_COST = 1e-6
RAISED = 0.51


def connect_parts(volume: SparseVolume, longest_mm: float) -> SparseVolume:
    """Return the volume with the voxels of bridges raised to just above 0.5.

    From the largest part (26-connected, probability at least 0.5) the cheapest way to each other part is
    looked for, a step costing its length times minus the logarithm of the probability; a part is joined
    where no gap on the way is longer than `longest_mm`. A bridge is three voxels wide where these are not unlikely: a
    line of single ones would be a stenosis that nobody saw. Parts of fewer than 8 voxels are left as they are.

    Args:
        volume: probabilities; voxels that are not in it cannot be crossed.
        longest_mm: longest gap; 0 joins nothing.
    """
    kept = np.flatnonzero(volume.values >= UNLIKELY)
    values, inside = volume.values[kept], volume.values[kept] >= VESSEL
    if longest_mm <= 0 or not inside.any():
        return volume
    first, second, steps = _pairs(volume.indices[kept])
    part = _parts(first, second, inside)
    sizes = np.bincount(part[inside])
    cost = np.where(inside, INSIDE_COST, -np.log(np.clip(values, 1e-6, 1)))
    weights = steps * 0.5 * (cost[first] + cost[second])
    graph = csr_matrix((weights, (first, second)), shape=(len(kept),) * 2)
    start = int(np.flatnonzero(inside & (part == sizes.argmax()))[0])
    distance, before = dijkstra(graph, directed=False, indices=start, return_predecessors=True)
    spacing = volume.grid.spacing_mm[0]
    bridges = [
        _bridge(np.flatnonzero(inside & (part == number)), distance, before, inside)
        for number in np.flatnonzero((sizes >= SMALLEST_PART) & (np.arange(len(sizes)) != sizes.argmax()))
    ]
    taken = [gap for gap in bridges if len(gap) > 0 and _length(volume.indices[kept[gap]]) * spacing <= longest_mm]
    if not taken:
        return volume
    line = np.zeros(len(kept), dtype=np.bool_)
    line[np.concatenate(taken)] = True
    line &= ~inside  # the parts that it joins stay as wide as they are
    wide = line.copy()
    wide[first[line[second]]] = wide[second[line[first]]] = True
    raised = volume.values.copy()
    raised[kept[wide]] = np.maximum(raised[kept[wide]], RAISED)
    return SparseVolume(volume.grid, volume.indices, raised)


def part_numbers(indices: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the number (N,) of the part (26-connected) that each of N voxels (N, 3) belongs to."""
    first, second, _ = _pairs(indices)
    return _parts(first, second, np.ones(len(indices), dtype=np.bool_))


def _pairs(indices: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return rows (E,), (E,) of voxels that touch, each pair once, and their distance in voxels."""
    low = indices.min(axis=0) - 1
    shape = indices.max(axis=0) - low + 2
    lattice = np.full(shape, -1, dtype=np.int32)
    lattice[tuple((indices - low).T)] = np.arange(len(indices))
    found = []
    offsets = np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1], [-1, 0, 1], indexing="ij"), axis=-1).reshape(-1, 3)
    for offset in offsets[14:]:
        other = lattice[tuple((indices - low + offset).T)]
        rows = np.flatnonzero(other >= 0)
        found.append((rows, other[rows].astype(np.int64), np.full(len(rows), np.linalg.norm(offset))))
    first, second, steps = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return first, second, steps


def _parts(first: NDArray[np.int64], second: NDArray[np.int64], inside: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return the number (N,) of the part that each voxel inside belongs to."""
    both = inside[first] & inside[second]
    shape = (len(inside),) * 2
    graph = csr_matrix((np.ones(int(both.sum())), (first[both], second[both])), shape=shape)
    _, label = connected_components(graph, directed=False)
    _, number = np.unique(np.where(inside, label, -1), return_inverse=True)
    return (number - int((~inside).any())).astype(np.int32)


def _bridge(
    members: NDArray[np.intp], distance: NDArray[np.float64], before: NDArray[np.int32], inside: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Return the rows of the way from a part to the next one: its own end, the gap, the other's; empty: no way."""
    row = int(members[distance[members].argmin()])
    if not np.isfinite(distance[row]):
        return np.zeros(0, dtype=np.int64)
    way = [row]
    while True:
        row = int(before[row])
        way.append(row)
        if inside[row]:
            return np.array(way)


def _length(indices: NDArray[np.int32]) -> float:
    """Return the length of a way in voxels."""
    return float(np.linalg.norm(np.diff(indices, axis=0), axis=1).sum())
