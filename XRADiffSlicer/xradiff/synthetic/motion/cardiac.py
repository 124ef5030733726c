"""The beating heart: shortening, contraction and twist about its long axis through the heart cycle.

A model of our own, made of three maps that cannot fold for the accepted ranges: contraction in the short-axis
planes, twist about the long axis, shift along it. Positions along the axis are shares s of its length, 0 at
the middle of the atrioventricular plane, 1 at the apex, negative towards the aorta.

Sizes: the atrioventricular plane descends by about 11 mm on the left and more on the right (the right coronary
artery moves most of all: Mao et al. 2000, J Comput Assist Tomogr 24:253). The base turns by -3.75 deg and the
apex by 9.57 deg in healthy adults (doi:10.1556/2060.2020.00002; positive is counterclockwise as seen from the
apex); the outer surface that carries the arteries is given somewhat less. Rest (less than 1 mm) lasts some 80 ms
at end-systole and 65 to 110 ms in mid-diastole (Shechter et al. 2005, PMC2396325); here 100 to 130 ms and 100 to
150 ms at 70 beats a minute. Profiles over the heart are our own choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicHermiteSpline

from ...checks import check_finite_vector, check_range
from ...errors import InputError

__all__ = ["CardiacMotion", "CardiacOptions", "CardiacPhase", "contraction", "draw_cardiac"]

Array = NDArray[np.float64]
Vector = tuple[float, float, float]
_REST = (0.68, 0.78)  # mid-diastole, shares of the RR interval
_REST_LEFT = (0.17, 0.11)  # contraction left then: what the atria stretch away at the end of diastole
_ROOT_SHARE = 0.5  # of the base's motion that is left at the end of the aortic root
_ROOT = 0.8  # how far above the base that is, in lengths of the axis
_STRONGEST, _SPREAD = 0.40, 0.38  # where along the axis contraction is strongest, and its SD
_GROOVE = 0.5  # share of the free wall's contraction that the interventricular grooves (LAD, PDA) take part in
_MOST_SHORTENING, _MOST_INWARD = 0.4, 0.25  # space would fold beyond 0.6 of the length
_RIGHT_START_MM, _RIGHT_SOFT_MM = 18.0, 12.0  # from here on, to the right of the axis, the right side's extra


@dataclass(frozen=True)
class CardiacMotion:
    """One heart's motion through the cycle; nothing moves at phase 0 (end-diastole, R wave).

    Attributes:
        base_lps_mm: middle of the atrioventricular plane at end-diastole, LPS mm.
        apex_lps_mm: apex at end-diastole, 40 to 160 mm away.
        shortening_mm: descent of the atrioventricular plane at end-systole, 0 to 20 mm.
        right_extra_mm: what the right atrioventricular groove descends beyond that, 0 to 10 mm.
        inward_mm: inward motion of the free walls `radius_mm` from the axis where it is strongest, 0 to 10 mm.
        base_twist_deg: rotation at the base about the axis from base to apex, -15 to 15 deg.
        apex_twist_deg: rotation at the apex, -25 to 25 deg.
        end_systole: phase of greatest contraction, 0.25 to 0.5.
        radius_mm: the heart's radius, 30 to 80 mm.

    Raises:
        InputError: a value out of its range.
    """

    base_lps_mm: Vector
    apex_lps_mm: Vector
    shortening_mm: float = 11.0
    right_extra_mm: float = 3.0
    inward_mm: float = 5.0
    base_twist_deg: float = -3.0
    apex_twist_deg: float = 7.0
    end_systole: float = 0.37
    radius_mm: float = 45.0

    def __post_init__(self) -> None:
        for name in ("base_lps_mm", "apex_lps_mm"):
            object.__setattr__(self, name, check_finite_vector(name, getattr(self, name), 3))
        length = float(np.linalg.norm(np.subtract(self.apex_lps_mm, self.base_lps_mm)))
        check_range("distance from the heart's base to its apex", length, 40, 160, unit="mm")
        check_range("descent of the atrioventricular plane", self.shortening_mm, 0, 20, unit="mm")
        check_range("extra descent on the right", self.right_extra_mm, 0, 10, unit="mm")
        check_range("inward motion", self.inward_mm, 0, 10, unit="mm")
        check_range("twist at the base", self.base_twist_deg, -15, 15, unit="deg")
        check_range("twist at the apex", self.apex_twist_deg, -25, 25, unit="deg")
        check_range("end-systole", self.end_systole, 0.25, 0.5)
        check_range("heart radius", self.radius_mm, 30, 80, unit="mm")
        if self.shortening_mm + self.right_extra_mm > _MOST_SHORTENING * length:
            raise InputError(
                f"the heart may shorten by at most {_MOST_SHORTENING:g} of its length, got "
                f"{self.shortening_mm + self.right_extra_mm:g} mm of {length:g} mm"
            )
        if self.inward_mm > _MOST_INWARD * self.radius_mm:
            raise InputError(
                f"walls may move inward by at most {_MOST_INWARD:g} of the heart's radius, got "
                f"{self.inward_mm:g} mm of {self.radius_mm:g} mm"
            )
        self._axes()

    def moved(self, points_lps_mm: Array, phase: float) -> Array:
        """Return where end-diastolic points (N, 3), LPS mm, are at `phase` in [0, 1) of the RR interval.

        Raises:
            InputError: the phase lies elsewhere.
        """
        amount = contraction(phase, self.end_systole)
        base, axis, right = np.asarray(self.base_lps_mm), *self._axes()
        offset = np.asarray(points_lps_mm, dtype=float) - base
        height = offset @ axis
        across = offset - height[..., None] * axis
        share = height / float(np.linalg.norm(np.subtract(self.apex_lps_mm, self.base_lps_mm)))
        across = across - amount * self._inward(across, share, right)
        across = _turned(across, axis, amount * np.deg2rad(self._twist_deg(share)))
        height = height + amount * self._descent_mm(across @ right, share)
        moved: Array = base + across + height[..., None] * axis
        return moved

    def at(self, phase: float) -> CardiacPhase:
        """Return the motion frozen at `phase`, to be used as a `Motion`."""
        return CardiacPhase(self, phase)

    def _axes(self) -> tuple[Array, Array]:
        """Return the unit vectors from base to apex and, across it, to the patient's right."""
        axis = np.subtract(self.apex_lps_mm, self.base_lps_mm)
        axis = axis / np.linalg.norm(axis)
        right = np.array([-1.0, 0.0, 0.0]) + axis[0] * axis
        if np.linalg.norm(right) < 0.1:
            raise InputError("the heart's long axis must not point straight to the left or right")
        return axis, right / np.linalg.norm(right)

    def _inward(self, across: Array, share: Array, right: Array) -> Array:
        """Return the inward motion (N, 3) at end-systole: strongest on the free walls, least in the grooves."""
        scaled = across / self.radius_mm
        damping = 2 / (1 + (scaled**2).sum(axis=-1))
        wall = _GROOVE + (1 - _GROOVE) * (scaled @ right) ** 2 * damping
        level = np.exp(-0.5 * ((share - _STRONGEST) / _SPREAD) ** 2)
        inward: Array = (self.inward_mm * level * damping * wall)[..., None] * scaled
        return inward

    def _twist_deg(self, share: Array) -> Array:
        """Return the rotation (N,) at end-systole; it fades along the aortic root."""
        below = self.base_twist_deg + (self.apex_twist_deg - self.base_twist_deg) * _rise(share)
        return np.where(share > 0, below, self.base_twist_deg * (1 - _rise(-share / _ROOT)))

    def _descent_mm(self, to_the_right_mm: Array, share: Array) -> Array:
        """Return the shift (N,) along the axis at end-systole: full at the base, none at the apex."""
        right = 0.5 * (1 + np.tanh((to_the_right_mm - _RIGHT_START_MM) / _RIGHT_SOFT_MM))
        above = 1 - (1 - _ROOT_SHARE) * _rise(-share / _ROOT)
        return (self.shortening_mm + self.right_extra_mm * right) * np.where(share > 0, 1 - _rise(share), above)


