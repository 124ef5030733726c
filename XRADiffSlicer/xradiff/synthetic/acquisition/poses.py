"""C-arm poses as they occur: published tables, clusters of clinical practice, named views, a user's own.

Sources:
    "xradiff": table 2 of the XRA-Diff paper, each number as printed, for a 512 x 512 image.
    "autocar": the AutoCAR paper says that 1,215 clinical poses fall into nine clusters of the two angles,
        that a pair is drawn from two different clusters, that the pixel spacing is centred on 0.3 mm with a
        long upper tail, and that SID and SOD have several modes and depend on each other. It prints no
        cluster centres. Our reading: a 3 x 3 grid (RAO, AP, LAO) x (caudal, straight, cranial), a list of common
        detector pitches, SOD around 750 mm and SID with two modes, positively correlated.
    "clinical": views that catheter laboratories name, by side, +-5 deg around the usual angles.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from itertools import combinations

import numpy as np

from ...checks import check_choice, check_range
from ...datatypes import Acquisition
from ...errors import InputError
from ...geometry import view_separation_deg
from ...geometry.camera import camera_from

__all__ = ["CLINICAL_VIEWS", "LEAST_SEPARATION_DEG", "SOURCES", "PoseRange", "draw_poses"]

SOURCES = ("xradiff", "autocar", "clinical")
LEAST_SEPARATION_DEG = 25.0
_TRIES = 500
Interval = tuple[float, float]


@dataclass(frozen=True)
class PoseRange:
    """Uniform ranges (low, high) of the numbers of one view; spacing is that of an image 512 pixels wide.

    Raises:
        InputError: a range that is empty or holds impossible values, or SOD that can exceed SID.
    """

    primary_deg: Interval
    secondary_deg: Interval
    sid_mm: Interval
    sod_mm: Interval
    pixel_spacing_mm: Interval = (0.2769, 0.2789)

    def __post_init__(self) -> None:
        for field in fields(self):
            low, high = getattr(self, field.name)
            if not low <= high:
                raise InputError(f"the range of {field.name} must go from low to high, got ({low:g}, {high:g})")
        if self.sod_mm[1] >= self.sid_mm[0]:
            raise InputError(
                f"SOD must stay below SID, got SOD up to {self.sod_mm[1]:g}, SID from {self.sid_mm[0]:g} mm"
            )
        for end in (0, 1):  # an Acquisition checks what is possible
            Acquisition(*(getattr(self, field.name)[end] for field in fields(self)))

    def draw(self, rng: np.random.Generator) -> Acquisition:
        """Return an acquisition within the ranges."""
        return Acquisition(*(rng.uniform(*getattr(self, field.name)) for field in fields(self)))


# XRA-Diff, table 2: first and second projection of each side.
XRADIFF = {
    "right": (
        PoseRange((0, 50), (-20, 20), (970, 1010), (745, 785)),
        PoseRange((-42, -18), (-18, 18), (1050, 1070), (742, 788)),
    ),
    "left": (
        PoseRange((-18, 18), (0, 0), (1030, 1200), (740, 785)),
        PoseRange((-47, -22), (-10, 45), (960, 1160), (737, 852)),
    ),
}
# Name: (primary, secondary) in deg: middle of the ranges that reviews of standard views give (Heart, BMJ).
CLINICAL_VIEWS: dict[str, dict[str, Interval]] = {
    "left": {
        "LAO 40 CRA 25": (40, 25),
        "spider LAO 45 CAU 30": (45, -30),
        "RAO 30 CAU 25": (-30, -25),
        "AP CAU 30": (0, -30),
        "AP CRA 40": (0, 40),
        "RAO 10 CRA 40": (-10, 40),
        "RAO 30 CRA 25": (-30, 25),
        "lateral": (90, 0),
    },
    "right": {
        "LAO 45": (45, 0),
        "RAO 30": (-30, 0),
        "LAO 40 CRA 25": (40, 25),
        "AP CRA 30": (0, 30),
        "RAO 30 CRA 25": (-30, 25),
        "lateral": (90, 0),
    },
}
_JITTER_DEG = 5.0
_CLUSTERS = [(a, b) for a in (-35.0, 0.0, 40.0) for b in (-28.0, 0.0, 28.0)]  # our reading of AutoCAR
_CLUSTER_SD_DEG = 6.0
_PITCHES_MM = (0.20, 0.28, 0.308, 0.39, 0.404)  # of 512-pixel images
_PITCH_SHARES = (0.10, 0.30, 0.40, 0.12, 0.08)


def draw_poses(
    source: str | Sequence[Acquisition] | Sequence[PoseRange],
    side: str,
    rng: np.random.Generator,
    count: int = 2,
    shape: tuple[int, int] = (512, 512),
) -> tuple[Acquisition, ...]:
    """Return `count` poses whose viewing lines lie at least 25 deg apart, each from every other.

    Args:
        source: one of `SOURCES`; or your own acquisitions, of which `count` are taken (in their order);
            or one `PoseRange` a view.
        side: "left" or "right" coronary tree.
        rng: the only source of chance.
        count: number of views.
        shape: (rows, columns) of the images; drawn pixel spacings keep the field of view of 512 columns.

    Raises:
        InputError: unknown source or side, fewer poses than views, or views that cannot lie 25 deg apart.
    """
    check_choice("side", side, ("left", "right"))
    check_range("number of views", count, 1, 16)
    if min(shape) < 1:
        raise InputError(f"an image needs at least one row and one column, got shape {shape}")
    if not isinstance(source, str) and all(isinstance(entry, Acquisition) for entry in source):
        return _chosen([entry for entry in source if isinstance(entry, Acquisition)], rng, count)
    draw = _drawer(source, side, count)
    for _ in range(_TRIES):
        poses = draw(rng)
        if _apart(poses):
            return tuple(replace(pose, pixel_spacing_mm=_scaled(pose, shape)) for pose in poses)
    raise InputError(
        f"no {count} views at least {LEAST_SEPARATION_DEG:g} deg apart were found in {_TRIES} draws from {source!r}"
    )


def _drawer(source: object, side: str, count: int) -> Callable[[np.random.Generator], list[Acquisition]]:
    """Return the function that draws one set of poses, apart or not."""
    if not isinstance(source, str):
        return _from_ranges(list(source), count)  # type: ignore[call-overload]
    check_choice("source of poses", source, SOURCES)
    if source == "xradiff":
        if count > len(XRADIFF[side]):
            raise InputError(
                f"xradiff, the paper's table 2, has {len(XRADIFF[side])} views of the {side} tree, {count} were asked "
                "for; autocar and clinical have more"
            )
        return _from_ranges(list(XRADIFF[side]), count)
    centres, spread = (_CLUSTERS, None) if source == "autocar" else (list(CLINICAL_VIEWS[side].values()), _JITTER_DEG)
    if count > len(centres):
        raise InputError(f"{source} has {len(centres)} views of the {side} tree, {count} were asked for")

    def draw(rng: np.random.Generator) -> list[Acquisition]:
        picked = rng.choice(len(centres), size=count, replace=False)
        return [_around(centres[index], spread, rng) for index in picked]

    return draw


def _from_ranges(ranges: Sequence[object], count: int) -> Callable[[np.random.Generator], list[Acquisition]]:
    """Return the function that draws one pose from each of the first `count` ranges."""
    known = [entry for entry in ranges if isinstance(entry, PoseRange)]
    if len(known) < len(ranges) or count > len(known):
        raise InputError(f"{count} views need as many poses or pose ranges, got {len(known)}")
    return lambda rng: [entry.draw(rng) for entry in known[:count]]


def _around(centre: Interval, spread_deg: float | None, rng: np.random.Generator) -> Acquisition:
    """Return a pose near a cluster's or a named view's angles; distances and pitch correlate.

    SOD is normal (750, 20), SID has modes at 1000 and 1110 mm. A farther detector comes with a higher SOD
    and, as operators zoom out, with a larger pitch.
    """
    if spread_deg is None:
        angles = np.asarray(centre) + np.clip(rng.normal(size=2), -2.5, 2.5) * _CLUSTER_SD_DEG
    else:
        angles = np.asarray(centre) + rng.uniform(-spread_deg, spread_deg, size=2)
    z = rng.normal(size=3)
    sod = float(np.clip(750 + 20 * z[0], 700, 810))
    mode = 1110.0 if rng.random() < 0.4 else 1000.0
    sid = float(np.clip(mode + 30 * (0.6 * z[0] + 0.8 * z[1]), sod + 150, 1200))
    tilt = np.exp(np.linspace(-1, 1, len(_PITCHES_MM)) * (sid - 1045) / 100)
    shares = np.asarray(_PITCH_SHARES) * tilt
    pitch = float(rng.choice(_PITCHES_MM, p=shares / shares.sum()))
    return Acquisition(float(angles[0]), float(angles[1]), sid, sod, (pitch, pitch))


def _chosen(poses: list[Acquisition], rng: np.random.Generator, count: int) -> tuple[Acquisition, ...]:
    """Return `count` of the given poses that lie apart, in their order."""
    if math.comb(len(poses), count) <= _TRIES:
        sets = [list(chosen) for chosen in combinations(poses, count) if _apart(chosen)]
    else:
        draws = (np.sort(rng.choice(len(poses), size=count, replace=False)) for _ in range(_TRIES))
        sets = [next(filter(_apart, ([poses[index] for index in draw] for draw in draws)), [])]
    if not any(sets):
        raise InputError(
            f"among the {len(poses)} given poses no {count} lie at least {LEAST_SEPARATION_DEG:g} deg apart"
        )
    return tuple(sets[int(rng.integers(len(sets)))])


def _apart(poses: Sequence[Acquisition]) -> bool:
    """Tell whether all pairs of viewing lines lie far enough apart."""
    cameras = [camera_from(pose, (512, 512)) for pose in poses]
    return all(view_separation_deg(a, b) >= LEAST_SEPARATION_DEG for a, b in combinations(cameras, 2))


def _scaled(pose: Acquisition, shape: tuple[int, int]) -> tuple[float, float]:
    """Return the (row, column) spacing that keeps the field of view of 512 columns."""
    factor = 512 / shape[1]
    return pose.pixel_spacing_mm[0] * factor, pose.pixel_spacing_mm[1] * factor
