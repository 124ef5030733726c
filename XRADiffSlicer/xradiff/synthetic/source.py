"""Where a case's tree comes from: the generator, or a CTA label that the user has. The same nouns after that."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from ..centreline_tree import CentrelineTree
from .anatomy import AnatomyOptions, draw_anatomy, with_thickness
from .anatomy.heart import APEX_LPS_MM, BASE_LPS_MM
from .anatomy.landmarks import position_lps_mm
from .labels import one_side, read_label, split_sides, tree_of
from .motion import moved_tree, smooth_deformation
from .tubes import TubeTree, tubes_of

__all__ = ["Subject", "random_tubes", "subject_from_label", "subject_from_population"]

Array = NDArray[np.float64]
_LABEL_SCALE, _LABEL_TURN_DEG, _LABEL_BEND_MM = 0.05, 5.0, 1.5  # a label is varied by so much (SD)


@dataclass(frozen=True, eq=False)
class Subject:
    """One coronary tree and the heart that carries it, at end-diastole.

    Attributes:
        tree: radii as its source of truth shows them.
        base_lps_mm: middle of the atrioventricular plane, (3,).
        apex_lps_mm: end of the heart's long axis, (3,).
        parameters: what was drawn, JSON-ready.
    """

    tree: CentrelineTree
    base_lps_mm: Array
    apex_lps_mm: Array
    parameters: dict[str, Any]

    @property
    def middle_lps_mm(self) -> Array:
        """Middle of the tree's bounding box, (3,)."""
        points = self.tree.points_lps_mm()
        middle: Array = (points.min(axis=0) + points.max(axis=0)) / 2
        return middle

    def translated(self, shift_lps_mm: ArrayLike) -> Subject:
        """Return the subject displaced by `shift_lps_mm` (3,)."""
        shift = np.asarray(shift_lps_mm, dtype=float)
        tree = self.tree.with_points(self.tree.points_lps_mm() + shift)
        return Subject(tree, self.base_lps_mm + shift, self.apex_lps_mm + shift, self.parameters)


def subject_from_population(
    side: str, rng: np.random.Generator, options: AnatomyOptions, thickness: str = "lumen"
) -> Subject:
    """Return a random patient's tree of one side.

    Raises:
        InputError: an unknown side or thickness.
    """
    anatomy = draw_anatomy(rng, options, (side,))
    facts = {"source": "generator", "thickness": thickness} | anatomy.parameters()
    base, apex = facts.pop("base_lps_mm"), facts.pop("apex_lps_mm")  # they move with the case; it states them itself
    tree = with_thickness(anatomy.trees[side], thickness, rng)
    return Subject(tree, np.array(base), np.array(apex), facts)


def random_tubes(side: str, rng: np.random.Generator, options: AnatomyOptions | None = None) -> TubeTree:
    """Return a random patient's tree as tubes, its middle within 15 mm of the isocentre.

    Raises:
        InputError: an unknown side.
    """
    subject = subject_from_population(side, rng, options or AnatomyOptions())
    direction = rng.normal(size=3)
    offset = direction / np.linalg.norm(direction) * rng.uniform(0, 15)
    return tubes_of(subject.translated(offset - subject.middle_lps_mm).tree)


def subject_from_label(path: str, side: str, rng: np.random.Generator, *, alone: bool = False) -> Subject:
    """Return the tree of one side of a CTA label, slightly varied in size, orientation and shape.

    A label has no heart: the mean heart is put where its ostium meets the tree's first point.

    Args:
        path: NIfTI or NRRD file.
        side: "left" or "right".
        rng: the only source of chance.
        alone: the label holds the tree of this side and no other.

    Raises:
        InputError: the label cannot be read or does not hold that tree.
    """
    tree, notes = _label_tree(path, side, alone)
    start = tree.branches[0].points_lps_mm[0]
    turn = Rotation.from_rotvec(rng.normal(size=3) * _LABEL_TURN_DEG, degrees=True).as_matrix()
    linear = turn * float(np.exp(np.clip(rng.normal(), -2, 2) * _LABEL_SCALE))
    points = tree.points_lps_mm()
    bend = smooth_deformation(rng, [points.min(axis=0) - 1, points.max(axis=0) + 1], _LABEL_BEND_MM, 60.0)
    tree = moved_tree(tree, bend)
    tree = tree.with_points((tree.points_lps_mm() - start) @ linear.T)
    heart = np.stack([BASE_LPS_MM, APEX_LPS_MM])
    heart = (heart - position_lps_mm("RCA ostium") * (side == "right")) @ linear.T
    facts = {
        "source": "label",
        "label": Path(path).name,
        "separation": list(notes),
        "linear": linear.tolist(),
        "bend": bend.parameters(),
    }
    return Subject(tree, heart[0], heart[1], facts)


@lru_cache(maxsize=8)
def _label_tree(path: str, side: str, alone: bool) -> tuple[CentrelineTree, tuple[str, ...]]:
    """Return the tree of one side of a label file and how it was told apart (kept: a file takes seconds)."""
    label = read_label(path)
    if alone:
        return tree_of(one_side(label, side), side), ()
    sides = split_sides(label)
    return tree_of(sides.left if side == "left" else sides.right, side), sides.notes