@dataclass(frozen=True)
class CardiacPhase:
    """A heart at one phase of its cycle."""

    motion: CardiacMotion
    phase: float

    def moved(self, points_lps_mm: Array) -> Array:
        """Return where end-diastolic points (N, 3), LPS mm, are at this phase."""
        return self.motion.moved(points_lps_mm, self.phase)

    def parameters(self) -> dict[str, object]:
        """Return what defines the motion, ready for JSON."""
        values = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self.motion).items()}
        return {"kind": "cardiac", "phase": self.phase, **values}


@dataclass(frozen=True)
class CardiacOptions:
    """Mean and SD of the amplitudes over a population; draws stay within two SD.

    Attributes:
        shortening_mm: of `CardiacMotion.shortening_mm`; and so on.

    Raises:
        InputError: an SD below 0, or a mean with two SD leaves the range of `CardiacMotion`.
    """

    shortening_mm: tuple[float, float] = (11.0, 1.5)
    right_extra_mm: tuple[float, float] = (3.0, 1.0)
    inward_mm: tuple[float, float] = (5.0, 1.0)
    base_twist_deg: tuple[float, float] = (-3.0, 1.0)
    apex_twist_deg: tuple[float, float] = (7.0, 2.0)
    end_systole: tuple[float, float] = (0.37, 0.02)

    def __post_init__(self) -> None:
        for name, pair in asdict(self).items():
            _, spread = check_finite_vector(f"mean and SD of {name}", pair, 2)
            check_range(f"SD of {name}", spread, 0)
        for side in (-2, 2):
            CardiacMotion(
                (0.0, 0.0, 0.0), (0.0, 0.0, -80.0), **{k: m + side * sd for k, (m, sd) in asdict(self).items()}
            )


