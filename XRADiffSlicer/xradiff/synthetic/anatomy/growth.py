"""Plan -> curves: every vessel drawn on the mean heart, child from parent, then carried to the patient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from .courses import COURSES
from .heart import outward, to_epicardium
from .layout import Plan, Vessel
from .options import AnatomyOptions
from .patient import Patient
from .windings import wound

__all__ = ["Sprout", "grow", "resampled"]

Array = NDArray[np.float64]
_STEP_MM = 0.5
_ORIGIN_SD_MM = 4.0  # of where a side branch leaves, along its parent
_POINT_SD_MM = 3.0  # of the control points of a side branch
_GROOVE_SD_MM = 1.0
_LEFT_MAIN_MM = (10.5, 5.3, 2.0, 25.0)  # length: mean, SD, least, most (Medrano-Gracia's atlas)
_BIFURCATION_SD_DEG, _RAMUS_OPENS_DEG = 22.0, 14.0  # left main: 75 +- 23 deg, 89 +- 21 deg with a ramus (same)
_OPEN_DEG = 6.0  # by which the mean courses' 69 deg fall short of the atlas
_TAKEOFF_DEG = {"surface": (48.0, 12.0), "groove": (55.0, 12.0), "free": (67.0, 13.0)}  # septals: 45-90 deg
_STEER_MM = 12.0  # the way along which a take-off angle fades into the course
_CROOK = ((-19.0, -37.0, -9.0), (-25.0, -41.0, -4.0), (-31.0, -41.5, -11.0))


@dataclass(frozen=True, eq=False)
class Sprout:
    """A vessel on the mean heart: its curve (N, 3), 0.5 mm apart, and where on its parent it begins."""

    name: str
    parent: str
    curve: Array
    parent_point: int
    start_mm: float
    knots: tuple[tuple[float, float], ...]
    surface: bool


def grow(plan: Plan, patient: Patient, rng: np.random.Generator, options: AnatomyOptions) -> dict[str, Sprout]:
    """Return the vessels of `plan` and the twigs of its side branches, parents first, on the mean heart."""
    crooked = bool(rng.random() < options.shepherds_crook)
    opening = float(np.clip(rng.normal(), -2, 2)) * _BIFURCATION_SD_DEG + (_RAMUS_OPENS_DEG if "RI" in plan else 0.0)
    grown: dict[str, Sprout] = {}
    for vessel in plan.values():
        points, origin = _control_points(vessel, grown, rng, crooked)
        curve = _until(resampled(points), vessel.reach)
        if vessel.name == "LM":
            curve = _until(_left_main(points, rng), 1.0)
        else:
            curve = wound(curve, outward(curve), rng, patient.tortuosity * _freedom(vessel.name))
            curve = _even(_steered(curve, _leaving(vessel.name, curve, origin, grown, opening, rng)))
        surface = COURSES[vessel.name].bed == "surface"
        grown[vessel.name] = Sprout(vessel.name, vessel.parent, curve, origin, vessel.start_mm, vessel.knots, surface)
    for sprout in [s for s in grown.values() if s.surface]:
        for number in range(min(2, int(rng.poisson(options.twigs)))):
            twig = _twig(sprout, "ab"[number], rng, patient.tortuosity)
            grown[twig.name] = twig
    return grown


def resampled(points: Array) -> Array:
    """Return the smooth curve through `points` (N, 3), sampled every 0.5 mm or so."""
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    knots = np.concatenate([[0.0], np.cumsum(np.sqrt(steps))])  # centripetal: no loops between uneven points
    return _even(CubicSpline(knots, points)(np.linspace(0, knots[-1], max(8, int(2 * steps.sum())))))


def _even(fine: Array) -> Array:
    """Return a finely sampled curve (M, 3) at points 0.5 mm apart or so."""
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(fine, axis=0), axis=1))])
    even = np.linspace(0, along[-1], max(3, round(along[-1] / _STEP_MM) + 1))
    return np.stack([np.interp(even, along, fine[:, axis]) for axis in range(3)], axis=1)


def _control_points(
    vessel: Vessel, grown: dict[str, Sprout], rng: np.random.Generator, crooked: bool
) -> tuple[Array, int]:
    """Return the varied control points of a vessel and the point of its parent where it begins."""
    course = COURSES[vessel.name]
    points = course.control_points()
    if vessel.name == "RCA" and crooked:
        points = np.concatenate([points[:1], _CROOK, points[2:]])
    if vessel.name == "LM":
        return points, -1
    if course.parent in ("", "LM"):
        points[2:] += rng.normal(size=points[2:].shape) * _GROOVE_SD_MM
        return points, len(grown["LM"].curve) - 1 if course.parent else -1
    parent = grown[course.parent].curve
    nearest = int(np.argmin(np.linalg.norm(parent - points[0], axis=1)))
    origin = nearest + round(float(np.clip(rng.normal(), -1.5, 1.5)) * _ORIGIN_SD_MM / _STEP_MM)
    origin = int(np.clip(origin, 8, len(parent) - 5))
    spread = _GROOVE_SD_MM if course.bed == "groove" else _POINT_SD_MM
    fade = np.linspace(1.0, 0.4, len(points))[:, None]
    reach = np.linalg.norm(points - points[0], axis=1)[:, None]
    noise = rng.normal(size=points.shape) * np.minimum(spread, 0.12 * reach)
    points = points + fade * (parent[origin] - points[0]) + noise
    points[0] = parent[origin]
    if course.bed == "surface":
        points[1:] = to_epicardium(points[1:])
    return points, origin


def _left_main(points: Array, rng: np.random.Generator) -> Array:
    """Return a left main of drawn length that ends where the mean one does, slightly bent."""
    mean, spread, least, most = _LEFT_MAIN_MM
    length = 0.0
    while not least <= length <= most:
        length = rng.normal(mean, spread)
    direction = (points[-1] - points[0]) / np.linalg.norm(points[-1] - points[0])
    start = points[-1] - length * direction
    middle = (start + points[-1]) / 2 + rng.normal(size=3) * 0.04 * length
    return resampled(np.array([start, middle, points[-1]]))


def _leaving(
    name: str, curve: Array, origin: int, grown: dict[str, Sprout], opening_deg: float, rng: np.random.Generator
) -> Array:
    """Return the unit direction (3,) in which a vessel leaves its parent; an ostial one keeps its own."""
    own = _ahead(curve, 0)
    course = COURSES[name]
    if course.parent == "":
        return own
    if course.parent == "LM":
        if name == "RI":
            return own
        other = _ahead(COURSES["LCX" if name == "LAD" else "LAD"].control_points(), 0, points=1)
        present = float(np.degrees(np.arccos(own @ other)))
        return _turned_from(other, own, present + (opening_deg + _OPEN_DEG) / 2)
    mean, spread = _TAKEOFF_DEG[course.bed]
    angle = float(np.clip(rng.normal(mean, spread), mean - 2 * spread, mean + 2 * spread))
    return _turned_from(_ahead(grown[course.parent].curve, origin), own, angle)


def _turned_from(axis: Array, direction: Array, angle_deg: float) -> Array:
    """Return the direction at `angle_deg` from `axis` in the plane of both."""
    across = direction - (direction @ axis) * axis
    across /= max(float(np.linalg.norm(across)), 1e-9)
    return np.cos(np.deg2rad(angle_deg)) * axis + np.sin(np.deg2rad(angle_deg)) * across


def _ahead(curve: Array, index: int, points: int = 12) -> Array:
    """Return the unit direction from point `index` to the one `points` further (6 mm)."""
    step = curve[min(index + points, len(curve) - 1)] - curve[index]
    unit: Array = step / max(float(np.linalg.norm(step)), 1e-9)
    return unit


def _steered(curve: Array, direction: Array) -> Array:
    """Return `curve` so bent near its begin that its first 6 mm go along `direction`; its end stays."""
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])
    fade = along * np.exp(-((along / _STEER_MM) ** 2) / 2)
    change = (direction - _ahead(curve, 0)) / np.exp(-0.5 * (6.0 / _STEER_MM) ** 2)
    steered: Array = curve + fade[:, None] * change
    return steered


def _until(curve: Array, reach: float) -> Array:
    """Return the first `reach` of a curve; beyond 1 it goes on straight."""
    count = max(3, round(reach * len(curve)))
    if count <= len(curve):
        return curve[:count]
    ahead = curve[-1] - curve[-3]
    extra = np.arange(1, count - len(curve) + 1)[:, None] * ahead / 2
    return np.concatenate([curve, curve[-1] + extra])


def _freedom(name: str) -> float:
    """Return how far a vessel may wind: those of grooves are held, septal ones nearly straight."""
    if name.startswith("S"):
        return 0.4
    return 0.8 if COURSES[name].bed == "groove" else 1.0


def _twig(stem: Sprout, letter: str, rng: np.random.Generator, tortuosity: float) -> Sprout:
    """Return a second-order branch that leaves `stem` at 30-60 deg and bends back towards its direction."""
    origin = int(len(stem.curve) * rng.uniform(0.2, 0.65))
    start = stem.curve[origin]
    ahead = stem.curve[min(origin + 4, len(stem.curve) - 1)] - start
    ahead /= np.linalg.norm(ahead)
    side = np.cross(outward(start[None])[0], ahead) * float(rng.choice([-1, 1]))
    length = (len(stem.curve) - origin) * _STEP_MM * rng.uniform(0.4, 0.8)
    angle = np.deg2rad(rng.uniform(30, 60)) * np.linspace(1.0, 0.3, 6)[:, None]
    steps = (np.cos(angle) * ahead + np.sin(angle) * side) * length / 6
    points = np.concatenate([start[None], start + np.cumsum(steps, axis=0)])
    points[1:] = to_epicardium(points[1:])
    curve = resampled(points)
    curve = _even(wound(curve, outward(curve), rng, tortuosity))
    size = stem.start_mm * rng.uniform(0.5, 0.75)
    return Sprout(stem.name + letter, stem.name, curve, origin, size, ((1.0, 0.6 * size),), surface=True)
