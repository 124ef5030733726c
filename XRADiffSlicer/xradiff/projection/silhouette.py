"""Sparse volume -> binary silhouette: every voxel drawn with its footprint."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..datatypes import SparseVolume
from ..geometry import Camera

__all__ = ["footprints", "silhouette"]


def silhouette(volume: SparseVolume, camera: Camera) -> NDArray[np.bool_]:
    """Return the (rows, columns) pixels onto which a voxel of `volume` projects.

    A voxel covers the square of its edge length (at its depth) around its projected centre, at
    least the pixel it falls on. The squares are summed as a 2D difference array, so the cost does
    not depend on their size.
    """
    rows, columns = camera.shape
    first, last = footprints(volume.points_lps_mm(), max(volume.grid.spacing_mm), camera)
    counts = np.zeros((rows + 1) * (columns + 1), dtype=np.int64)
    for row, column, sign in (
        (first[:, 0], first[:, 1], 1),
        (last[:, 0], last[:, 1], 1),
        (first[:, 0], last[:, 1], -1),
        (last[:, 0], first[:, 1], -1),
    ):
        counts += sign * np.bincount(row * (columns + 1) + column, minlength=counts.size)
    covered = counts.reshape(rows + 1, columns + 1).cumsum(axis=0).cumsum(axis=1)
    result: NDArray[np.bool_] = covered[:rows, :columns] > 0
    return result


def footprints(
    points_lps_mm: NDArray[np.floating], edge_mm: float, camera: Camera
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first (row, column) and the one after the last, both (N, 2), that voxels of such an edge cover.

    They lie within the image; of a voxel that covers nothing of it both are equal on one axis at least.

    Args:
        points_lps_mm: (N, 3) the voxels' centres.
        edge_mm: of the voxels.
        camera: the view.
    """
    depth = camera.depth(points_lps_mm)
    ahead = depth > 0
    half = np.full((len(depth), 1), 0.5)
    half[ahead, 0] = np.maximum(0.5 * edge_mm / camera.pixel_size_mm(depth[ahead]), 0.5)
    pixels = np.full((len(depth), 2), -2.0)
    pixels[ahead] = camera.project(points_lps_mm[ahead])
    first = np.clip(np.ceil(pixels - half), 0, camera.shape).astype(np.int64)
    last = np.clip(np.floor(pixels + half) + 1, 0, camera.shape).astype(np.int64)
    return first, last
