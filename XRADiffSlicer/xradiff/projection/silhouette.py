"""Sparse volume -> binary silhouette: every voxel drawn with its footprint."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..datatypes import SparseVolume
from ..geometry import Camera

__all__ = ["silhouette"]


def silhouette(volume: SparseVolume, camera: Camera) -> NDArray[np.bool_]:
    """Return the (rows, columns) pixels onto which a voxel of `volume` projects.

    A voxel covers the square of its edge length (at its depth) around its projected centre, at
    least the pixel it falls on. The squares are summed as a 2D difference array, so the cost does
    not depend on their size.
    """
    rows, columns = camera.shape
    points = volume.points_lps_mm()
    depth = camera.depth(points)
    points, depth = points[depth > 0], depth[depth > 0]
    pixels = camera.project(points)
    edge_mm = max(volume.grid.spacing_mm)
    half = np.maximum(0.5 * edge_mm / camera.pixel_size_mm(depth), 0.5)
    seen = np.all((pixels > -half[:, None] - 1) & (pixels < np.array([rows, columns]) + half[:, None]), axis=1)
    pixels, half = pixels[seen], half[seen]
    first = np.clip(np.ceil(pixels - half[:, None]), 0, [rows, columns]).astype(np.int64)
    last = np.clip(np.floor(pixels + half[:, None]) + 1, 0, [rows, columns]).astype(np.int64)
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
