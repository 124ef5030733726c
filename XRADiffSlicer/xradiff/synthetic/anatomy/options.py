"""What a population of coronary trees is like. Defaults are published figures where there are any."""

from __future__ import annotations

from dataclasses import dataclass, fields

from ...checks import check_choice, check_range
from ...errors import InputError

__all__ = ["DOMINANCES", "AnatomyOptions"]

DOMINANCES = ("right", "left", "co")


@dataclass(frozen=True)
class AnatomyOptions:
    """How trees are drawn. Probabilities are shares of patients unless stated.

    Attributes:
        dominance: "right", "left" or "co" for every patient; "drawn" for the published shares.
        dominance_shares: of right, left and co-dominant hearts (n = 12,558, Tehran: 84.2, 10.9, 4.8 %).
        women: share of women, whose hearts are 8 % and vessels 9 % smaller (Dodge 1992).
        size_sd: relative SD of the heart's size (the SD of the landmarks' distance from the ostium).
        turn_sd_deg: SD of the heart's rotation about each patient axis.
        shape_mm: RMS of the smooth change of shape.
        diagonals: shares of hearts with one, two and three diagonals.
        marginals: shares of hearts with one, two and three obtuse marginals.
        ramus: has an intermediate branch.
        wraps_apex: LAD that reaches beyond the apex.
        conus_from_aorta: conus branch with an ostium of its own, which the catheter does not fill.
        sinus_node_from_right: sinus node artery from the RCA (otherwise it is not drawn).
        tortuous: share of patients with tortuous vessels (at least 3 bends of 45 deg).
        shepherds_crook: RCA that rises in a loop before it falls.
        twigs: mean number of second-order twigs a side branch has.
        stenoses: mean number of focal stenoses a main vessel has (at most 2 each).
        stenosis_percent: range of the diameter reduction, percent.
        stenosis_length_mm: range of the length.
        diffuse: a main vessel that is narrowed over 30-60 mm.
        ectasia: a main vessel that is widened 1.5-2 times over 10-30 mm.
        occlusion: share of patients with one total occlusion on each side of the tree that is drawn.
        collaterals: share of occlusions behind which the vessel fills again.
        least_diameter_mm: side branches end where they become thinner (what an angiogram shows).

    Raises:
        InputError: a value out of its range, or shares that do not add up to 1.
    """

    dominance: str = "drawn"
    dominance_shares: tuple[float, float, float] = (0.842, 0.109, 0.049)
    women: float = 0.4
    size_sd: float = 0.07
    turn_sd_deg: float = 8.0
    shape_mm: float = 4.5
    diagonals: tuple[float, float, float] = (0.14, 0.62, 0.24)
    marginals: tuple[float, float, float] = (0.20, 0.51, 0.29)
    ramus: float = 0.22
    wraps_apex: float = 0.75
    conus_from_aorta: float = 0.4
    sinus_node_from_right: float = 0.6
    tortuous: float = 0.39
    shepherds_crook: float = 0.05
    twigs: float = 0.7
    stenoses: float = 0.5
    stenosis_percent: tuple[float, float] = (30.0, 80.0)
    stenosis_length_mm: tuple[float, float] = (8.0, 20.0)
    diffuse: float = 0.08
    ectasia: float = 0.03
    occlusion: float = 0.03
    collaterals: float = 0.3
    least_diameter_mm: float = 0.8

    def __post_init__(self) -> None:
        check_choice("dominance", self.dominance, (*DOMINANCES, "drawn"))
        for name in ("dominance_shares", "diagonals", "marginals"):
            _check_shares(name, getattr(self, name))
        for name in (
            "women", "ramus", "wraps_apex", "conus_from_aorta", "sinus_node_from_right", "tortuous", "shepherds_crook",
            "diffuse", "ectasia", "occlusion", "collaterals",
        ):  # fmt: skip
            check_range(name, getattr(self, name), 0, 1)
        check_range("size_sd", self.size_sd, 0, 0.15)
        check_range("turn_sd_deg", self.turn_sd_deg, 0, 20, unit="deg")
        check_range("shape_mm", self.shape_mm, 0, 6, unit="mm")
        check_range("twigs", self.twigs, 0, 3)
        check_range("stenoses", self.stenoses, 0, 2)
        _check_interval("stenosis_percent", self.stenosis_percent, 1, 99, "%")
        _check_interval("stenosis_length_mm", self.stenosis_length_mm, 2, 40, "mm")
        check_range("least_diameter_mm", self.least_diameter_mm, 0.3, 2, unit="mm")
        for field in fields(self):  # JSON gives lists
            if isinstance(getattr(self, field.name), list):
                object.__setattr__(self, field.name, tuple(getattr(self, field.name)))


def _check_shares(name: str, shares: tuple[float, ...]) -> None:
    if len(shares) != 3 or abs(sum(shares) - 1) > 1e-6 or min(shares) < 0:
        raise InputError(f"{name} must hold three shares that add up to 1, got {tuple(shares)}")


def _check_interval(name: str, interval: tuple[float, float], least: float, most: float, unit: str) -> None:
    if len(interval) != 2 or not least <= interval[0] <= interval[1] <= most:
        raise InputError(f"{name} must go from low to high within [{least:g}, {most:g}] {unit}, got {tuple(interval)}")
