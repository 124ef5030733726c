"""How much of each mask the other views can explain at all, whatever the method: the vessels that they show, too."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..calibration.frame import pair_frame
from ..calibration.scene import usable_pairs
from ..datatypes import AngiogramView
from ..geometry import Camera, camera_of

__all__ = ["shares_with_counterpart"]

Array = NDArray[np.float64]
_BIN_MM = 0.1


def shares_with_counterpart(views: Sequence[AngiogramView], tolerance_mm: float) -> tuple[float, ...]:
    """Return for each view the share (0 to 1) of its mask's pixels whose epipolar plane meets every other mask.

    The ray of another pixel meets no vessel of some other view: no point that all masks allow lies on it. Views less
    than 15 degrees apart are not compared.

    Args:
        views: calibrated, with masks that hold a vessel.
        tolerance_mm: by how much the masks may disagree, across the epipolar planes.
    """
    cameras = [camera_of(view) for view in views]
    pixels = [np.argwhere(view.vessel_mask()).astype(float) for view in views]
    met = [np.ones(len(each), bool) for each in pixels]
    for i, j in usable_pairs(cameras):
        frame = pair_frame(cameras[i], cameras[j], pixels[i].mean(axis=0), pixels[j].mean(axis=0))
        first, second = frame.coordinate_mm(cameras[i], pixels[i]), frame.coordinate_mm(cameras[j], pixels[j])
        reach = [tolerance_mm + _pixel_mm(camera, frame.origin) for camera in (cameras[i], cameras[j])]
        met[i] &= _near(first, second, reach[1])
        met[j] &= _near(second, first, reach[0])
    return tuple(float(each.mean()) for each in met)


def _pixel_mm(camera: Camera, point_lps_mm: Array) -> float:
    return float(camera.pixel_size_mm(float(camera.depth(point_lps_mm[None])[0])))


def _near(values: Array, others: Array, reach_mm: float) -> NDArray[np.bool_]:
    """Tell which of `values` (N,) lie within `reach_mm` of one of `others` (M,)."""
    low = min(values.min(), others.min())
    place, other = (np.floor((each - low) / _BIN_MM).astype(int) for each in (values, others))
    held = np.zeros(max(place.max(), other.max()) + 1, bool)
    held[other] = True
    wide = ndimage.binary_dilation(held, np.ones(2 * int(np.ceil(reach_mm / _BIN_MM)) + 1))
    near: NDArray[np.bool_] = wide[place]
    return near
