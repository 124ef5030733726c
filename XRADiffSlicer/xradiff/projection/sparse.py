"""Masks -> the voxels that can be inside, coarse to fine; the dense fine grid is never made.

A block of voxels is kept while its centre projects, in every view, no further from the mask than
the tolerance plus the block's own half diagonal; kept blocks are halved until the voxel size.
Of three views or more, one tells nothing of voxels beyond a side of its image that its mask comes near to, as long
as two others, well apart, tell of them: vessels may run out there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ..checks import check_range
from ..datatypes import SparseVolume, VolumeGrid
from ..errors import InputError
from ..geometry import Camera
from ..geometry.epipolar import wide_pairs
from ..memory import check_memory
from ..progress import Progress, silent

__all__ = ["MaskCone", "backproject_masks", "signed_distance_px", "views_that_tell"]

BYTES_PER_CANDIDATE = 160
CHUNK = 1 << 14  # candidates at a time: their coordinates stay in the processor's cache
COARSEST_MM = 8.0
FARTHEST_PX = 1e6
HALF_DIAGONAL = np.sqrt(3) / 2
OPEN = 0.02
"""Share of an image's size: where the mask is nearer to a side, vessels may run out of it."""


def signed_distance_px(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the distance (rows, columns) in px of each pixel centre to the mask's edge, negative inside.

    The edge lies half-way between a mask pixel and its neighbour outside.
    """
    distance = _distance_to(mask) - np.float32(0.5)
    occupied = [np.flatnonzero(mask.any(axis=1 - axis)) for axis in (0, 1)]
    if len(occupied[0]) == 0:
        return distance
    box = tuple(slice(max(int(found[0]) - 1, 0), int(found[-1]) + 2) for found in occupied)
    # beyond the image the vessel goes on: the border is not an edge of the mask
    inside = _distance_to(np.pad(~mask[box], 1, mode="edge"))[1:-1, 1:-1]
    distance[box] = np.where(mask[box], 0.5 - inside, distance[box])
    return distance


def _distance_to(pixels: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Distance in px to the nearest of `pixels` (Maurer et al. 2003, doi:10.1109/TPAMI.2003.1177156); exact.

    SimpleITK's takes half the time of scipy.ndimage.distance_transform_edt.
    """
    image = sitk.GetImageFromArray(pixels.astype(np.uint8))
    signed = sitk.SignedMaurerDistanceMap(image, insideIsPositive=False, squaredDistance=False, useImageSpacing=False)
    return np.clip(sitk.GetArrayViewFromImage(signed), 0, FARTHEST_PX)


@dataclass(frozen=True, eq=False)
class MaskCone:
    """All space whose projection lies on one view's mask.

    Attributes:
        camera: the view.
        distance_px: (rows, columns) signed distance to the mask's edge, negative inside.
    """

    camera: Camera
    distance_px: NDArray[np.float32]

    @classmethod
    def of(cls, mask: NDArray[np.bool_], camera: Camera) -> MaskCone:
        """Return the cone of `mask` (rows, columns) seen by `camera`.

        Raises:
            InputError: the mask has another shape than the camera, or no vessel pixel.
        """
        if mask.shape != camera.shape:
            raise InputError(f"the mask has shape {mask.shape}, its camera {camera.shape}; they must be equal")
        if not mask.any():
            raise InputError("the mask has no vessel pixel; it needs at least one")
        return cls(camera, signed_distance_px(mask))

    def distance_mm(self, points_lps_mm: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return the signed distance (N,) in mm, at the points' depth, of points (N, 3) to the mask's edge.

        Sampled bilinearly, in the points' precision (float32 is good to 1e-4 px). Beyond the image
        border the distance is a lower bound; behind the source it is infinite.
        """
        matrix = self.camera.matrix.astype(points_lps_mm.dtype)
        column, row, depth = matrix[:, :3] @ points_lps_mm.T + matrix[:, 3:]
        row /= depth
        column /= depth
        top, right = self.camera.shape[0] - 1, self.camera.shape[1] - 1
        distance = bilinear(self.distance_px, np.clip(row, 0, top), np.clip(column, 0, right))
        beyond = (row < 0) | (row > top) | (column < 0) | (column > right)
        if beyond.any():
            past = [axis[beyond] - np.clip(axis[beyond], 0, end) for axis, end in ((row, top), (column, right))]
            distance[beyond] = np.sqrt(np.maximum(distance[beyond], 0) ** 2 + past[0] ** 2 + past[1] ** 2)
        distance *= depth * float(self.camera.pixel_size_mm(1.0))
        return distance if depth.min(initial=1) > 0 else np.where(depth > 0, distance, np.inf)

    def tells_of(self, points_lps_mm: NDArray[np.floating], margin_mm: float = 0.0) -> NDArray[np.bool_]:
        """Return whether the view tells of points (N, 3): not beyond a side of its image that the mask comes near to.

        Args:
            points_lps_mm: where.
            margin_mm: how far beyond the image counts as inside, at the points' depth.
        """
        matrix = self.camera.matrix.astype(points_lps_mm.dtype)
        column, row, depth = matrix[:, :3] @ points_lps_mm.T + matrix[:, 3:]
        margin = 0.5 * depth + margin_mm / float(self.camera.pixel_size_mm(1.0))
        beyond = np.zeros(len(points_lps_mm), dtype=np.bool_)
        for place, size, (low, high) in zip((row, column), self.camera.shape, self._open_sides(), strict=True):
            if low:
                beyond |= place < -margin
            if high:
                beyond |= place > (size - 1) * depth + margin
        return np.asarray(~beyond | (depth <= 0))

    def _open_sides(self) -> tuple[tuple[bool, bool], tuple[bool, bool]]:
        """Return whether the mask comes near the (first, last) row and the (first, last) column."""
        distance, near = self.distance_px, OPEN * max(self.distance_px.shape)
        rows, columns = distance[[0, -1]].min(axis=1) < near, distance[:, [0, -1]].min(axis=0) < near
        return (bool(rows[0]), bool(rows[1])), (bool(columns[0]), bool(columns[1]))


def bilinear(image: NDArray[np.float32], row: NDArray[np.floating], column: NDArray[np.floating]) -> NDArray[Any]:
    """Return `image` (rows, columns) sampled at (N,) rows and columns inside the image."""
    rows, columns = image.shape
    low_row = np.minimum(row.astype(np.int32), max(rows - 2, 0))
    low_column = np.minimum(column.astype(np.int32), max(columns - 2, 0))
    part_row, part_column = row - low_row, column - low_column
    start = low_row * columns + low_column
    down, right = (columns if rows > 1 else 0), (1 if columns > 1 else 0)
    flat = image.reshape(-1)
    upper, lower = flat[start], flat[start + down]
    upper += (flat[start + right] - upper) * part_column.astype(np.float32)
    lower += (flat[start + down + right] - lower) * part_column.astype(np.float32)
    return upper + (lower - upper) * part_row.astype(row.dtype)


def views_that_tell(
    cones: Sequence[MaskCone], points_lps_mm: NDArray[np.floating], tolerance_mm: float = 0.0
) -> NDArray[np.bool_]:
    """Return (V, N) which views tell of points (N, 3), see `MaskCone.tells_of`; all, where two are all that there are.

    Nearer to such a side than the tolerance, inside the image, a point may belong to a vessel beyond it.
    """
    if not _wide_pairs(cones):
        return np.ones((len(cones), len(points_lps_mm)), dtype=np.bool_)
    return np.stack([cone.tells_of(points_lps_mm, -tolerance_mm) for cone in cones])


def _wide_pairs(cones: Sequence[MaskCone]) -> tuple[tuple[int, int], ...]:
    """Return the pairs of which one must tell of a voxel; none where all views must."""
    return wide_pairs([cone.camera for cone in cones]) if len(cones) > 2 else ()


def backproject_masks(
    cones: Sequence[MaskCone],
    grid: VolumeGrid,
    tolerance_mm: float = 0.0,
    progress: Progress = silent,
    *,
    among: NDArray[np.integer] | None = None,
) -> SparseVolume:
    """Return the soft intersection of the backprojections of all masks (XRA-Diff eq. 3 and 11).

    A voxel's value is the minimum over the views of clip(1/2 - (D - tolerance) / spacing, 0, 1), D its
    signed distance in mm to that view's mask edge; so it is at least 1/2 exactly where the centre
    projects within the tolerance of the masks. Voxels of value 0 are left out.
    With three views or more, those count that tell of the centre (`views_that_tell`); two 25 degrees apart must.

    Args:
        cones: one per view, two or more for a bounded volume.
        grid: where to look; its spacing is that of the result.
        tolerance_mm: how far outside a mask a voxel may project.
        progress: is called once a level; may raise Cancelled.
        among: (N, 3) the voxels of the grid to look at, each once; all by default.

    Raises:
        InputError: no view, a negative tolerance, or too many voxels for the memory.
    """
    if not cones:
        raise InputError("backprojection needs at least one view, got none")
    check_range("tolerance", tolerance_mm, 0, 100, unit="mm")
    spacing = max(grid.spacing_mm)
    depth = max(0, int(np.floor(np.log2(COARSEST_MM / spacing)))) if among is None else 0
    indices = _all_indices(-(-np.asarray(grid.shape) // 2**depth)) if among is None else among.astype(np.int64)
    values = np.ones(len(indices), dtype=np.float32)
    for level in range(depth, -1, -1):
        progress((depth - level) / (depth + 1), f"backprojecting the masks at {spacing * 2**level:g} mm")
        indices, values = _kept(cones, grid, indices, 2**level, tolerance_mm)
        if level:
            indices = _halved(indices, spacing * 2 ** (level - 1))
    order = np.lexsort(indices.T[::-1])
    return SparseVolume(grid, indices[order].astype(np.int32), values[order])


def _all_indices(shape: NDArray[np.int64]) -> NDArray[np.int64]:
    check_memory(float(np.prod(shape, dtype=float)) * BYTES_PER_CANDIDATE, "the grid", "use a smaller grid")
    return np.stack(np.meshgrid(*[np.arange(count) for count in shape], indexing="ij"), axis=-1).reshape(-1, 3)


def _halved(indices: NDArray[np.int64], spacing_mm: float) -> NDArray[np.int64]:
    check_memory(
        len(indices) * 8.0 * BYTES_PER_CANDIDATE,
        f"backprojecting at {spacing_mm:g} mm",
        "use a coarser voxel spacing or a smaller tolerance",
    )
    corners = np.stack(np.meshgrid([0, 1], [0, 1], [0, 1], indexing="ij"), axis=-1).reshape(-1, 3)
    return (2 * indices[:, None, :] + corners).reshape(-1, 3)


def _kept(
    cones: Sequence[MaskCone], grid: VolumeGrid, indices: NDArray[np.int64], factor: int, tolerance_mm: float
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Drop the blocks of `factor`^3 voxels that cannot hold a voxel of the result; also their values."""
    # the blocks may reach over the end of the grid; a block's first voxel must lie in it
    indices = indices[np.all(indices * factor < np.asarray(grid.shape), axis=1)]
    parts = [
        _kept_chunk(cones, grid, indices[start : start + CHUNK], factor, tolerance_mm)
        for start in range(0, len(indices), CHUNK)
    ]
    if not parts:
        return indices, np.zeros(0, dtype=np.float32)
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def _kept_chunk(
    cones: Sequence[MaskCone], grid: VolumeGrid, indices: NDArray[np.int64], factor: int, tolerance_mm: float
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    spacing = max(grid.spacing_mm)
    # the half diagonal counts at the depth of the block's near side: 2 % covers every clinical cone
    reach = 0.0 if factor == 1 else 1.02 * HALF_DIAGONAL * spacing * factor
    values = np.ones(len(indices), dtype=np.float32)
    points = grid.centres(indices * factor + (factor - 1) / 2).astype(np.float32)
    if pairs := _wide_pairs(cones):
        told = [cone.tells_of(points, reach - tolerance_mm) for cone in cones]
        keep = np.any([told[i] & told[j] for i, j in pairs], axis=0)
        indices, values, points = indices[keep], values[keep], points[keep]
    for cone in cones:
        outside = cone.distance_mm(points) - (tolerance_mm + reach)
        if pairs:
            outside[~cone.tells_of(points, -reach - tolerance_mm)] = -np.inf  # not of the whole block
        values = np.minimum(values, np.clip(0.5 - outside / spacing, 0, 1))
        keep = values > 0
        indices, values, points = indices[keep], values[keep], points[keep]
    return indices, values
