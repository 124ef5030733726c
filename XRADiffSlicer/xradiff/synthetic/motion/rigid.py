"""The heart as a rigid body between two views: breathing, table, residual rotation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ...checks import check_finite_vector, check_range

__all__ = ["RigidMotion", "RigidOptions", "draw_rigid"]

Array = NDArray[np.float64]
Vector = tuple[float, float, float]


@dataclass(frozen=True)
class RigidMotion:
    """A rotation about `centre_lps_mm`, then a shift.

    Attributes:
        shift_lps_mm: shift, LPS mm.
        rotation_deg: rotation vector: its direction is the axis in LPS (right-hand rule), its length the angle.
        centre_lps_mm: the point that the rotation leaves where it is, LPS mm.

    Raises:
        InputError: not three finite numbers each.
    """

    shift_lps_mm: Vector = (0.0, 0.0, 0.0)
    rotation_deg: Vector = (0.0, 0.0, 0.0)
    centre_lps_mm: Vector = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        for name in ("shift_lps_mm", "rotation_deg", "centre_lps_mm"):
            object.__setattr__(self, name, check_finite_vector(name, getattr(self, name), 3))

    def moved(self, points_lps_mm: Array) -> Array:
        """Return where points (N, 3), LPS mm, go."""
        matrix = Rotation.from_rotvec(self.rotation_deg, degrees=True).as_matrix()
        centre = np.asarray(self.centre_lps_mm)
        moved: Array = (np.asarray(points_lps_mm, dtype=float) - centre) @ matrix.T + centre + self.shift_lps_mm
        return moved

    def parameters(self) -> dict[str, object]:
        """Return what defines the motion, ready for JSON."""
        return {
            "kind": "rigid",
            "shift_lps_mm": list(self.shift_lps_mm),
            "rotation_deg": list(self.rotation_deg),
            "centre_lps_mm": list(self.centre_lps_mm),
        }


@dataclass(frozen=True)
class RigidOptions:
    """How far the heart of a second view lies from that of the first.

    Breathing, end-expiration to end-inspiration, moves the heart by 4.9 +- 1.9 mm (2.4 to 8.0) towards the
    feet and 1.3 +- 1.8 mm forwards and turns it by 1.5 +- 0.9 deg (Shechter et al. 2004,
    doi:10.1109/TMI.2004.828676, 10 patients). The two views lie anywhere in a breath: the defaults take half
    of that as the mean and a wide spread, so that both directions occur.

    Attributes:
        breathing_mean_lps_mm: mean shift; towards the feet is negative z, forwards negative y.
        breathing_sd_lps_mm: its SD along each axis, 0 to 50 mm.
        table_mm: largest pan of the table along each axis (uniform), 0 to 200 mm; 0 where the file knows it.
        rotation_sd_deg: SD of the angle, about an axis of any direction, 0 to 30 deg.

    Raises:
        InputError: a value out of its range.
    """

    breathing_mean_lps_mm: Vector = (0.0, -0.7, -2.5)
    breathing_sd_lps_mm: Vector = (2.0, 2.0, 5.0)
    table_mm: Vector = (0.0, 0.0, 0.0)
    rotation_sd_deg: float = 1.5

    def __post_init__(self) -> None:
        for value in check_finite_vector("mean of breathing", self.breathing_mean_lps_mm, 3):
            check_range("mean of breathing", value, -50, 50, unit="mm")
        for value in check_finite_vector("SD of breathing", self.breathing_sd_lps_mm, 3):
            check_range("SD of breathing", value, 0, 50, unit="mm")
        for value in check_finite_vector("table pan", self.table_mm, 3):
            check_range("table pan", value, 0, 200, unit="mm")
        check_range("SD of the rotation", self.rotation_sd_deg, 0, 30, unit="deg")


def draw_rigid(
    rng: np.random.Generator, options: RigidOptions | None = None, centre_lps_mm: Sequence[float] = (0.0, 0.0, 0.0)
) -> RigidMotion:
    """Return a random `RigidMotion` about `centre_lps_mm` (the heart's middle); `rng` is the only chance.

    Raises:
        InputError: `centre_lps_mm` is not three finite numbers.
    """
    options = options or RigidOptions()
    breathing = rng.normal(options.breathing_mean_lps_mm, options.breathing_sd_lps_mm)
    table = np.asarray(options.table_mm)
    shift = breathing + rng.uniform(-table, table)
    axis = rng.normal(size=3)
    turn = axis / np.linalg.norm(axis) * rng.normal(0, options.rotation_sd_deg)
    return RigidMotion(tuple(shift.tolist()), tuple(turn.tolist()), tuple(float(c) for c in centre_lps_mm))  # type: ignore[arg-type]
