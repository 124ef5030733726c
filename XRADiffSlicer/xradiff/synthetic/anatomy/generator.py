"""A patient's coronary trees: plan, grow, measure, damage, assemble."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...centreline_tree import Branch, CentrelineTree
from ...checks import check_choice
from .calibre import diameters_mm
from .growth import Sprout, grow
from .layout import plan_tree
from .lesions import Lesion, draw_lesions, narrowed
from .options import AnatomyOptions
from .patient import Patient, draw_patient
from .segments import segments_of

__all__ = ["Anatomy", "draw_anatomy", "generate_tree"]

Array = NDArray[np.float64]
SIDES = ("left", "right")
_LEAST_POINTS = 10  # 5 mm: a shorter branch is none


@dataclass(frozen=True, eq=False)
class Anatomy:
    """A patient's coronary trees in one frame: LPS mm, the left ostium near 0.

    Attributes:
        patient: what both sides share.
        trees: tree of each side that was asked for; lumen radii.
        lesions: lesions of each side.
    """

    patient: Patient
    trees: Mapping[str, CentrelineTree]
    lesions: Mapping[str, tuple[Lesion, ...]] = field(default_factory=dict)

    def translated(self, shift_lps_mm: ArrayLike) -> Anatomy:
        """Return the anatomy displaced by `shift_lps_mm` (3,)."""
        shift = np.asarray(shift_lps_mm, dtype=float)
        trees = {side: tree.with_points(tree.points_lps_mm() + shift) for side, tree in self.trees.items()}
        return Anatomy(self.patient.translated(shift), trees, self.lesions)

    def parameters(self) -> dict[str, Any]:
        """Return what was drawn, JSON-ready."""
        patient = self.patient
        return {
            "sex": patient.sex,
            "dominance": patient.dominance,
            "calibre": patient.calibre,
            "tortuosity": patient.tortuosity,
            "base_lps_mm": patient.base_lps_mm.tolist(),
            "apex_lps_mm": patient.apex_lps_mm.tolist(),
            "lesions": {side: [asdict(lesion) for lesion in found] for side, found in self.lesions.items()},
        }


def draw_anatomy(
    rng: np.random.Generator, options: AnatomyOptions | None = None, sides: Sequence[str] = SIDES
) -> Anatomy:
    """Return a random patient's coronary trees.

    Args:
        rng: the only source of chance; the two sides do not influence each other.
        options: the population.
        sides: which trees to make.

    Raises:
        InputError: an unknown side.
    """
    options = options or AnatomyOptions()
    patient = draw_patient(rng, options)
    streams = dict(zip(SIDES, rng.spawn(2), strict=True))
    trees, lesions = {}, {}
    for side in sides:
        check_choice("side", side, SIDES)
        trees[side], lesions[side] = _tree(side, patient, streams[side], options)
    return Anatomy(patient, trees, lesions)


def generate_tree(side: str, rng: np.random.Generator, options: AnatomyOptions | None = None) -> CentrelineTree:
    """Return a random coronary tree of one side: LPS mm, left ostium near 0, lumen radii, SYNTAX segments.

    Raises:
        InputError: an unknown side.
    """
    return draw_anatomy(rng, options, (side,)).trees[side]


def _tree(
    side: str, patient: Patient, rng: np.random.Generator, options: AnatomyOptions
) -> tuple[CentrelineTree, tuple[Lesion, ...]]:
    sprouts = grow(plan_tree(side, patient, rng, options), patient, rng, options)
    curves = {name: patient.place(sprout.curve) for name, sprout in sprouts.items()}
    along = {name: _arclength(curve) for name, curve in curves.items()}
    children = {name: [s for s in sprouts.values() if s.parent == name] for name in sprouts}
    diameters = {
        name: diameters_mm(along[name], s.start_mm, s.knots, [(c.parent_point, c.start_mm) for c in children[name]])
        for name, s in sprouts.items()
    }
    ends = {name: _visible_end(name, values, options) for name, values in diameters.items()}
    origins = {name: {c.name: c.parent_point for c in children[name]} for name in sprouts}
    origins_mm = {name: [float(along[name][point]) for point in own.values()] for name, own in origins.items()}
    lesions = draw_lesions({name: float(s[-1]) for name, s in along.items()}, origins_mm, rng, options)
    for name in sprouts:
        own = [lesion for lesion in lesions if lesion.branch == name]
        diameters[name] = narrowed(along[name], diameters[name], own)
        if any(lesion.kind == "occlusion" for lesion in own):  # nothing fills behind it
            ends[name] = int(np.argmax(diameters[name] == 0))
    return _assembled(side, sprouts, curves, diameters, ends, origins), lesions


def _assembled(
    side: str,
    sprouts: Mapping[str, Sprout],
    curves: Mapping[str, Array],
    diameters: Mapping[str, Array],
    ends: Mapping[str, int],
    origins: Mapping[str, dict[str, int]],
) -> CentrelineTree:
    """Return the tree of the vessels that can be seen."""
    branches: list[Branch] = []
    number: dict[str, int] = {}
    for name, sprout in sprouts.items():
        end = ends[name]
        gone = sprout.parent and (sprout.parent not in number or sprout.parent_point >= ends[sprout.parent])
        if gone or (end < _LEAST_POINTS and sprout.parent and sprout.parent != "LM"):
            continue
        segments = segments_of(name, len(curves[name]), origins[name])[: max(end, 2)]
        radii = diameters[name][: max(end, 2)] / 2
        parent = number.get(sprout.parent, -1)
        number[name] = len(branches)
        points = curves[name][: max(end, 2)]
        branches.append(Branch(name, points, radii, segments, parent, sprout.parent_point if sprout.parent else -1))
    return CentrelineTree(side, tuple(branches))


def _visible_end(name: str, diameters: Array, options: AnatomyOptions) -> int:
    """Return how many points of a vessel are wide enough to be seen."""
    if name == "LM":
        return len(diameters)
    thin = diameters < options.least_diameter_mm
    return int(np.argmax(thin)) if thin.any() else len(diameters)


def _arclength(curve: Array) -> Array:
    return np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])
