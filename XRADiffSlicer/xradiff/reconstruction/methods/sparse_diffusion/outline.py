"""A mask's stairs of pixels -> its outline as a smooth curve, and the distance of pixels near the edge to that.

The outline passes half-way between each mask pixel and its neighbour outside: within half a pixel of the true edge
wherever a pixel counts by its centre. A parabola through as long a stretch as it fits that well errs less than an
average of distances over a few pixels; at a corner no long one fits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

__all__ = ["Outline", "distance_to", "fitted", "near_fitted_edges", "outline"]

STRETCHES = (2, 3, 5, 8, 12, 18)
"""Points before and behind one that a parabola is fitted to, shortest first."""
MOST_OFF_PX = 0.6
"""No point of the stretch may lie farther from the parabola; half a pixel is what pixels alone cause."""
NEAR_PX = 2.5
"""Farther from the edge its errors average out anyway."""
UNCLEAR, CLEAR = 0.6, 0.9
"""Clarity of the direction from which on the outline counts, and from which on it alone; crossings have corners."""

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Outline:
    """Points between neighbouring pixels of which one is in the mask, joined to lines with the mask on their right.

    Attributes:
        points_px: (N, 2) row and column.
        following: (N,) which point is next on the line; -1 where it leaves the image.
    """

    points_px: Array
    following: NDArray[np.int64]

    @property
    def previous(self) -> NDArray[np.int64]:
        """Return (N,) which point comes before; -1 where the line enters the image."""
        before = np.full(len(self.following), -1)
        known = np.flatnonzero(self.following >= 0)
        before[self.following[known]] = known
        return before


def near_fitted_edges(distance_px: Array, averaged_px: Array, clarity: Array) -> Array:
    """Return `averaged_px` with the distance to the fitted outline near the edge, as far as directions are clear.

    Args:
        distance_px: (rows, columns) signed distance to the mask's edge in px, negative inside.
        averaged_px: the same, finer; what is returned elsewhere.
        clarity: (rows, columns) how clear the vessel's direction is, 0 to 1.
    """
    share = np.clip((clarity - UNCLEAR) / (CLEAR - UNCLEAR), 0, 1) * (np.abs(distance_px) < NEAR_PX)
    rows, columns = np.nonzero(share)
    mask = distance_px < 0
    edge = outline(mask)
    if not len(rows) or not len(edge.points_px):
        return averaged_px
    found = distance_to(Outline(fitted(edge), edge.following), np.stack([rows, columns], axis=1), mask[rows, columns])
    answer, part = averaged_px.copy(), share[rows, columns]
    answer[rows, columns] += part * (found - answer[rows, columns])
    return answer


def outline(mask: NDArray[np.bool_]) -> Outline:
    """Return the outline of a mask (rows, columns); diagonal pixels are one piece, and the border is no edge."""
    row, column = np.nonzero(mask[:, :-1] != mask[:, 1:])  # between two columns
    lower, right = np.nonzero(mask[:-1] != mask[1:])  # between two rows
    points = np.concatenate([np.stack([row, column + 0.5], axis=1), np.stack([lower + 0.5, right], axis=1)])
    # cells of 2 x 2 pixels, by their upper left one, and which point lies on each of their sides
    sides = np.full((4, *mask.shape), -1)
    upper, lefts, below, rights = sides
    number = np.arange(len(points))
    upper[row, column] = below[row - 1, column] = number[: len(row)]
    lefts[lower, right] = rights[lower, right - 1] = number[len(row) :]
    below[-1], rights[:, -1] = -1, -1
    # a line goes on into the cell that has the mask on its right
    inside = np.concatenate([mask[row, column], mask[lower, right]])
    cell_row = np.concatenate([np.where(mask[row, column], row, row - 1), lower])
    cell_column = np.concatenate([column, np.where(mask[lower, right], right - 1, right)])
    return Outline(points.astype(np.float32), _following(sides, mask, inside, cell_row, cell_column))


def _following(
    sides: NDArray[np.int64],
    mask: NDArray[np.bool_],
    inside: NDArray[np.bool_],
    row: NDArray[np.int64],
    column: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return the point by which each line leaves the cell (row, column) that it comes into."""
    number = np.arange(len(inside))
    within = (row >= 0) & (column >= 0) & (row < mask.shape[0] - 1) & (column < mask.shape[1] - 1)
    row, column = np.where(within, row, 0), np.where(within, column, 0)
    there = sides[:, row, column]
    crossed = (there >= 0).sum(axis=0)
    only = np.where(there == number, -1, there).max(axis=0)
    # with four points the mask's two pixels are one piece: lines go round those outside
    own = (there == number).argmax(axis=0)
    partner = np.where(mask[row, column], np.array([3, 2, 1, 0])[own], np.array([1, 0, 3, 2])[own])
    following = np.where(crossed == 4, there[partner, number], only)
    return np.where(within, following, -1)


