"""One label with both coronary trees -> a left and a right label, by where the vessels lie in the patient.

The right tree runs round the right (LPS x low) border of the heart, the left tree round the left border;
both begin at the top. Seeds are taken at the borders and, near the top, on both sides of the aorta. Whatever
joins the seeds is cut at its thinnest place; pieces without seeds go to the tree they are the continuation of.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...checks import check_choice
from ...errors import InputError
from .cutting import cut_apart
from .pieces import assign_pieces
from .volume import LabelVolume
from .voxel_graph import VoxelGraph, voxel_graph

__all__ = ["SplitLabel", "one_side", "split_sides"]

Array = NDArray[np.float64]
Integers = NDArray[np.int64]
LEFT, RIGHT, NEITHER = 1, 0, -1
_BORDER = 0.2  # share of the label's width at either border that surely belongs to the tree of that side
_TOP = 0.35  # share of the height in which the trees are apart, the right one ...
_TOP_RIGHT, _TOP_LEFT = 0.27, 0.5  # ... right of the first, the left one left of the second share of the width
_MAJOR = 0.05  # a part with less than this share of the volume is a piece, no tree
_BOTH = 0.03  # a part with more than this share of seeds of either side holds both trees
_LEAST_MM = 35.0  # a tree's least diagonal
_LEAST_APART_MM = 10.0  # one tree's borders lie at least this far left of the other's
_LEAST_THICKNESS = 0.4  # the thinner tree's stem as a share of the thicker one's
_THICK_CUT = 0.55  # a cut at least as thick as this share of the thinner stem goes through a stem
_THICKEST = 97  # percentile of the depth that stands for the stem
_THICK = 0.8  # a voxel at this share of that depth is part of the stem
_HIGH = 0.5  # stems reach above this share of the height


@dataclass(frozen=True, eq=False)
class SplitLabel:
    """The two trees of a label.

    Attributes:
        left: the left tree, cropped.
        right: the right tree, cropped.
        notes: what was cut, reattached and dropped, one sentence each.
    """

    left: LabelVolume
    right: LabelVolume
    notes: tuple[str, ...]


def split_sides(label: LabelVolume) -> SplitLabel:
    """Return the left and the right coronary tree of a label that holds both.

    A cut leaves the joining piece with the trees: it stays as a side branch if it is long.

    Raises:
        InputError: the label holds one tree only, or two that a piece of more than half
            the thickness of their stems joins.
    """
    graph = voxel_graph(label)
    points = label.points_lps_mm(graph.indices)
    parts = graph.components()
    side, cut, notes = _seeded(graph, points, parts)
    if not ((side == LEFT).any() and (side == RIGHT).any()):
        raise _one_tree()
    parts = parts * 2 + (side == LEFT)  # a part that was cut is two parts now
    side, more = assign_pieces(points, parts, side)
    _check_pair(graph, points, side, cut)
    left, right = (label.with_voxels(graph.indices[side == which]) for which in (LEFT, RIGHT))
    return SplitLabel(left, right, (*notes, *more))


def one_side(label: LabelVolume, side: str) -> LabelVolume:
    """Return the tree of a label that holds only the coronary tree of `side` ("left" or "right"), without specks.

    The largest part counts as the tree; pieces that continue it stay. Nothing is cut.

    Raises:
        InputError: another side.
    """
    check_choice("side", side, ("left", "right"))
    graph = voxel_graph(label)
    parts = graph.components()
    which = LEFT if side == "left" else RIGHT
    kept, _ = assign_pieces(label.points_lps_mm(graph.indices), parts, np.where(parts == 0, which, NEITHER))
    return label.with_voxels(graph.indices[kept == which])


def _seeds(points: Array) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which points (N, 3) surely belong to the right tree and which to the left, if both are there."""
    low, high = points.min(axis=0), points.max(axis=0)
    across = (points[:, 0] - low[0]) / max(high[0] - low[0], 1e-6)
    top = (high[2] - points[:, 2]) < _TOP * (high[2] - low[2])
    right = (across < _BORDER) | (top & (across < _TOP_RIGHT))
    left = (across > 1 - _BORDER) | (top & (across > _TOP_LEFT))
    return right, left


def _seeded(graph: VoxelGraph, points: Array, parts: Integers) -> tuple[Integers, Integers, list[str]]:
    """Return the side (N,) of the voxels in large parts, the voxels beside cuts, and notes about the cuts."""
    volume = np.bincount(parts) / len(parts)
    major = volume[parts] >= _MAJOR
    if not major.any():
        raise InputError("the label holds no vessel, only loose pieces")
    right, left = np.zeros(len(parts), dtype=bool), np.zeros(len(parts), dtype=bool)
    right[major], left[major] = _seeds(points[major])
    side, notes, cuts = np.full(len(parts), NEITHER), [], [np.zeros(0, dtype=np.int64)]
    for part in np.flatnonzero(volume >= _MAJOR):
        member = np.flatnonzero(parts == part)
        shares = right[member].mean(), left[member].mean()
        if min(shares) > _BOTH:
            kept, cut = cut_apart(graph.only(member), right[member], left[member])
            side[member] = np.where(kept, RIGHT, LEFT)
            place = ", ".join(f"{value:.1f}" for value in points[member[cut]].mean(axis=0))
            notes.append(f"cut the trees apart at LPS ({place}) mm, {len(cut)} voxels beside the cut")
            cuts.append(member[cut])
        elif max(shares) > 0:
            side[member] = RIGHT if shares[0] > shares[1] else LEFT
    return side, np.concatenate(cuts), notes


def _check_pair(graph: VoxelGraph, points: Array, side: Integers, cut: Integers) -> None:
    """Refuse a division that cut one tree in two."""
    trees = [np.flatnonzero(side == which) for which in (RIGHT, LEFT)]
    if min(len(tree) for tree in trees) < _MAJOR * len(side):
        raise _one_tree()
    right, left = (points[tree] for tree in trees)
    apart = min(left[:, 0].min() - right[:, 0].min(), left[:, 0].max() - right[:, 0].max())
    diagonal = min(float(np.linalg.norm(np.ptp(tree, axis=0))) for tree in (right, left))
    stems = np.array([np.percentile(graph.depth_mm[tree], _THICKEST) for tree in trees])
    low, high = points[side != NEITHER, 2].min(), points[side != NEITHER, 2].max()
    begin = min(_stem_height(graph, points, tree) for tree in trees)
    if (
        apart < _LEAST_APART_MM
        or diagonal < _LEAST_MM
        or stems.min() < _LEAST_THICKNESS * stems.max()
        or (len(cut) > 0 and graph.depth_mm[cut].max() > _THICK_CUT * stems.min())
        or begin < low + _HIGH * (high - low)
    ):
        raise _one_tree()


def _stem_height(graph: VoxelGraph, points: Array, tree: Integers) -> float:
    """Return the height (LPS z, mm) that the thick part of a tree reaches."""
    depth = graph.depth_mm[tree]
    thick = depth >= _THICK * np.percentile(depth, _THICKEST)
    return float(np.percentile(points[tree, 2][thick], _THICKEST))


def _one_tree() -> InputError:
    return InputError(
        "the label holds one tree only, or two joined by a piece too thick to tell where to cut; "
        "for a label of one tree say so, with its side (label_holds 'one')"
    )
