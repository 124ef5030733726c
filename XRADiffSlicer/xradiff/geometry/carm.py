"""C-arm angles -> unit vectors in patient LPS axes (DICOM PS3.3 C.8.7.5.1.2)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["detector_axes"]


def detector_axes(
    primary_deg: float, secondary_deg: float, roll_deg: float = 0.0
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return (u, v, d), three unit vectors (3,) in LPS.

    d points from the source to the detector, u along image columns (to the right), v along image
    rows (downwards); u x v = -d. The primary angle is a longitude (LAO positive), the secondary a
    latitude (cranial positive). At 0/0 the detector is in front of a supine patient, the patient's
    left is on the right of the image and the head is up. A roll turns u towards v.
    """
    a, b, r = np.deg2rad([primary_deg, secondary_deg, roll_deg])
    d = np.array([np.sin(a) * np.cos(b), -np.cos(a) * np.cos(b), np.sin(b)])
    u0 = np.array([np.cos(a), np.sin(a), 0.0])
    v0 = np.array([np.sin(a) * np.sin(b), -np.cos(a) * np.sin(b), -np.cos(b)])
    return np.cos(r) * u0 + np.sin(r) * v0, -np.sin(r) * u0 + np.cos(r) * v0, d