def fitted(edge: Outline) -> Array:
    """Return the points (N, 2), each on the parabola through the longest stretch around it that one fits."""
    answer, before, behind = edge.points_px.copy(), [np.arange(len(edge.points_px))], [np.arange(len(edge.points_px))]
    previous = edge.previous
    for _ in range(STRETCHES[-1]):
        before.append(np.where(before[-1] >= 0, previous[before[-1]], -1))
        behind.append(np.where(behind[-1] >= 0, edge.following[behind[-1]], -1))
    walk, lengths = np.stack([*before[:0:-1], *behind]), _lengths(edge)  # (2 longest + 1, N)
    for reach in STRETCHES:
        rows = walk[STRETCHES[-1] - reach : STRETCHES[-1] + reach + 1]
        whole = np.flatnonzero((rows >= 0).all(axis=0) & (lengths >= len(rows)))
        middle, off = _parabola(edge.points_px[rows[:, whole]], reach)
        kept = off <= MOST_OFF_PX
        answer[whole[kept]] = middle[kept]
    return answer


def _lengths(edge: Outline) -> NDArray[np.int64]:
    """Return (N,) how many points the line of each point has: a closed one shall not be walked round twice."""
    first = np.flatnonzero(edge.following >= 0)
    joined = csr_matrix((np.ones(len(first)), (first, edge.following[first])), shape=(len(edge.following),) * 2)
    _, line = connected_components(joined, directed=False)
    lengths: NDArray[np.int64] = np.bincount(line)[line]
    return lengths


def _parabola(points: Array, reach: int) -> tuple[Array, Array]:
    """Return the middle (N, 2) of parabolas through stretches (2 reach + 1, N, 2), and their largest errors (N,)."""
    place = np.arange(-reach, reach + 1, dtype=np.float32) / reach
    powers = place[:, None] ** np.arange(3, dtype=np.float32)
    slopes = np.stack([np.zeros_like(place), np.ones_like(place), 2 * place], axis=1)
    solve = np.linalg.pinv(powers.astype(np.float64)).astype(np.float32)
    # einsum, unlike a matrix product, rounds alike whatever the number of threads
    parabola = np.einsum("pk,knc->pnc", solve, points)
    curve, way = (np.einsum("kp,pnc->knc", each, parabola) for each in (powers, slopes))
    off = points - curve
    across = np.abs(off[..., 0] * way[..., 1] - off[..., 1] * way[..., 0])
    length = np.maximum(np.hypot(way[..., 0], way[..., 1]), 1e-6)
    return curve[reach], (across / length).max(axis=0)


def distance_to(edge: Outline, pixels: NDArray[np.int64], inside: NDArray[np.bool_]) -> Array:
    """Return the signed distance (M,) in px of pixels (M, 2) to the lines, negative where they are `inside`.

    Args:
        edge: the lines.
        pixels: row and column.
        inside: (M,) which of them are in the mask: what the mask says of a pixel's centre stays.
    """
    _, nearest = KDTree(edge.points_px).query(pixels)
    best = np.linalg.norm(edge.points_px[nearest] - pixels, axis=1).astype(np.float32)
    for start, end in ((nearest, edge.following[nearest]), (edge.previous[nearest], nearest)):
        known = (start >= 0) & (end >= 0)
        first = edge.points_px[start]
        way, to = edge.points_px[end] - first, pixels.astype(np.float32) - first
        share = np.clip((way * to).sum(axis=1) / np.maximum((way * way).sum(axis=1), 1e-9), 0, 1)
        far = np.linalg.norm(to - share[:, None] * way, axis=1)
        best = np.where(known, np.minimum(best, far), best)
    return np.where(inside, -best, best)
