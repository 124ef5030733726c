"""Damage as segmentations have it: missing distal ends, breaks, spurs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from ..errors import InputError

__all__ = ["corrupt_mask"]

Mask = NDArray[np.bool_]


def corrupt_mask(
    mask: Mask,
    rng: np.random.Generator,
    *,
    missing_ends: int = 2,
    breaks: int = 3,
    spurs: int = 6,
    end_px: tuple[float, float] = (10.0, 50.0),
    gap_px: tuple[float, float] = (2.0, 8.0),
    spur_px: tuple[float, float] = (4.0, 14.0),
) -> Mask:
    """Return a damaged copy of a vessel mask (rows, columns).

    Args:
        mask: vessel mask with at least one pixel.
        rng: the only source of chance.
        missing_ends: how many distal ends are cut off, each by a length (along the vessel) from `end_px`.
        breaks: how many gaps are cut through a vessel; each removes a disc that is wider than the vessel by
            a length drawn from `gap_px`.
        spurs: how many false lines, 2 px wide, leave the vessel's edge, each of a length from `spur_px`.

    Raises:
        InputError: the mask is empty.
    """
    if mask.ndim != 2 or not mask.any():
        raise InputError(f"a mask to corrupt must be 2-D with at least one vessel pixel, got shape {mask.shape}")
    result = mask.copy()
    for _ in range(missing_ends):
        result = _without_end(result, rng, rng.uniform(*end_px))
    for _ in range(breaks):
        result = _with_break(result, mask, rng, rng.uniform(*gap_px))
    edge = np.argwhere(mask & ~ndimage.binary_erosion(mask))
    for _ in range(spurs):
        result = _with_spur(result, edge[rng.integers(len(edge))], rng, rng.uniform(*spur_px))
    return result


def _without_end(mask: Mask, rng: np.random.Generator, length_px: float) -> Mask:
    """Remove the last `length_px` of one vessel end, chosen at random among the tips."""
    pixels = np.argwhere(mask)
    graph = _pixel_graph(mask, pixels)
    root = int(np.argmax(ndimage.distance_transform_edt(mask)[tuple(pixels.T)]))
    from_root = dijkstra(graph, directed=False, indices=root)
    reached = np.where(np.isfinite(from_root), from_root, 0.0)
    distance = np.zeros(mask.shape)
    distance[tuple(pixels.T)] = reached
    highest = ndimage.maximum_filter(distance, size=15)[tuple(pixels.T)]
    tips = np.flatnonzero((reached >= highest) & (reached > 2 * length_px))
    if len(tips) == 0:
        return mask
    from_tip = dijkstra(graph, directed=False, indices=int(rng.choice(tips)), limit=length_px)
    result = mask.copy()
    result[tuple(pixels[np.isfinite(from_tip)].T)] = False
    return result


def _pixel_graph(mask: Mask, pixels: NDArray[np.intp]) -> coo_array:
    """Return the graph of 8-connected mask pixels with Euclidean edge lengths."""
    number = np.full((mask.shape[0] + 2, mask.shape[1] + 2), -1)
    number[1:-1, 1:-1][mask] = np.arange(len(pixels))
    starts, stops, lengths = [], [], []
    for step in ((0, 1), (1, 0), (1, 1), (1, -1)):
        neighbour = number[tuple((pixels + 1 + step).T)]
        joined = np.flatnonzero(neighbour >= 0)
        starts.append(joined)
        stops.append(neighbour[joined])
        lengths.append(np.full(len(joined), np.hypot(*step)))
    joints = (np.concatenate(starts), np.concatenate(stops))
    return coo_array((np.concatenate(lengths), joints), shape=(len(pixels),) * 2).tocsr()


def _with_break(mask: Mask, whole: Mask, rng: np.random.Generator, gap_px: float) -> Mask:
    """Remove a disc that cuts the vessel at a random pixel."""
    pixels = np.argwhere(mask)
    if len(pixels) == 0:
        return mask
    centre = pixels[rng.integers(len(pixels))]
    row, column = np.indices(mask.shape)
    width = ndimage.distance_transform_edt(whole)[tuple(centre)]
    result: Mask = mask & (np.hypot(row - centre[0], column - centre[1]) > width + gap_px)
    return result


def _with_spur(mask: Mask, start: NDArray[np.intp], rng: np.random.Generator, length_px: float) -> Mask:
    """Add a straight line, 2 px wide, from `start` in a random direction."""
    angle = rng.uniform(0, 2 * np.pi)
    steps = np.arange(0, length_px, 0.5)[:, None] * [np.sin(angle), np.cos(angle)]
    corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    pixels = (np.floor(start + steps).astype(int)[:, None] + corners).reshape(-1, 2)
    kept = pixels[((pixels >= 0) & (pixels < mask.shape)).all(axis=1)]
    result = mask.copy()
    result[tuple(kept.T)] = True
    return result