def draw_cardiac(
    rng: np.random.Generator,
    base_lps_mm: Sequence[float],
    apex_lps_mm: Sequence[float],
    options: CardiacOptions | None = None,
) -> CardiacMotion:
    """Return the motion of a random heart between `base_lps_mm` and `apex_lps_mm`; `rng` is the only chance.

    Raises:
        InputError: base and apex are not points 40 to 160 mm apart.
    """
    pairs = asdict(options or CardiacOptions())
    drawn = {name: mean + sd * float(np.clip(rng.normal(), -2, 2)) for name, (mean, sd) in pairs.items()}
    base, apex = check_finite_vector("base", base_lps_mm, 3), check_finite_vector("apex", apex_lps_mm, 3)
    return CardiacMotion(base, apex, **drawn)  # type: ignore[arg-type]


def contraction(phase: float, end_systole: float = 0.37) -> float:
    """Return the share of full contraction, in [0, 1], at `phase` in [0, 1) of the RR interval.

    0 at phase 0, 1 at `end_systole`, nearly still in mid-diastole; differentiable and periodic.

    Raises:
        InputError: the phase lies elsewhere.
    """
    if not 0 <= phase < 1:
        raise InputError(f"the heart phase must lie in [0, 1), got {phase:g}")
    drift = (_REST_LEFT[1] - _REST_LEFT[0]) / (_REST[1] - _REST[0])
    knots, slopes = (0.0, end_systole, *_REST, 1.0), (0.0, 0.0, drift, drift, 0.0)
    return float(CubicHermiteSpline(knots, (0.0, 1.0, *_REST_LEFT, 0.0), slopes)(phase))


def _rise(value: Array) -> Array:
    """Return a smooth step (N,): 0 below 0, 1 above 1, level at both ends."""
    step: Array = 0.5 - 0.5 * np.cos(np.pi * np.clip(value, 0, 1))
    return step


def _turned(vectors: Array, axis: Array, angle_rad: Array) -> Array:
    """Return vectors (N, 3) across `axis`, each turned about it by its angle (N,)."""
    cosine, sine = np.cos(angle_rad)[..., None], np.sin(angle_rad)[..., None]
    return cosine * vectors + sine * np.cross(axis, vectors)
