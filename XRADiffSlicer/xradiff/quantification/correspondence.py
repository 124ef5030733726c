"""Do points of two views that belong together meet in the result? AutoCAR's metrics for real images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ..checks import check_range
from ..errors import InputError
from ..geometry import Camera

__all__ = ["CorrespondenceScores", "Correspondences", "correspondence_scores"]

Array = NDArray[np.float64]
TOLERANCE_MM = 3.0


@dataclass(frozen=True, eq=False)
class Correspondences:
    """Pixels of two views that show the same point of the vessels (AutoCAR eq. 21).

    Attributes:
        camera_a: camera of the first view.
        camera_b: camera of the second view.
        pixels_a: (N, 2) rows and columns in the first view, N >= 1.
        pixels_b: (N, 2) rows and columns in the second view.

    Raises:
        InputError: arrays of other shapes.
    """

    camera_a: Camera
    camera_b: Camera
    pixels_a: Array
    pixels_b: Array

    def __post_init__(self) -> None:
        if self.pixels_a.shape != self.pixels_b.shape or self.pixels_a.shape[1:] != (2,) or not len(self.pixels_a):
            raise InputError(
                f"corresponding pixels need two arrays (N >= 1, 2), "
                f"got {self.pixels_a.shape} and {self.pixels_b.shape}"
            )


@dataclass(frozen=True)
class CorrespondenceScores:
    """AutoCAR's coverage, end-point error (EPE) and accuracy, and an EPE without its optimism.

    In mm at the detector (pixels times imager pixel spacing): the paper calls its tolerance of 3 mm
    "the maximum projected vessel radius".

    Attributes:
        coverage: fraction of the points of view A with a projected point of the result within the
            tolerance (eq. 22).
        end_point_error_mm: mean distance of the points of view B to the NEAREST projected point of the
            result in view B (eq. 23). Optimistic: any point of the result may be the partner, also one
            that lies elsewhere in view A.
        accuracy: coverage times the fraction of the points with such an error within the tolerance (eq. 24).
        followed_error_mm: the same error where the partner is the point of the result nearest in view A:
            the query that the paper describes. Its table 2 gives the visual hull 16.4 mm at coverage 0.97,
            which the nearest point in view B cannot be, for a hull covers both masks.
        followed_accuracy: the accuracy with that error.
    """

    coverage: float
    end_point_error_mm: float
    accuracy: float
    followed_error_mm: float
    followed_accuracy: float


def correspondence_scores(
    points_lps_mm: Array, given: Correspondences, tolerance_mm: float = TOLERANCE_MM
) -> CorrespondenceScores:
    """Return how the centreline or surface points (K, 3) of a result explain `given`.

    Raises:
        InputError: no points, or a tolerance that is not positive.
    """
    check_range("tolerance of a correspondence", tolerance_mm, 0, unit="mm", open_minimum=True)
    if len(points_lps_mm) == 0:
        raise InputError("the result has no points; there is nothing to compare with the correspondences")
    a, b = (_detector_mm(camera, camera.project(points_lps_mm)) for camera in (given.camera_a, given.camera_b))
    query_a = _detector_mm(given.camera_a, given.pixels_a)
    query_b = _detector_mm(given.camera_b, given.pixels_b)
    distance_a, partner = cKDTree(a).query(query_a)
    distance_b = cKDTree(b).query(query_b)[0]
    followed = np.linalg.norm(b[partner] - query_b, axis=1)
    coverage = float(np.mean(distance_a < tolerance_mm))
    return CorrespondenceScores(
        coverage=coverage,
        end_point_error_mm=float(distance_b.mean()),
        accuracy=coverage * float(np.mean(distance_b < tolerance_mm)),
        followed_error_mm=float(followed.mean()),
        followed_accuracy=coverage * float(np.mean(followed < tolerance_mm)),
    )


def _detector_mm(camera: Camera, pixels: Array) -> Array:
    placed: Array = np.asarray(pixels, dtype=float) * camera.pixel_spacing_mm
    return placed
