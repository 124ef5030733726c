"""One view's mask -> what each pixel tells of the vessel it lies on: edge distance, radius, direction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ....datatypes import AngiogramView
from ....geometry import Camera, camera_of
from ....projection import MaskCone
from .edges import averaged_along
from .outline import near_fitted_edges

__all__ = ["VesselMaps", "vessel_maps"]

RIDGE = 0.75
"""Where the slope of the distance to the edge is less than this, a pixel lies on the vessel's middle line."""
MARGIN_MM = 6.0
"""Farther from the mask, at the isocentre, no pixel is looked at."""
LEAST_CLARITY = 0.01
SMOOTHING_MM = 0.25
DIRECTION_MM = 0.6
ALONG_MM = 0.4
CALIBRE_MM = 1.0
"""Standard deviations at the isocentre: of the distance's smoothing, of the neighbourhood of the direction, of the
averaging along vessels, and of the neighbourhood of the calibre."""


@dataclass(frozen=True, eq=False)
class VesselMaps:
    """What a mask tells, pixel by pixel.

    Attributes:
        cone: signed distance to the mask's edge in px, and the camera.
        edge: the same with edges finer than a pixel.
        radius_px: (rows, columns) radius of the vessel that is nearest.
        calibre_px: the same as a mean along the vessel, finer than a pixel; crossings count little.
        inward: (rows, columns, 2) towards the middle line (row, column), not a unit vector.
        tangent: (rows, columns, 2) unit vector (row, column) along it; its sign means nothing.
        clarity: (rows, columns) how clear that direction is, 0 (crossing, end) to 1.
    """

    cone: MaskCone
    edge: MaskCone
    radius_px: NDArray[np.float32]
    calibre_px: NDArray[np.float32]
    inward: NDArray[np.float32]
    tangent: NDArray[np.float32]
    clarity: NDArray[np.float32]

    @property
    def camera(self) -> Camera:
        """The view's camera."""
        return self.cone.camera


def vessel_maps(view: AngiogramView) -> VesselMaps:
    """Return the maps of a view's mask.

    Raises:
        InputError: the view has no mask, or an empty one.
    """
    camera = camera_of(view)
    cone = MaskCone.of(view.vessel_mask(), camera)
    pixel_mm = float(camera.pixel_size_mm(-camera.source @ camera.d))
    near = np.nonzero(cone.distance_px < MARGIN_MM / pixel_mm)
    box = tuple(slice(int(places.min()), int(places.max()) + 1) for places in near)
    distance = cone.distance_px[box]
    smooth = ndimage.gaussian_filter(distance, max(SMOOTHING_MM / pixel_mm, 0.5), mode="nearest")
    down, right = np.gradient(smooth)
    tangent, clarity = _directions(down, right, max(DIRECTION_MM / pixel_mm, 1.0))
    averaged = averaged_along(distance, tangent, clarity, ALONG_MM / pixel_mm)
    distance = near_fitted_edges(distance, averaged, clarity)
    edge = cone.distance_px.copy()
    edge[box] = distance
    radius, calibre = _radii(distance, np.hypot(down, right), clarity, CALIBRE_MM / pixel_mm)
    found = (radius, calibre, -np.stack([down, right], axis=-1), tangent, clarity)
    return VesselMaps(cone, MaskCone(camera, edge), *(_outwards(each, box, camera.shape) for each in found))


def _outwards(values: NDArray[np.float32], box: tuple[slice, ...], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return values of a box of the image as (rows, columns, ...), beyond the box those of its border."""
    beyond = [(part.start, size - part.stop) for part, size in zip(box, shape, strict=True)]
    return np.pad(values, [*beyond, *[(0, 0)] * (values.ndim - 2)], mode="edge")


def _radii(
    distance_px: NDArray[np.float32], slope: NDArray[np.float32], clarity: NDArray[np.float32], sigma_px: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return at each pixel the distance to the edge at the nearest middle line, or beside it, and its local mean."""
    inside = distance_px < 0
    deepest = ndimage.minimum_filter(distance_px, 3)
    ridge = inside & ((slope < RIDGE) | (distance_px <= deepest))
    nearest = tuple(ndimage.distance_transform_edt(~ridge, return_distances=False, return_indices=True))
    weight = (ridge * (clarity + LEAST_CLARITY) ** 2).astype(np.float32)
    total = ndimage.gaussian_filter(weight * -deepest, sigma_px)
    calibre = total / np.maximum(ndimage.gaussian_filter(weight, sigma_px), 1e-12)
    return -deepest[nearest], calibre[nearest]


def _directions(
    down: NDArray[np.float32], right: NDArray[np.float32], sigma_px: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return direction and clarity from the structure tensor of the distance (Bigun and Granlund 1987)."""
    rr, rc, cc = (ndimage.gaussian_filter(part, sigma_px) for part in (down * down, down * right, right * right))
    spread = np.hypot(rr - cc, 2 * rc)
    across = 0.5 * np.arctan2(2 * rc, rr - cc)  # angle of the steepest direction from the row axis
    tangent = np.stack([-np.sin(across), np.cos(across)], axis=-1)
    return tangent.astype(np.float32), (spread / np.maximum(rr + cc, 1e-6)).astype(np.float32)
