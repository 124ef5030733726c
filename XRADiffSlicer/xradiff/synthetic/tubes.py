"""Tubes of varying radius: their silhouettes in a camera and the voxels they fill.

A tube is a chain of round cones (two spheres and the cone that wraps them). The silhouette of a
round cone is the convex hull of the silhouettes of its two spheres, the hull of two circles on the
detector: analytic, with no voxel staircase. An image row meets a hull in one interval, so a silhouette
is drawn row by row, not pixel by pixel. The silhouette of a sphere (an ellipse) is taken as the circle
of its mean size; off axis by 5 deg the axes differ by 0.4 %.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..centreline_tree import CentrelineTree
from ..datatypes import SparseVolume, VolumeGrid
from ..errors import InputError
from ..geometry import Camera

__all__ = ["ConeRows", "Tube", "TubeTree", "cone_rows", "cones", "occupancy", "silhouette", "tubes_of"]

Array = NDArray[np.float64]
_CHUNK = 2_000_000  # candidate voxels tested at once (keeps memory below about 200 MB)


@dataclass(frozen=True, eq=False)
class Tube:
    """One vessel without branches.

    Attributes:
        points_lps_mm: (N, 3) centreline, N >= 2, patient LPS mm.
        radii_mm: (N,) radius at each point, above 0.

    Raises:
        InputError: shapes that do not fit, a number that is not finite, a radius that is not positive.
    """

    points_lps_mm: Array
    radii_mm: Array

    def __post_init__(self) -> None:
        points = np.asarray(self.points_lps_mm, dtype=float)
        radii = np.asarray(self.radii_mm, dtype=float)
        if points.ndim != 2 or points.shape[1] != 3 or len(points) < 2 or radii.shape != (len(points),):
            raise InputError(f"a tube needs points (N >= 2, 3) and radii (N,), got {points.shape} and {radii.shape}")
        if not (np.isfinite(points).all() and np.isfinite(radii).all() and (radii > 0).all()):
            raise InputError(f"a tube needs finite points and radii above 0 mm, got least radius {radii.min():g}")
        object.__setattr__(self, "points_lps_mm", points)
        object.__setattr__(self, "radii_mm", radii)


@dataclass(frozen=True, eq=False)
class TubeTree:
    """Tubes that form one coronary tree; the first is the main vessel."""

    tubes: tuple[Tube, ...]

    def points(self) -> Array:
        """Return the centreline points (N, 3) of all tubes, LPS mm."""
        return np.concatenate([tube.points_lps_mm for tube in self.tubes])

    def transform(self, matrix: ArrayLike, shift_mm: ArrayLike = (0.0, 0.0, 0.0)) -> TubeTree:
        """Return the tree with its points mapped by p -> matrix (3, 3) p + shift_mm (3,); radii stay."""
        linear, shift = np.asarray(matrix, dtype=float), np.asarray(shift_mm, dtype=float)
        return TubeTree(tuple(Tube(t.points_lps_mm @ linear.T + shift, t.radii_mm) for t in self.tubes))

    def translate(self, shift_mm: ArrayLike) -> TubeTree:
        """Return the tree displaced by `shift_mm` (3,), LPS."""
        return self.transform(np.eye(3), shift_mm)


def tubes_of(tree: CentrelineTree) -> TubeTree:
    """Return the tubes of a centreline tree; an occluded stretch (radius 0) leaves a gap.

    Raises:
        InputError: no two neighbouring points have a radius above 0.
    """
    tubes = []
    for branch in tree:
        open_points = np.flatnonzero(branch.radii_mm > 0)
        for run in np.split(open_points, np.flatnonzero(np.diff(open_points) > 1) + 1):
            if len(run) > 1:
                tubes.append(Tube(branch.points_lps_mm[run], branch.radii_mm[run]))
    if not tubes:
        raise InputError(f"the {tree.side} tree has no open vessel: all its radii are 0")
    return TubeTree(tuple(tubes))


def silhouette(tree: TubeTree, camera: Camera) -> NDArray[np.bool_]:
    """Return the (rows, columns) mask of the pixels whose centre's ray meets the tree.

    Raises:
        InputError: part of the tree is not in front of the source.
    """
    rows = cone_rows(tree, camera)
    width = camera.shape[1] + 1  # one more column, where the intervals that reach the right border end
    size = camera.shape[0] * width
    begins = np.bincount(rows.row * width + rows.first, minlength=size)
    ends = np.bincount(rows.row * width + rows.last + 1, minlength=size)
    depth = np.cumsum((begins - ends).reshape(-1, width), axis=1)
    return depth[:, :-1] > 0


def occupancy(tree: TubeTree, grid: VolumeGrid) -> SparseVolume:
    """Return the voxels of `grid` whose centre lies in the tree, with value 1."""
    points, radii = cones(tree)
    spacing = np.asarray(grid.spacing_mm)
    found = [np.zeros(0, dtype=np.int64)]
    for index, cone in _candidates(grid.indices(points), radii[..., None] / spacing, grid.shape):
        inside = _inside(grid.centres(index), points[cone], radii[cone])
        found.append(np.ravel_multi_index(tuple(index[inside].T), grid.shape))
    flat = np.unique(np.concatenate(found))
    indices = np.stack(np.unravel_index(flat, grid.shape), axis=1).astype(np.int32)
    return SparseVolume(grid, indices, np.ones(len(flat), dtype=np.float32))


def cones(tree: TubeTree) -> tuple[Array, Array]:
    """Return the ends (M, 2, 3) in LPS mm and radii (M, 2) in mm of all round cones, tube after tube."""
    points = [np.stack([t.points_lps_mm[:-1], t.points_lps_mm[1:]], axis=1) for t in tree.tubes]
    radii = [np.stack([t.radii_mm[:-1], t.radii_mm[1:]], axis=1) for t in tree.tubes]
    return np.concatenate(points), np.concatenate(radii)


@dataclass(frozen=True, eq=False)
class ConeRows:
    """The pixels that round cones cover, as one interval of columns for each cone and image row (S of them).

    Attributes:
        cone: (S,) index of the cone, in the order of `cones`.
        row: (S,) image row.
        first: (S,) first column, inside the image.
        last: (S,) last column, at least `first`.
    """

    cone: NDArray[np.int64]
    row: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]


def cone_rows(tree: TubeTree, camera: Camera, margin_px: float = 0.0) -> ConeRows:
    """Return the pixels whose centre's ray meets each round cone, grown by `margin_px` pixels.

    Raises:
        InputError: part of the tree is not in front of the source.
    """
    points, radii = cones(tree)
    distance, depth = np.linalg.norm(points - camera.source, axis=-1), camera.depth(points)
    if (depth <= 2 * radii).any():
        raise InputError(f"the tree must lie in front of the X-ray source, least depth {depth.min():g} mm")
    row_mm, column_mm = camera.pixel_spacing_mm
    centres = camera.project(points) * (row_mm, column_mm)  # (M, 2, 2) detector mm
    # A sphere's cone has tan = r / sqrt(D^2 - r^2); off axis by theta its ellipse has mean size 1 / cos^1.5.
    circle = camera.sid_mm * radii / np.sqrt(distance**2 - radii**2) * (distance / depth) ** 1.5
    circle += margin_px * max(row_mm, column_mm)
    rows, columns = camera.shape
    top = np.clip(np.ceil((centres[..., 0] - circle).min(axis=1) / row_mm), 0, rows).astype(np.int64)
    end = np.clip(np.floor((centres[..., 0] + circle).max(axis=1) / row_mm) + 1, top, rows).astype(np.int64)
    counts = end - top
    cone = np.repeat(np.arange(len(counts)), counts)
    row = np.arange(len(cone)) - np.repeat(np.cumsum(counts) - counts - top, counts)
    left, right = _hull_on_rows(row * row_mm, cone, centres, circle)
    first = np.ceil(np.clip(left / column_mm, 0, columns)).astype(np.int64)
    last = np.floor(np.clip(right / column_mm, -1, columns - 1)).astype(np.int64)
    seen = first <= last
    return ConeRows(cone[seen], row[seen], first[seen], last[seen])


def _hull_on_rows(height: Array, cone: NDArray[np.int64], centres: Array, radii: Array) -> tuple[Array, Array]:
    """Return where the hulls (S,) of two circles begin and end along the lines at `height` (S,).

    A hull's border consists of arcs of the circles and of their two outer tangents.
    """
    left, right = np.full(len(cone), np.inf), np.full(len(cone), -np.inf)
    for end in (0, 1):
        square = radii[cone, end] ** 2 - (height - centres[cone, end, 0]) ** 2
        half = np.sqrt(np.where(square >= 0, square, np.nan))
        left = np.fmin(left, centres[cone, end, 1] - half)
        right = np.fmax(right, centres[cone, end, 1] + half)
    for begin, stop in _tangents(centres, radii):
        rise = (stop - begin)[cone, 0]
        share = (height - begin[cone, 0]) / np.where(rise == 0, np.nan, rise)
        share[(share < 0) | (share > 1)] = np.nan
        across = begin[cone, 1] + share * (stop - begin)[cone, 1]
        left, right = np.fmin(left, across), np.fmax(right, across)
    return left, right


def _tangents(centres: Array, radii: Array) -> list[tuple[Array, Array]]:
    """Return the ends (M, 2) of both outer tangents of the circles; NaN where one circle holds the other."""
    axis = centres[:, 1] - centres[:, 0]
    length = np.linalg.norm(axis, axis=1)
    apart = length > np.abs(radii[:, 0] - radii[:, 1])
    unit = axis / np.where(apart, length, np.nan)[:, None]
    slope = (radii[:, 0] - radii[:, 1]) / np.where(apart, length, np.nan)
    across = np.sqrt(1 - slope**2)[:, None] * np.stack([-unit[:, 1], unit[:, 0]], axis=1)
    normals = (slope[:, None] * unit + across, slope[:, None] * unit - across)
    return [(centres[:, 0] + radii[:, :1] * n, centres[:, 1] + radii[:, 1:] * n) for n in normals]


def _candidates(
    ends: Array, reach: Array, shape: tuple[int, ...]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield the lattice points (P, D) in each cone's bounding box and the cone (P,) each belongs to."""
    low = np.clip(np.ceil((ends - reach).min(axis=1)), 0, shape).astype(np.int64)
    high = np.clip(np.floor((ends + reach).max(axis=1)) + 1, low, shape).astype(np.int64)
    sides = high - low
    counts = sides.prod(axis=1)
    group = (np.cumsum(counts) - counts) // _CHUNK
    for number in np.unique(group[counts > 0]):
        members = np.flatnonzero((group == number) & (counts > 0))
        cone = np.repeat(members, counts[members])
        rest = np.arange(len(cone)) - np.repeat(np.cumsum(counts[members]) - counts[members], counts[members])
        index = np.empty((len(cone), len(shape)), dtype=np.int64)
        for axis in reversed(range(len(shape))):
            rest, index[:, axis] = np.divmod(rest, sides[cone, axis])
        yield index + low[cone], cone


def _inside(positions: Array, ends: Array, radii: Array) -> NDArray[np.bool_]:
    """Tell which positions (P, D) lie in the round cone with ends (P, 2, D) and radii (P, 2).

    The exact distance to the hull of two circles or spheres, in (along the axis, away from it).
    """
    axis = ends[:, 1] - ends[:, 0]
    length = np.linalg.norm(axis, axis=1)
    offset = positions - ends[:, 0]
    along = np.einsum("pd,pd->p", offset, axis) / np.maximum(length, 1e-12)
    away = np.sqrt(np.maximum(np.einsum("pd,pd->p", offset, offset) - along**2, 0))
    first, second = radii.T
    slope = np.clip((first - second) / np.maximum(length, 1e-12), -1, 1)
    cosine = np.sqrt(1 - slope**2)
    side = cosine * along - slope * away  # foot of the perpendicular on the cone's side, 0..cosine * length
    in_side = (side >= 0) & (side <= cosine * length) & (cosine * away + slope * along <= first)
    in_ends = (np.hypot(along, away) <= first) | (np.hypot(along - length, away) <= second)
    inside: NDArray[np.bool_] = in_side | in_ends
    return inside
