"""Broken pieces of a label -> the tree they continue; specks go."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

__all__ = ["assign_pieces"]

Array = NDArray[np.float64]
Integers = NDArray[np.int64]
_NAMES = ("right", "left")
_FARTHEST_MM = 15.0  # a gap may be as long as the piece itself, but no longer than this
_END_MM = 4.0  # a piece's heading is that of its last millimetres
_LEAST_VOXELS = 4


def assign_pieces(points_mm: Array, parts: Integers, side: Integers) -> tuple[Integers, list[str]]:
    """Return the side of every voxel (N,), -1 for what was dropped, and a sentence about each change.

    Args:
        points_mm: (N, 3) voxels.
        parts: (N,) number of the connected part of each voxel.
        side: (N,) 0 (right), 1 (left) or -1 (open); the same within a part.

    The piece that lies best goes first: a short gap, straight ahead of the piece's end. It then carries others.
    """
    side = side.copy()
    numbers, counts = np.unique(parts, return_counts=True)
    members = {number: np.flatnonzero(parts == number) for number in numbers[counts >= _LEAST_VOXELS]}
    open_parts = {number for number, member in members.items() if side[member[0]] < 0}
    best: dict[int, tuple[float, float, int]] = {}
    fresh = [number for number in members if number not in open_parts]
    notes = []
    while True:
        for carrier in fresh:
            _improve(best, points_mm, members, open_parts, carrier, int(side[members[carrier][0]]))
        if not best:
            break
        chosen = min(best, key=lambda number: best[number][0])
        _, gap, which = best.pop(chosen)
        open_parts.remove(chosen)
        side[members[chosen]] = which
        notes.append(
            f"reattached a piece of {len(members[chosen])} voxels to the {_NAMES[which]} tree, {gap:.1f} mm away"
        )
        fresh = [chosen]
    dropped = side < 0
    if dropped.any():
        notes.append(f"dropped {len(np.unique(parts[dropped]))} loose pieces, {int(dropped.sum())} voxels together")
    return side, notes


def _improve(
    best: dict[int, tuple[float, float, int]],
    points: Array,
    members: dict[int, Integers],
    open_parts: set[int],
    carrier: int,
    side: int,
) -> None:
    """Enter `carrier` where it is a better place for an open piece than the one known."""
    tree = cKDTree(points[members[carrier]])
    for number in open_parts:
        piece = points[members[number]]
        allowed = min(_FARTHEST_MM, float(np.linalg.norm(np.ptp(piece, axis=0))))
        distance, nearest = tree.query(piece, distance_upper_bound=allowed)
        end = int(np.argmin(distance))
        gap = float(distance[end])
        if not np.isfinite(gap):
            continue
        heading = piece[end] - piece[np.linalg.norm(piece - piece[end], axis=1) < _END_MM].mean(axis=0)
        towards = tree.data[nearest[end]] - piece[end]
        cosine = float(heading @ towards) / max(float(np.linalg.norm(heading)) * gap, 1e-9)
        price = gap * (2 - cosine)
        if number not in best or price < best[number][0]:
            best[number] = (price, gap, side)
