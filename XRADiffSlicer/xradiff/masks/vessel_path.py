"""A vessel mask -> its middle line as a graph, the way along it between marked points, and the vessel around that way.

The middle line is what thinning leaves; ways are shortest ways along it (Dijkstra).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, dijkstra
from scipy.spatial import KDTree

from ..errors import InputError

__all__ = ["MiddleLine"]

Mask = NDArray[np.bool_]
Indices = NDArray[np.intp]
SNAP_PX = 5.0
"""How far from a vessel a marked point may lie."""
_EVEN_PX = 15  # window of the running median of the width, which evens out branchings
_RIM_PX = 1.0
_BESIDE = 1.5  # distance of pixels that touch
_LEAP = 4.0  # how much longer a leap counts than a step


@dataclass(frozen=True, eq=False)
class MiddleLine:
    """The middle line of a mask.

    Attributes:
        name: what messages call the view.
        mask: (rows, columns) vessel pixels.
        pixels: (N, 2) row and column of the line's pixels.
        radius_px: (N,) distance from the background.
        graph: (N, N) lengths of the steps between neighbouring pixels, and of leaps over gaps in the mask.
    """

    name: str
    mask: Mask
    pixels: Indices
    radius_px: NDArray[np.float64]
    graph: csr_array

    @classmethod
    def of(cls, mask: Mask, name: str, gap_px: float = 0.0) -> MiddleLine:
        """Return the middle line of `mask`, whose parts are joined by leaps of at most `gap_px`.

        Raises:
            InputError: the mask is empty.
        """
        if not mask.any():
            raise InputError(f"the mask of {name} is empty; there is no vessel to mark")
        padded = sitk.GetImageFromArray(np.pad(mask, 1).astype(np.uint8))
        pixels = np.argwhere(sitk.GetArrayFromImage(sitk.BinaryThinning(padded))[1:-1, 1:-1])
        depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
        return cls(name, mask, pixels, depth[tuple(pixels.T)], _graph(pixels, gap_px))

    def nearest(self, point: Sequence[float]) -> int:
        """Return the index of the line's pixel nearest to `point` (row, column), which must mark a vessel.

        Raises:
            InputError: the point lies outside the image or more than 5 px away from every vessel.
        """
        rows, columns = self.mask.shape
        place = f"({point[0]:g}, {point[1]:g})"
        if not (-0.5 <= point[0] <= rows - 0.5 and -0.5 <= point[1] <= columns - 0.5):
            raise InputError(f"the point {place} lies outside {self.name}, which has {rows} x {columns} pixels")
        away, pixel = _nearest(np.argwhere(self.mask), point)
        if away > SNAP_PX:
            raise InputError(
                f"the point {place} of {self.name} is no vessel: the nearest vessel pixel is {tuple(pixel.tolist())}, "
                f"{away:.0f} px away; mark a point at most {SNAP_PX:g} px from a vessel"
            )
        return int(np.argmin(((self.pixels - np.asarray(point)) ** 2).sum(axis=1)))

    def way(self, through: Sequence[int]) -> Indices:
        """Return the line's pixels (P,) on the shortest way through the pixels with these indices, in their order.

        Raises:
            InputError: two of them are the same, or not connected; says where the mask is broken.
        """
        parts = [np.array(through[:1], dtype=np.intp)]
        for first, last in pairwise(through):
            if first == last:
                place = tuple(self.pixels[first].tolist())
                raise InputError(f"two points of {self.name} mark the same place {place}; mark both ends of a vessel")
            lengths, before = dijkstra(self.graph, directed=False, indices=first, return_predecessors=True)
            if not np.isfinite(lengths[last]):
                raise InputError(self._broken(first, last))
            part = [last]
            while part[-1] != first:
                part.append(int(before[part[-1]]))
            parts.append(np.array(part[-2::-1], dtype=np.intp))
        return np.concatenate(parts)

    def gaps(self, way: Indices) -> int:
        """Return how many gaps in the mask `way` leads over."""
        steps = np.linalg.norm(np.diff(self.pixels[way], axis=0), axis=1)
        return int((steps > _BESIDE).sum())

    def vessel(self, way: Indices) -> Mask:
        """Return the pixels (rows, columns) of the mask that belong to the vessel along `way`."""
        course = self.pixels[way]
        radius = ndimage.median_filter(self.radius_px[way], size=_EVEN_PX, mode="nearest")
        radius = np.minimum(self.radius_px[way], radius)
        low = np.maximum(np.floor((course - radius[:, None]).min(axis=0)).astype(int) - 2, 0)
        high = np.ceil((course + radius[:, None]).max(axis=0)).astype(int) + 3
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        inside = np.argwhere(self.mask[box]) + low
        away, at = KDTree(course).query(inside)
        kept = np.zeros_like(self.mask)
        kept[tuple(inside[away <= radius[at] + _RIM_PX].T)] = True
        return kept

    def _broken(self, first: int, last: int) -> str:
        """Return what to say where no way leads from one pixel to another."""
        _, part = connected_components(self.graph, directed=False)
        near, far = self.pixels[part == part[first]], self.pixels[part == part[last]]
        away, at = KDTree(far).query(near)
        gap = int(np.argmin(away))
        a, b = tuple(near[gap].tolist()), tuple(far[at[gap]].tolist())
        ends = " and ".join(str(tuple(self.pixels[index].tolist())) for index in (first, last))
        return (
            f"no vessel of {self.name} leads from one marked point to the other ({ends}): the mask is broken between "
            f"{a} and {b}; close the gap in the mask, or mark a part without one"
        )


def _graph(pixels: Indices, gap_px: float) -> csr_array:
    """Return the lengths (N, N) of steps between neighbours, and of leaps between parts that do not touch."""
    tree = KDTree(pixels)
    pairs = tree.query_pairs(_BESIDE, output_type="ndarray")
    lengths = np.linalg.norm(pixels[pairs[:, 0]] - pixels[pairs[:, 1]], axis=1)
    steps = csr_array((lengths, pairs.T), shape=(len(pixels),) * 2)
    count, part = connected_components(steps, directed=False)
    if count == 1 or gap_px <= _BESIDE:
        return steps
    leaps = tree.query_pairs(gap_px, output_type="ndarray")
    leaps = leaps[part[leaps[:, 0]] != part[leaps[:, 1]]]
    away = np.linalg.norm(pixels[leaps[:, 0]] - pixels[leaps[:, 1]], axis=1)
    return csr_array(
        (np.concatenate([lengths, _LEAP * away]), np.concatenate([pairs, leaps]).T), shape=(len(pixels),) * 2
    )


def _nearest(pixels: Indices, point: Sequence[float]) -> tuple[float, Indices]:
    """Return the distance and the one of `pixels` (N, 2) that is nearest to `point`."""
    away = np.linalg.norm(pixels - np.asarray(point), axis=1)
    return float(away.min()), pixels[int(np.argmin(away))]
