"""Masks -> the voxels that can be inside, coarse to fine; the dense fine grid is never made.

A block of voxels is kept while its centre projects, in every view, no further from the mask than
the tolerance plus the block's own half diagonal; kept blocks are halved until the voxel size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from ..checks import check_range
from ..datatypes import SparseVolume, VolumeGrid
from ..errors import InputError
from ..geometry import Camera
from ..memory import check_memory
from ..progress import Progress, silent

__all__ = ["MaskCone", "backproject_masks", "signed_distance_px"]

BYTES_PER_CANDIDATE = 160
CHUNK = 1 << 19
COARSEST_MM = 8.0
HALF_DIAGONAL = np.sqrt(3) / 2


def signed_distance_px(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the distance (rows, columns) in px of each pixel centre to the mask's edge, negative inside.

    The edge lies half-way between a mask pixel and its neighbour outside.
    """
    outside = distance_transform_edt(~mask)
    inside = distance_transform_edt(np.pad(mask, 1, mode="edge"))[1:-1, 1:-1]
    return np.where(mask, 0.5 - inside, outside - 0.5).astype(np.float32)


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

    def distance_mm(self, points_lps_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the signed distance (N,) in mm, at the points' depth, of points (N, 3) to the mask's edge.

        Sampled bilinearly. Beyond the image border the distance is a lower bound; behind the source
        it is infinite.
        """
        depth = self.camera.depth(points_lps_mm)
        pixels = self.camera.project(points_lps_mm)
        top = np.asarray(self.camera.shape) - 1
        nearest = np.clip(pixels, 0, top)
        beyond = np.linalg.norm(pixels - nearest, axis=1)
        inside = bilinear(self.distance_px, nearest)
        distance = np.where(beyond > 0, np.hypot(np.maximum(inside, 0), beyond), inside)
        return np.where(depth > 0, distance * self.camera.pixel_size_mm(depth), np.inf)


def bilinear(image: NDArray[np.float32], pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `image` (rows, columns) sampled at `pixels` (N, 2), (row, column) inside the image."""
    rows, columns = image.shape
    low = np.minimum(pixels.astype(np.int64), [max(rows - 2, 0), max(columns - 2, 0)])
    part_row, part_column = (pixels - low).T
    start = low[:, 0] * columns + low[:, 1]
    down, right = (columns if rows > 1 else 0), (1 if columns > 1 else 0)
    flat = image.reshape(-1)
    upper = flat[start] * (1 - part_column) + flat[start + right] * part_column
    lower = flat[start + down] * (1 - part_column) + flat[start + down + right] * part_column
    sampled: NDArray[np.float64] = upper * (1 - part_row) + lower * part_row
    return sampled


def backproject_masks(
    cones: Sequence[MaskCone], grid: VolumeGrid, tolerance_mm: float = 0.0, progress: Progress = silent
) -> SparseVolume:
    """Return the soft intersection of the backprojections of all masks (XRA-Diff eq. 3 and 11).

    A voxel's value is the minimum over the views of clip(1/2 - (D - tolerance) / spacing, 0, 1), D its
    signed distance in mm to that view's mask edge; so it is at least 1/2 exactly where the centre
    projects within the tolerance of every mask. Voxels of value 0 are left out.

    Args:
        cones: one per view, two or more for a bounded volume.
        grid: where to look; its spacing is that of the result.
        tolerance_mm: how far outside a mask a voxel may project.
        progress: is called once a level; may raise Cancelled.

    Raises:
        InputError: no view, a negative tolerance, or too many voxels for the memory.
    """
    if not cones:
        raise InputError("backprojection needs at least one view, got none")
    check_range("tolerance", tolerance_mm, 0, 100, unit="mm")
    spacing = max(grid.spacing_mm)
    depth = max(0, int(np.floor(np.log2(COARSEST_MM / spacing))))
    indices = _all_indices(-(-np.asarray(grid.shape) // 2**depth))
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
    for cone in cones:
        points = grid.centres(indices * factor + (factor - 1) / 2)
        outside = cone.distance_mm(points) - tolerance_mm - reach
        values = np.minimum(values, np.clip(0.5 - outside / spacing, 0, 1).astype(np.float32))
        keep = values > 0
        indices, values = indices[keep], values[keep]
    return indices, values
