"""Calibrated views and the ends of one vessel, marked by a person -> views that show this vessel alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..datatypes import AngiogramView
from ..errors import InputError
from ..geometry import camera_of
from ..geometry.epipolar import ray_gap_mm
from ..masks.vessel_path import MiddleLine

__all__ = ["MarkedPoints", "VesselOfInterest", "marked_points", "restrict_to_vessel"]

MarkedPoints = Mapping[int, Sequence[tuple[float, float]]]
"""For each view by its index: (row, column) of the vessel's start, points on the way if wanted, and its end."""
APART_MM = 6.0
"""How far the rays of two marked ends may pass each other by."""
_GAP_MM = 5.0  # in the mask, that a way may lead over


@dataclass(frozen=True)
class VesselOfInterest:
    """The vessel in one view.

    Attributes:
        view: name of the view.
        points_px: (row, column) of the points it leads through, on the middle line.
        pixels: vessel pixels that were kept.
        of_pixels: vessel pixels of the whole mask.
        gaps: gaps of the mask that it leads over.
    """

    view: str
    points_px: tuple[tuple[int, int], ...]
    pixels: int
    of_pixels: int
    gaps: int

    @property
    def note(self) -> str:
        """Return one sentence for the user."""
        ends = " to ".join(f"({row}, {column})" for row, column in (self.points_px[0], self.points_px[-1]))
        share = self.pixels / self.of_pixels
        over = f"; it leads over {self.gaps} gap{'s' if self.gaps > 1 else ''} in the mask" if self.gaps else ""
        return f"{self.view}: only the vessel from {ends} was used, {share:.0%} of the mask{over}"


def restrict_to_vessel(
    views: Sequence[AngiogramView], marked: MarkedPoints, tolerance_mm: float = 0.0
) -> tuple[tuple[AngiogramView, ...], tuple[VesselOfInterest, ...]]:
    """Return the views with the mask of one vessel each, and what was kept.

    Every view must be marked: too many vessels follow the epipolar lines of a marked one in the same order
    (`masks/README.md` has numbers).

    Args:
        views: calibrated, with masks.
        marked: see `MarkedPoints`; all views.
        tolerance_mm: by how much the masks may disagree after calibration.

    Raises:
        InputError: a view without marks, points that mark no vessel, that no vessel connects, or that do not belong to
            each other in two views.
    """
    _check(views, marked)
    lines = [MiddleLine.of(view.vessel_mask(), view.name, _GAP_MM / _pixel_mm(view)) for view in views]
    nodes = [[line.nearest(point) for point in marked[index]] for index, line in enumerate(lines)]
    ways = [line.way(through) for line, through in zip(lines, nodes, strict=True)]
    for a, b in combinations(range(len(views)), 2):
        courses = lines[a].pixels[ways[a]], lines[b].pixels[ways[b]]
        _check_ends(views[a], courses[0], views[b], courses[1], APART_MM + tolerance_mm)
    kept, facts = [], []
    for view, line, through, way in zip(views, lines, nodes, ways, strict=True):
        mask = line.vessel(way)
        points: Any = tuple(tuple(line.pixels[node].tolist()) for node in through)
        counts = int(mask.sum()), int(view.vessel_mask().sum())
        facts.append(VesselOfInterest(view.name, points, *counts, line.gaps(way)))
        kept.append(view.with_mask(mask))
    return tuple(kept), tuple(facts)


def marked_points(words: Sequence[Sequence[str]]) -> dict[int, list[tuple[float, float]]]:
    """Return the marks that text like [["0", "212,147", "390,260"], ["1", "200.5,150", "401,300"]] tells.

    Raises:
        InputError: not a view's number and ROW,COLUMN pairs, or a view that is named twice.
    """
    marked: dict[int, list[tuple[float, float]]] = {}
    for view, *points in words:
        try:
            index, pairs = int(view), [tuple(float(part) for part in point.split(",")) for point in points]
        except ValueError:
            index, pairs = -1, []
        if index < 0 or not pairs or any(len(pair) != 2 for pair in pairs):
            raise InputError(
                "--segment-of-interest takes VIEW ROW,COLUMN ROW,COLUMN (view from 0; start and end in pixels), "
                f"got {' '.join([view, *points])}"
            )
        if index in marked:
            raise InputError(f"--segment-of-interest names view {index} twice")
        marked[index] = [(pair[0], pair[1]) for pair in pairs]
    return marked


def _pixel_mm(view: AngiogramView) -> float:
    """Return the size of a pixel in the patient."""
    taken = view.acquisition
    return float(np.sqrt(np.prod(taken.pixel_spacing_mm))) * taken.sod_mm / taken.sid_mm


def _check(views: Sequence[AngiogramView], marked: MarkedPoints) -> None:
    for index, points in marked.items():
        if not 0 <= index < len(views):
            raise InputError(f"the segment of interest names view {index}; accepted are 0 to {len(views) - 1}")
        if len(points) < 2:
            raise InputError(
                f"a segment of interest needs a start and an end in view {index}, got {len(points)} point"
            )
        for point in points:
            if len(point) != 2 or not np.isfinite(point).all():
                raise InputError(f"a point of the segment of interest is a finite (row, column), got {point}")
    missing = [str(index) for index in range(len(views)) if index not in marked]
    if missing:
        raise InputError(
            f"the segment of interest is not marked in view {' and '.join(missing)}; mark its start and end in every "
            "view (marks in one view fit several vessels of another)"
        )


def _check_ends(
    a: AngiogramView, way_a: NDArray[np.intp], b: AngiogramView, way_b: NDArray[np.intp], limit_mm: float
) -> None:
    """Check that the ends of two ways (P, 2) can be the same two points, in either order."""
    gaps = np.abs(ray_gap_mm(camera_of(a), camera_of(b), way_a[[0, 0, -1, -1]], way_b[[0, -1, 0, -1]]))
    same, turned = max(gaps[0], gaps[3]), max(gaps[1], gaps[2])
    if min(same, turned) > limit_mm:
        start, end = (gaps[0], gaps[3]) if same <= turned else (gaps[1], gaps[2])
        raise InputError(
            f"the ends marked in {a.name} and {b.name} are not the same two points: the rays of the starts pass each "
            f"other at {start:.1f} mm, those of the ends at {end:.1f} mm, at most {limit_mm:.1f} mm are accepted; "
            "mark the same two places in both views"
        )
