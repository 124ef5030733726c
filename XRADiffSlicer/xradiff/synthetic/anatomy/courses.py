"""The mean course of every coronary vessel, as control points on the mean heart (LPS mm from the left ostium).

Points named in the landmark table are taken from it. The others are our own choice: distal ends, which the
table does not hold; vessels of the right ventricle and the atrium; the vessels of a left-dominant heart; and
points between landmarks that keep a vessel in its groove.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .landmarks import position_lps_mm

__all__ = ["COURSES", "Course"]

Point = str | tuple[float, float, float]


@dataclass(frozen=True)
class Course:
    """A vessel on the mean heart.

    Attributes:
        parent: name of the vessel it leaves, "" for one that begins at an ostium.
        points: control points, names of landmarks or positions (LPS mm); the first is where it leaves.
        bed: what it runs in: a groove, which all hearts have at the same place, so that its points hold; the
            epicardial surface, onto which its points are moved; or free tissue (septum, fat near the aorta).
    """

    parent: str
    points: tuple[Point, ...]
    bed: Literal["groove", "surface", "free"] = "surface"

    def control_points(self) -> NDArray[np.float64]:
        """Return the control points (N, 3), LPS mm from the left ostium."""
        return np.array([position_lps_mm(p) if isinstance(p, str) else p for p in self.points], dtype=float)


BIFURCATION = (10.5, -2.3, 0.2)  # end of the left main
_CRUX = (-4.0, 2.0, -72.5)
_INFERIOR_GROOVE = ((-1.0, -9.0, -79.5), "RD mid", (10.0, -48.0, -91.0), (20.0, -60.0, -92.0))

COURSES: dict[str, Course] = {
    # left system
    "LM": Course("", ((0.0, 0.0, 0.0), "LM mid", BIFURCATION), "free"),
    "LAD": Course("LM", (
        BIFURCATION, "L1 mid", (27.7, -17.0, -4.8), "L2 mid", "D3 origin", (44.5, -63.0, -34.0), "L3 mid",
        (45.5, -77.0, -71.0), "L4 proximal", "L4 mid", (37.5, -57.5, -92.5),
    ), "groove"),
    "LCX": Course("LM", (
        BIFURCATION, "C1 mid", "C2 mid", (24.0, 16.5, -27.5), "C3 mid", (14.0, 22.0, -47.5), "C4 mid",
        (-1.0, 10.0, -66.0), _CRUX,
    ), "groove"),
    "RI": Course("LM", (BIFURCATION, (23.0, -2.5, -7.5), "MR mid", (56.0, -22.0, -52.0)), "surface"),
    "D1": Course("LAD", ("D1 origin", (40.0, -21.0, -12.5), "D1 mid", (57.0, -40.0, -48.0))),
    "D2": Course("LAD", ("D2 origin", (45.5, -40.0, -18.0), "D2 mid", (58.0, -54.0, -50.0))),
    "D3": Course("LAD", ("D3 origin", (49.0, -54.0, -28.0), "D3 mid", (55.0, -64.0, -56.0))),
    "S1": Course("LAD", ("S1 origin", (24.0, -22.0, -13.0), "S1 mid", (19.0, -40.0, -36.0)), "free"),
    "S2": Course("LAD", ("S2 origin", (30.5, -39.0, -19.0), "S2 mid", (23.0, -50.0, -41.0)), "free"),
    "S3": Course("LAD", ("S3 origin", (35.0, -53.5, -29.5), "S3 mid", (27.0, -57.0, -47.0)), "free"),
    "OM1": Course("LCX", ("M1 origin", (32.0, 4.0, -22.0), "M1 mid", (54.0, -10.0, -58.0))),
    "OM2": Course("LCX", ("M2 origin", (31.5, 14.0, -34.0), "M2 mid", (46.0, -4.0, -68.0))),
    "OM3": Course("LCX", ("M3 origin", (28.0, 20.0, -45.5), "M3 mid", (36.0, 2.0, -72.0))),
    "L-PL1": Course("LCX", ((14.0, 22.0, -47.5), (19.0, 16.0, -63.0), (26.0, 0.0, -79.0))),
    "L-PL2": Course("LCX", ("C4 mid", (9.0, 12.0, -69.0), "RP mid", (20.0, -10.0, -88.0))),
    "L-PDA": Course("LCX", (_CRUX, *_INFERIOR_GROOVE), "groove"),
    # right system
    "RCA": Course("", (
        "RCA ostium", (-20.5, -34.0, -15.0), "R1 mid", (-38.0, -40.5, -33.5), "R2 mid", (-43.5, -37.0, -62.5),
        "R3 mid", (-27.0, -18.0, -76.0), "R4 mid", _CRUX, (4.0, 8.0, -73.5), (14.0, 12.0, -70.0),
    ), "groove"),
    "CB": Course("RCA", ((-25.0, -35.0, -18.0), (-21.0, -47.0, -14.0), (-10.0, -60.0, -20.0), (4.0, -70.0, -27.0))),
    "SN": Course("RCA", ((-22.0, -34.2, -16.0), (-27.0, -24.0, -7.0), (-27.0, -9.0, 2.0), (-20.0, 3.0, 9.0)), "free"),
    "RV": Course("RCA", ((-37.0, -40.2, -31.5), (-28.0, -56.0, -37.0), (-11.0, -70.0, -46.0), (3.0, -78.0, -54.0))),
    "AM1": Course("RCA", ((-43.5, -37.8, -60.0), (-33.0, -52.0, -70.0), (-13.0, -66.0, -79.0), (8.0, -74.0, -84.0))),
    "AM2": Course("RCA", ((-39.0, -32.0, -72.0), (-28.0, -42.0, -82.0), (-10.0, -54.0, -90.0), (6.0, -62.0, -93.0))),
    "PDA": Course("RCA", (_CRUX, *_INFERIOR_GROOVE), "groove"),
    "PL1": Course("RCA", ((1.0, 6.0, -73.0), "RI mid", (11.0, -24.0, -91.0), (22.0, -38.0, -94.0))),
    "PL2": Course("RCA", ((6.0, 9.0, -73.2), "RP mid", (22.0, -10.0, -88.0), (31.0, -24.0, -91.0))),
    "PL3": Course("RCA", ((14.0, 12.0, -70.0), (22.0, 7.0, -76.0), (31.0, -6.0, -81.0))),
}  # fmt: skip
