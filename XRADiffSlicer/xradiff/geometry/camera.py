"""One view's cone-beam camera: project points, ray through a pixel, 3x4 matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..datatypes import Acquisition, AngiogramView
from ..errors import InputError
from .carm import detector_axes

__all__ = ["Camera", "camera_from", "camera_of"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera in reference-patient LPS mm.

    Attributes:
        source: (3,) X-ray source.
        u: (3,) unit vector along image columns (to the right).
        v: (3,) unit vector along image rows (downwards).
        d: (3,) unit vector from the source to the detector.
        sid_mm: source-detector distance.
        pixel_spacing_mm: (row, column) pitch at the detector.
        principal_point: (row, column) where the central ray meets the image, in pixels.
        shape: (rows, columns) of the image.
    """

    source: Array
    u: Array
    v: Array
    d: Array
    sid_mm: float
    pixel_spacing_mm: tuple[float, float]
    principal_point: tuple[float, float]
    shape: tuple[int, int]

    @property
    def matrix(self) -> Array:
        """(3, 4) matrix P with P [x, y, z, 1] = w [column, row, 1], w the depth along d in mm."""
        row_mm, column_mm = self.pixel_spacing_mm
        row0, column0 = self.principal_point
        linear = np.stack(
            [
                self.sid_mm / column_mm * self.u + column0 * self.d,
                self.sid_mm / row_mm * self.v + row0 * self.d,
                self.d,
            ]
        )
        return np.concatenate([linear, -(linear @ self.source)[:, None]], axis=1)

    @property
    def detector_centre(self) -> Array:
        """(3,) position of the image centre on the detector."""
        middle = (np.asarray(self.shape) - 1) / 2
        return self.pixel_positions(middle)

    def depth(self, points_lps_mm: ArrayLike) -> Array:
        """Return the distance (...) from the source along d of points (..., 3), in mm."""
        depth: Array = (np.asarray(points_lps_mm) - self.source) @ self.d
        return depth

    def project(self, points_lps_mm: ArrayLike) -> Array:
        """Return (..., 2) fractional (row, column) of points (..., 3) in front of the source."""
        matrix = self.matrix
        homogeneous = np.asarray(points_lps_mm) @ matrix[:, :3].T + matrix[:, 3]
        pixels: Array = homogeneous[..., [1, 0]] / homogeneous[..., 2:]
        return pixels

    def pixel_positions(self, pixels: ArrayLike) -> Array:
        """Return (..., 3) LPS positions on the detector of pixels (..., 2) given as (row, column)."""
        offset = (np.asarray(pixels, dtype=float) - self.principal_point) * self.pixel_spacing_mm
        positions: Array = self.source + self.sid_mm * self.d + offset[..., :1] * self.v + offset[..., 1:] * self.u
        return positions

    def ray_directions(self, pixels: ArrayLike) -> Array:
        """Return (..., 3) unit vectors from the source through pixels (..., 2) given as (row, column)."""
        rays = self.pixel_positions(pixels) - self.source
        directions: Array = rays / np.linalg.norm(rays, axis=-1, keepdims=True)
        return directions

    def pixel_size_mm(self, depth_mm: ArrayLike) -> Array:
        """Return the size (...) of a pixel (geometric mean of its sides) at `depth_mm` from the source."""
        pitch = float(np.sqrt(self.pixel_spacing_mm[0] * self.pixel_spacing_mm[1]))
        size: Array = np.asarray(depth_mm, dtype=float) * (pitch / self.sid_mm)
        return size


def camera_from(acquisition: Acquisition, shape: tuple[int, int]) -> Camera:
    """Return the camera of an image of `shape` (rows, columns) taken as `acquisition` says.

    A displaced patient is the same as a C-arm displaced the other way, so the camera stands in the
    frame of the reference patient: source = -SOD d - table shift.

    Raises:
        InputError: the shape is not two positive counts.
    """
    if len(shape) != 2 or min(shape) < 1:
        raise InputError(f"an image needs at least one row and one column, got shape {shape}")
    u, v, d = detector_axes(acquisition.primary_deg, acquisition.secondary_deg, acquisition.roll_deg)
    source = -acquisition.sod_mm * d - np.asarray(acquisition.table_shift_mm)
    offset_u, offset_v = acquisition.detector_offset_mm
    row_mm, column_mm = acquisition.pixel_spacing_mm
    principal_point = ((shape[0] - 1) / 2 - offset_v / row_mm, (shape[1] - 1) / 2 - offset_u / column_mm)
    return Camera(source, u, v, d, acquisition.sid_mm, acquisition.pixel_spacing_mm, principal_point, shape)


def camera_of(view: AngiogramView) -> Camera:
    """Return the camera of `view`."""
    return camera_from(view.acquisition, view.shape)
