"""Where coronary landmarks lie: Dodge et al. 1988 (doi:10.1161/01.CIR.78.5.1167), right-dominant men.

The paper's spherical coordinates have their origin at the left ostium; those of the right coronary artery at
the right ostium, whose own row (6 patients) says where that lies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["LANDMARKS", "Landmark", "position_lps_mm"]


@dataclass(frozen=True)
class Landmark:
    """One row of the table.

    Attributes:
        patients: how many were measured.
        radius_mm: distance from the ostium.
        theta_deg: angle from anterior towards the patient's left.
        phi_deg: elevation towards the head.
        sd_mm: standard deviation along the radius, along theta and along phi (on the sphere).
    """

    patients: int
    radius_mm: float
    theta_deg: float
    phi_deg: float
    sd_mm: tuple[float, float, float]


LANDMARKS = {
    "RCA ostium": Landmark(6, 37, -25, -23, (7, 10, 8)),
    "LM mid": Landmark(19, 7, 80, 4, (4, 5, 1)),
    "L1 proximal": Landmark(19, 16, 70, -3, (7, 9, 3)),
    "L1 mid": Landmark(19, 23, 63, -5, (8, 9, 5)),
    "L2 mid": Landmark(19, 53, 44, -12, (8, 10, 10)),
    "L3 mid": Landmark(19, 101, 30, -32, (9, 15, 14)),
    "L4 proximal": Landmark(16, 122, 32, -46, (10, 15, 17)),
    "L4 mid": Landmark(16, 118, 33, -49, (9, 16, 16)),
    "D1 origin": Landmark(19, 32, 61, -8, (8, 10, 5)),
    "D1 mid": Landmark(19, 62, 61, -23, (10, 12, 14)),
    "D2 origin": Landmark(19, 49, 47, -12, (10, 9, 6)),
    "D2 mid": Landmark(19, 77, 49, -24, (7, 15, 11)),
    "D3 origin": Landmark(19, 66, 41, -17, (11, 11, 10)),
    "D3 mid": Landmark(19, 90, 42, -26, (9, 17, 13)),
    "S1 origin": Landmark(19, 33, 57, -9, (11, 10, 7)),
    "S1 mid": Landmark(19, 43, 35, -31, (11, 10, 10)),
    "S2 origin": Landmark(19, 52, 44, -12, (11, 11, 10)),
    "S2 mid": Landmark(19, 58, 31, -29, (9, 8, 12)),
    "S3 origin": Landmark(18, 70, 37, -19, (8, 11, 10)),
    "S3 mid": Landmark(18, 73, 30, -31, (8, 9, 13)),
    "C1 proximal": Landmark(19, 14, 86, -12, (7, 9, 3)),
    "C1 mid": Landmark(19, 18, 94, -24, (8, 12, 5)),
    "C2 mid": Landmark(18, 31, 116, -37, (9, 17, 8)),
    "C3 mid": Landmark(17, 48, 135, -51, (10, 16, 13)),
    "C4 mid": Landmark(6, 59, 166, -71, (9, 15, 15)),
    "MR origin": Landmark(7, 12, 85, -10, (5, 6, 2)),
    "MR mid": Landmark(6, 56, 80, -34, (16, 12, 19)),
    "OM origin": Landmark(5, 25, 104, -28, (10, 12, 6)),
    "OM bifurcat": Landmark(5, 44, 107, -37, (9, 11, 12)),
    "OM ant mid": Landmark(5, 53, 102, -43, (6, 10, 10)),
    "OM pos mid": Landmark(5, 49, 114, -43, (7, 9, 11)),
    "M1 origin": Landmark(13, 22, 102, -31, (7, 12, 5)),
    "M1 mid": Landmark(13, 56, 91, -38, (14, 17, 14)),
    "M2 origin": Landmark(13, 34, 118, -41, (6, 11, 8)),
    "M2 mid": Landmark(13, 60, 109, -51, (8, 13, 11)),
    "M3 origin": Landmark(15, 47, 131, -49, (10, 18, 13)),
    "M3 mid": Landmark(15, 65, 118, -58, (11, 20, 17)),
    "R1 proximal": Landmark(24, 5, -71, -22, (1, 3, 1)),
    "R1 mid": Landmark(24, 17, -68, -24, (4, 7, 4)),
    "R2 mid": Landmark(24, 46, -72, -48, (7, 12, 9)),
    "R3 mid": Landmark(24, 64, -91, -69, (11, 23, 14)),
    "R4 mid": Landmark(24, 62, 180, -66, (8, 24, 13)),
    "RD mid": Landmark(24, 76, 80, -76, (11, 17, 22)),
    "RI mid": Landmark(23, 76, 143, -68, (10, 24, 18)),
    "RP mid": Landmark(17, 80, 145, -56, (8, 25, 18)),
}  # fmt: skip


def position_lps_mm(name: str) -> NDArray[np.float64]:
    """Return the mean position (3,) of a landmark, LPS mm from the left ostium."""
    row = LANDMARKS[name]
    theta, phi = math.radians(row.theta_deg), math.radians(row.phi_deg)
    flat = row.radius_mm * math.cos(phi)
    own = np.array([flat * math.sin(theta), -flat * math.cos(theta), row.radius_mm * math.sin(phi)])
    return own + position_lps_mm("RCA ostium") if name in _FROM_RIGHT_OSTIUM else own


_FROM_RIGHT_OSTIUM = tuple(name for name in LANDMARKS if name.startswith(("R1", "R2", "R3", "R4", "RD", "RI", "RP")))
