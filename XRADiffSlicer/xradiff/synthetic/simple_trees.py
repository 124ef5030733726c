"""Small analytic right and left coronary trees: splines through jittered anatomical landmarks.

Landmarks: mean positions in right-dominant men, Dodge et al. 1988 (doi:10.1161/01.CIR.78.5.1167), in LPS
mm from the left ostium. Diameters: Dodge et al. 1992 (doi:10.1161/01.CIR.86.1.232). Points that the table
does not hold (distal ends, right ventricular branches) and the jitter are our own choice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from .tubes import Tube, TubeTree

__all__ = ["simple_left_tree", "simple_right_tree"]

Array = NDArray[np.float64]
_STEP_MM = 0.5
_JITTER_MM = 2.5  # SD of a landmark far from its neighbours; the table's own SD is 6-15 mm on the sphere
_OFFSET_MM = 20.0  # the tree's middle lies at most this far from the isocentre


@dataclass(frozen=True)
class _Vessel:
    """Landmarks of one vessel, the vessel it leaves (None: an ostium), and its diameters in mm."""

    points: tuple[tuple[float, float, float], ...]
    parent: int | None
    start_mm: float
    end_mm: float


_RIGHT = (
    _Vessel(
        (
            (-14.4, -30.9, -14.5), (-20.5, -33.5, -15.0), (-28.8, -36.7, -21.4), (-38.0, -40.5, -33.5),
            (-43.7, -40.4, -48.6), (-43.0, -36.5, -62.5), (-37.3, -29.0, -73.0), (-26.0, -17.0, -76.0),
            (-14.4, -5.6, -73.0), (-5.0, 1.0, -72.0), (4.0, 5.5, -77.5), (11.3, 5.8, -80.8),
            (19.0, 0.0, -79.0),
        ), None, 3.9, 1.3,
    ),
    _Vessel(((-5.0, 1.0, -72.0), (-1.5, -8.0, -80.0), (3.7, -34.1, -88.2), (9.0, -50.0, -90.0)), 0, 2.1, 1.0),
    _Vessel(
        ((-43.3, -37.5, -60.0), (-31.0, -50.0, -66.0), (-12.0, -60.0, -73.0), (8.0, -67.0, -76.0)),
        0, 1.9, 0.9,
    ),
    _Vessel(((-37.0, -40.0, -31.5), (-26.0, -53.0, -35.0), (-9.0, -63.0, -42.0)), 0, 1.6, 0.9),
    _Vessel(((-25.0, -35.0, -18.0), (-27.0, -48.0, -14.0), (-19.0, -62.0, -16.0)), 0, 1.4, 0.9),
    _Vessel(((4.0, 5.5, -77.5), (7.0, -6.0, -86.0), (14.0, -16.0, -88.0)), 0, 1.4, 0.9),
)  # fmt: skip
_LEFT = (
    _Vessel(
        (
            (0.0, 0.0, 0.0), (6.9, -1.2, 0.5), (15.0, -5.5, -0.8), (20.4, -10.4, -2.0), (27.7, -17.0, -4.8),
            (36.0, -37.3, -11.0), (41.4, -47.6, -19.3), (44.5, -63.0, -34.0), (44.8, -74.2, -53.5),
            (45.5, -76.5, -72.0), (44.9, -71.9, -87.8), (42.2, -63.0, -90.0),
        ), None, 4.2, 1.2,
    ),
    _Vessel(
        (
            (9.5, -2.5, 0.0), (13.7, -1.0, -2.9), (16.4, 1.1, -7.3), (22.3, 10.9, -18.7), (21.4, 21.4, -37.3),
            (10.0, 23.0, -48.0), (4.6, 18.6, -55.8),
        ), 0, 3.4, 1.4,
    ),
    _Vessel(
        ((27.7, -15.4, -4.5), (40.0, -21.0, -12.5), (49.9, -27.7, -24.2), (57.0, -34.0, -43.0)),
        0, 2.0, 0.9,
    ),
    _Vessel(
        ((35.1, -34.0, -10.2), (45.5, -40.0, -18.0), (53.1, -46.1, -31.3), (57.0, -51.0, -48.0)),
        0, 1.8, 0.9,
    ),
    _Vessel(((41.4, -47.6, -19.3), (49.0, -54.0, -28.0), (54.1, -60.1, -39.5)), 0, 1.5, 0.9),
    _Vessel(
        ((27.3, -17.8, -5.2), (23.5, -23.5, -13.5), (21.1, -30.2, -22.1), (20.0, -40.0, -34.0)),
        0, 1.5, 0.8,
    ),
    _Vessel(
        ((35.3, -36.6, -10.8), (29.5, -40.0, -19.0), (26.1, -43.5, -28.1), (24.0, -50.0, -42.0)),
        0, 1.3, 0.8,
    ),
    _Vessel(((18.4, 3.9, -11.3), (33.0, 4.0, -22.0), (44.1, 0.8, -34.5), (50.0, -8.0, -55.0)), 1, 2.1, 1.0),
    _Vessel(((22.7, 12.0, -22.3), (31.5, 14.0, -34.0), (35.7, 12.3, -46.6), (36.0, 6.0, -64.0)), 1, 1.8, 0.9),
    _Vessel(((22.5, 21.0, -35.5), (28.0, 20.0, -45.5), (30.4, 16.2, -55.1), (29.0, 9.0, -66.0)), 1, 1.5, 0.9),
)  # fmt: skip


def simple_right_tree(rng: np.random.Generator) -> TubeTree:
    """Return a random right tree near the isocentre: RCA with posterior, marginal and conus branches."""
    return _tree(_RIGHT, rng)


def simple_left_tree(rng: np.random.Generator) -> TubeTree:
    """Return a random left tree near the isocentre: LM, LAD and LCX with diagonals, septals and marginals."""
    return _tree(_LEFT, rng)


def _tree(vessels: tuple[_Vessel, ...], rng: np.random.Generator) -> TubeTree:
    """Build the tubes parent by parent, then scale, turn and place the tree."""
    tubes: list[Tube] = []
    thickness = rng.uniform(0.85, 1.15)
    for vessel in vessels:
        points = _jittered(np.asarray(vessel.points), rng)
        if vessel.parent is not None:
            stem = tubes[vessel.parent].points_lps_mm
            points += stem[np.argmin(np.linalg.norm(stem - points[0], axis=1))] - points[0]
        curve = _spline(points)
        diameter = np.linspace(vessel.start_mm, vessel.end_mm, len(curve)) * thickness
        tubes.append(Tube(curve, diameter / 2))
    return _placed(TubeTree(tuple(tubes)), rng)


def _jittered(points: Array, rng: np.random.Generator) -> Array:
    """Move each landmark by a normal step, smaller where landmarks lie close together."""
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    nearest = np.minimum(np.append(steps, np.inf), np.insert(steps, 0, np.inf))
    moved: Array = points + rng.normal(size=points.shape) * np.minimum(_JITTER_MM, nearest / 6)[:, None]
    return moved


def _spline(points: Array) -> Array:
    """Return the cubic spline through `points`, sampled every 0.5 mm or so."""
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    knots = np.insert(np.cumsum(np.sqrt(steps)), 0, 0.0)  # centripetal: no loops between uneven landmarks
    samples = np.linspace(0, knots[-1], int(steps.sum() / _STEP_MM) + 2)
    curve: Array = CubicSpline(knots, points)(samples)
    return curve


def _placed(tree: TubeTree, rng: np.random.Generator) -> TubeTree:
    """Scale by 0.9-1.1, turn by a few degrees and put the middle within 20 mm of the isocentre."""
    angle = rng.normal(size=3) * np.deg2rad(4.0)
    a, b, c = angle
    turn = np.array([[0, -c, b], [c, 0, -a], [-b, a, 0]])
    rotation = np.eye(3) + turn + turn @ turn / 2
    points = tree.points()
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    direction = rng.normal(size=3)
    offset = direction / np.linalg.norm(direction) * rng.uniform(0, _OFFSET_MM)
    linear = rotation * rng.uniform(0.9, 1.1)
    return tree.transform(linear, offset - linear @ middle)
