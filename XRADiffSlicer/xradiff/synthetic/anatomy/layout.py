"""Which vessels a patient has, how far each reaches and how wide it is, before any of them is drawn.

Diameters of the main vessels: Dodge et al. 1992 (doi:10.1161/01.CIR.86.1.232), men; distal right and circumflex
arteries: CT controls of 3.43/3.19/2.63 and 3.07/2.17/1.62 mm (proximal, middle, distal). Side branches: our own
choice of usual values. The left main follows from its daughters by Finet's ratio.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .courses import COURSES
from .options import AnatomyOptions
from .patient import Patient

__all__ = ["Plan", "Vessel", "plan_tree"]

FINET = 0.62
"""Diameter of a mother vessel by the sum of its daughters' (Finet .678; atlas of 300 patients .66 +- .08).

At .66 the left main would be 4.8 mm with Dodge's daughters; .62 agrees with both sources.
"""


@dataclass(frozen=True)
class Vessel:
    """What is planned for one vessel.

    Attributes:
        name: as in `COURSES`.
        parent: vessel it leaves, "" for none.
        start_mm: diameter where it begins.
        knots: (share of the length, diameter in mm) that it reaches, in order; the last share is 1.
        reach: share of its mean course that it takes.
    """

    name: str
    parent: str
    start_mm: float
    knots: tuple[tuple[float, float], ...]
    reach: float = 1.0


Plan = dict[str, Vessel]
# Diameter (mm) where the vessel begins, relative SD, diameter at its end.
_SIDE = {
    "RI": (2.2, 0.16, 1.1), "D1": (2.0, 0.16, 1.0), "D2": (1.8, 0.16, 1.0), "D3": (1.5, 0.16, 0.9),
    "S1": (1.5, 0.13, 0.8), "S2": (1.3, 0.13, 0.8), "S3": (1.1, 0.13, 0.7),
    "OM1": (2.2, 0.16, 1.1), "OM2": (1.9, 0.16, 1.0), "OM3": (1.6, 0.16, 0.9),
    "L-PL1": (1.8, 0.16, 1.0), "L-PL2": (1.7, 0.16, 1.0), "L-PDA": (2.0, 0.16, 1.1),
    "CB": (1.4, 0.15, 0.9), "SN": (1.2, 0.15, 0.8), "RV": (1.4, 0.15, 0.9),
    "AM1": (1.7, 0.16, 0.9), "AM2": (1.4, 0.16, 0.8),
    "PDA": (2.1, 0.16, 1.1), "PL1": (1.7, 0.16, 0.9), "PL2": (1.7, 0.16, 0.9), "PL3": (1.5, 0.16, 0.8),
}  # fmt: skip


def plan_tree(side: str, patient: Patient, rng: np.random.Generator, options: AnatomyOptions) -> Plan:
    """Return the vessels of one side, parents first."""
    names = _left_names(patient, rng, options) if side == "left" else _right_names(patient, rng, options)
    mains = _left_mains(patient, rng, options, "RI" in names) if side == "left" else _right_mains(patient, rng, names)
    plan = {name: replace(v, start_mm=v.start_mm * patient.calibre, knots=_scaled(v, patient)) for name, v in mains}
    for name in names:
        mean, spread, end = _SIDE[name]
        start = mean * _varied(rng, spread) * patient.calibre
        taper = end / mean * _varied(rng, 0.08)
        length = float(np.clip(rng.normal(0.95, 0.12), 0.6, 1.15))
        plan[name] = Vessel(name, COURSES[name].parent, start, ((1.0, start * taper),), length)
    return _with_left_main(plan, rng) if side == "left" else plan


def _left_names(patient: Patient, rng: np.random.Generator, options: AnatomyOptions) -> list[str]:
    diagonals = 1 + int(rng.choice(3, p=np.asarray(options.diagonals)))
    marginals = 1 + int(rng.choice(3, p=np.asarray(options.marginals)))
    septals = int(rng.integers(2, 4))
    single = str(rng.choice(["OM1", "OM2"]))
    names = ["RI"] if rng.random() < options.ramus else []
    names += [f"D{number + 1}" for number in range(diagonals)] + [f"S{number + 1}" for number in range(septals)]
    names += [single] if marginals == 1 else [f"OM{number + 1}" for number in range(marginals)]
    if patient.dominance != "right":
        names += ["L-PL1", "L-PL2"] if patient.dominance == "left" else ["L-PL1"]
    return [*names, "L-PDA"] if patient.dominance == "left" else names


def _right_names(patient: Patient, rng: np.random.Generator, options: AnatomyOptions) -> list[str]:
    names = [] if rng.random() < options.conus_from_aorta else ["CB"]
    names += ["SN"] if rng.random() < options.sinus_node_from_right else []
    names += ["RV"] if rng.random() < 0.7 else []
    names += ["AM1"]
    if patient.dominance == "left":
        return names
    names += ["AM2"] if rng.random() < 0.5 else []
    names += ["PDA"]
    if patient.dominance == "right":
        names += [f"PL{number + 1}" for number in range(int(rng.integers(1, 4)))]
    return names


def _left_mains(
    patient: Patient, rng: np.random.Generator, options: AnatomyOptions, ramus: bool
) -> list[tuple[str, Vessel]]:
    """Return LM (its diameter still open), LAD and LCX in mm of an average man."""
    reach = rng.uniform(0.90, 0.97) if rng.random() < options.wraps_apex else rng.uniform(0.70, 0.84)
    middle = 1.9 * _varied(rng, 0.12)
    lad = Vessel("LAD", "LM", 3.7 * _varied(rng, 0.07), ((0.7, middle), (1.0, 0.72 * middle)), reach)
    ends = {"right": (0.54, 0.78), "co": (0.76, 0.88), "left": (0.995, 1.0)}[patient.dominance]
    wide, last = {"right": (3.4, 1.6), "co": (3.7, 1.7), "left": (4.2, 2.1)}[patient.dominance]
    wide *= (0.94 if ramus else 1.02) * _varied(rng, 0.10)
    lcx = Vessel("LCX", "LM", wide, ((1.0, last * _varied(rng, 0.12)),), rng.uniform(*ends))
    return [("LM", Vessel("LM", "", 4.5, ((1.0, 4.5),))), ("LAD", lad), ("LCX", lcx)]


def _right_mains(patient: Patient, rng: np.random.Generator, names: list[str]) -> list[tuple[str, Vessel]]:
    """Return the RCA in mm of an average man; it ends behind the branch that it feeds last."""
    size = _varied(rng, 0.11)
    if patient.dominance == "left":
        return [("RCA", Vessel("RCA", "", 2.8 * size, ((1.0, 1.2 * size),), rng.uniform(0.5, 0.62)))]
    reach = {"AM1": 0.8, "PDA": 0.86, "PL1": 0.91, "PL2": 0.955, "PL3": 1.0}[names[-1]] - 0.02 * rng.random()
    knots = ((0.45, 3.45 * size), (0.8, 2.85 * size), (1.0, (1.5 if patient.dominance == "right" else 1.8) * size))
    return [("RCA", Vessel("RCA", "", 3.9 * size, knots, reach))]


def _with_left_main(plan: Plan, rng: np.random.Generator) -> Plan:
    """Return the plan with the left main's diameter by Finet's law; a ramus first joins the circumflex."""
    ratio = FINET * _varied(rng, 0.04)
    lateral = plan["LCX"].start_mm
    if "RI" in plan:
        lateral = FINET * (lateral + plan["RI"].start_mm)
    start = ratio * (plan["LAD"].start_mm + lateral)
    return plan | {"LM": replace(plan["LM"], start_mm=start, knots=((1.0, 0.98 * start),))}


def _scaled(vessel: Vessel, patient: Patient) -> tuple[tuple[float, float], ...]:
    return tuple((share, diameter * patient.calibre) for share, diameter in vessel.knots)


def _varied(rng: np.random.Generator, relative_sd: float) -> float:
    """Return a factor around 1."""
    return float(np.exp(relative_sd * np.clip(rng.normal(), -2.5, 2.5)))
