"""What is left between two heart cycles: a smooth random deformation of space.

AutoCAR deforms its second view by thin-plate splines in the image; this one acts in 3D, by cubic B-splines on a
lattice, so that both views and the truth stay one scene.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from ...checks import check_finite_vector, check_range
from ...errors import InputError

__all__ = ["SmoothDeformation", "smooth_deformation"]

Array = NDArray[np.float64]
Vector = tuple[float, float, float]
_STEEPEST = 0.06  # amplitude over wavelength; steeper fields may fold
_SAMPLES = 24  # a side of the box, where the amplitude is measured
_MOST_KNOTS = 200_000


@dataclass(frozen=True)
class SmoothDeformation:
    """A displacement field of cubic B-splines, knots half a wavelength apart; it fades outside the box.

    Attributes:
        low_lps_mm, high_lps_mm: corners of the box in which the amplitude holds, LPS mm.
        amplitude_mm: root mean square of the displacement's length in the box.
        wavelength_mm: the shortest wave; amplitude at most 0.06 of it, so that space does not fold.
        seed: of the knots' values.

    Raises:
        InputError: an empty box, a value out of range, more than 200,000 knots.
    """

    low_lps_mm: Vector
    high_lps_mm: Vector
    amplitude_mm: float
    wavelength_mm: float
    seed: int

    def __post_init__(self) -> None:
        low = check_finite_vector("lower corner of the box", self.low_lps_mm, 3)
        high = check_finite_vector("upper corner of the box", self.high_lps_mm, 3)
        if not np.less(low, high).all():
            raise InputError(f"the box must have its lower corner below its upper one, got {low} and {high}")
        check_range("wavelength", self.wavelength_mm, 0, 1000, unit="mm", open_minimum=True)
        check_range("amplitude", self.amplitude_mm, 0, _STEEPEST * self.wavelength_mm, unit="mm")
        if np.prod(self._counts) > _MOST_KNOTS:
            raise InputError(
                f"a wavelength of {self.wavelength_mm:g} mm needs {np.prod(self._counts)} knots in this box; "
                f"at most {_MOST_KNOTS} are accepted"
            )

    @property
    def _counts(self) -> NDArray[np.int64]:
        """Number of knots along each axis: one beyond the box on each side."""
        size = np.subtract(self.high_lps_mm, self.low_lps_mm)
        return np.ceil(size / (self.wavelength_mm / 2)).astype(np.int64) + 3

    @cached_property
    def _knots(self) -> Array:
        """Displacements (3, I, J, K) at the knots, in mm."""
        raw = np.random.default_rng(self.seed).normal(size=(3, *self._counts))
        sides = [np.linspace(a, b, _SAMPLES) for a, b in zip(self.low_lps_mm, self.high_lps_mm, strict=True)]
        box = np.stack(np.meshgrid(*sides, indexing="ij"), axis=-1).reshape(-1, 3)
        length = np.sqrt((self._displacement(raw, box) ** 2).sum(axis=1).mean())
        knots: Array = raw * (self.amplitude_mm / length)
        return knots

    def _displacement(self, knots: Array, points: Array) -> Array:
        """Return the displacement (N, 3) in mm that `knots` (3, I, J, K) give at `points` (N, 3)."""
        index = (points - self.low_lps_mm).T / (self.wavelength_mm / 2) + 1
        parts = [ndimage.map_coordinates(k, index, order=3, prefilter=False, mode="grid-constant") for k in knots]
        return np.stack(parts, axis=1)

    def moved(self, points_lps_mm: Array) -> Array:
        """Return where points (N, 3), LPS mm, go."""
        points = np.asarray(points_lps_mm, dtype=float)
        return points + self._displacement(self._knots, points)

    def parameters(self) -> dict[str, object]:
        """Return what defines the motion, ready for JSON."""
        return {
            "kind": "smooth",
            "low_lps_mm": list(self.low_lps_mm),
            "high_lps_mm": list(self.high_lps_mm),
            "amplitude_mm": self.amplitude_mm,
            "wavelength_mm": self.wavelength_mm,
            "seed": self.seed,
        }


def smooth_deformation(
    rng: np.random.Generator, points_box: ArrayLike, amplitude_mm: float = 1.0, wavelength_mm: float = 40.0
) -> SmoothDeformation:
    """Return a random smooth deformation.

    Args:
        rng: the only source of chance.
        points_box: (2, 3) lower and upper corner of the points that are to move, LPS mm.
        amplitude_mm: root mean square of the displacement's length.
        wavelength_mm: shortest wave.

    Raises:
        InputError: see `SmoothDeformation`.
    """
    box = np.asarray(points_box, dtype=float)
    if box.shape != (2, 3):
        raise InputError(f"the box needs a lower and an upper corner (2, 3), got shape {box.shape}")
    low, high = (tuple(corner.tolist()) for corner in box)
    return SmoothDeformation(low, high, amplitude_mm, wavelength_mm, int(rng.integers(2**53)))
