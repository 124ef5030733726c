"""One patient: sex, dominance, the size, orientation and shape of the heart, and which branches there are."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from .heart import APEX_LPS_MM, BASE_LPS_MM
from .options import DOMINANCES, AnatomyOptions

__all__ = ["Patient", "draw_patient"]

Array = NDArray[np.float64]
_WOMEN_HEART, _WOMEN_VESSELS = 0.92, 0.91
_SHAPE_WAVES = 12
_SHAPE_WAVELENGTH_MM = (70.0, 170.0)


@dataclass(frozen=True, eq=False)
class Patient:
    """What both coronary trees of a patient share.

    Attributes:
        sex: "female" or "male".
        dominance: "right", "left" or "co".
        calibre: factor of all vessel diameters.
        tortuosity: factor of the vessels' windings; about 1, 2 and more where they are tortuous.
        linear: (3, 3) map of the mean heart's size and orientation.
        shift_lps_mm: (3,) where the left ostium lies.
        waves: (K, 3) wave vectors, (K, 3) amplitudes in mm and (K,) phases of the change of shape.
    """

    sex: str
    dominance: str
    calibre: float
    tortuosity: float
    linear: Array
    shift_lps_mm: Array
    waves: tuple[Array, Array, Array]

    def place(self, points: ArrayLike) -> Array:
        """Return where points (N, 3) of the mean heart lie in this patient, LPS mm."""
        mean = np.asarray(points, dtype=float)
        vectors, amplitudes, phases = self.waves
        bent = mean + np.cos(mean @ vectors.T + phases) @ amplitudes
        return bent @ self.linear.T + self.shift_lps_mm

    def translated(self, shift_lps_mm: ArrayLike) -> Patient:
        """Return the patient displaced by `shift_lps_mm` (3,)."""
        return replace(self, shift_lps_mm=self.shift_lps_mm + np.asarray(shift_lps_mm, dtype=float))

    @property
    def base_lps_mm(self) -> Array:
        """Middle of the atrioventricular plane, (3,)."""
        return self.place(BASE_LPS_MM[None])[0]

    @property
    def apex_lps_mm(self) -> Array:
        """The end of the heart's long axis, (3,)."""
        return self.place(APEX_LPS_MM[None])[0]


def draw_patient(rng: np.random.Generator, options: AnatomyOptions) -> Patient:
    """Return a random patient whose left ostium lies at LPS 0.

    Vessel and heart size go together; tortuosity is what it is in `options.tortuous` of the patients.
    """
    woman = bool(rng.random() < options.women)
    size = float(np.exp(options.size_sd * _clipped(rng)))
    calibre = float(np.sqrt(size) * np.exp(0.07 * _clipped(rng)))
    turn = Rotation.from_rotvec([options.turn_sd_deg * _clipped(rng) for _ in range(3)], degrees=True)
    drawn = str(rng.choice(DOMINANCES, p=np.asarray(options.dominance_shares)))
    tortuous = bool(rng.random() < options.tortuous)
    return Patient(
        sex="female" if woman else "male",
        dominance=drawn if options.dominance == "drawn" else options.dominance,
        calibre=calibre * (_WOMEN_VESSELS if woman else 1.0),
        tortuosity=float(rng.uniform(1.8, 2.6) if tortuous else rng.uniform(0.5, 1.2)),
        linear=turn.as_matrix() * size * (_WOMEN_HEART if woman else 1.0),
        shift_lps_mm=np.zeros(3),
        waves=_waves(rng, options.shape_mm),
    )


def _waves(rng: np.random.Generator, rms_mm: float) -> tuple[Array, Array, Array]:
    """Return plane waves in random directions whose sum displaces points by `rms_mm` (RMS over patients)."""
    directions = rng.normal(size=(_SHAPE_WAVES, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    vectors = directions * (2 * np.pi / rng.uniform(*_SHAPE_WAVELENGTH_MM, size=(_SHAPE_WAVES, 1)))
    amplitudes = rng.normal(size=(_SHAPE_WAVES, 3)) * rms_mm * np.sqrt(2 / 3 / _SHAPE_WAVES)
    return vectors, amplitudes, rng.uniform(0, 2 * np.pi, size=_SHAPE_WAVES)


def _clipped(rng: np.random.Generator) -> float:
    """Return a normal number without far outliers (|z| <= 2.5)."""
    return float(np.clip(rng.normal(), -2.5, 2.5))
