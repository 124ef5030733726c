"""One coronary side of a CTA label -> the same centreline tree that the generators make."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...centreline_tree import Branch, CentrelineTree
from ...checks import check_choice
from ...errors import InputError
from .paths import VoxelPath, end_voxels, joined, voxel_paths
from .rays import Line, Wall, resampled
from .sections import fit_lines
from .volume import LabelVolume
from .voxel_graph import VoxelGraph, voxel_graph

__all__ = ["ostium_voxel", "tree_of"]

Array = NDArray[np.float64]
_SMOOTH_STEPS = 3.0  # voxel paths zigzag; sections find the middle again
_LEAST_RADIUS_MM = 0.2
_HEIGHT = 0.35  # an end at the top of the tree counts as this much thicker than one at the bottom


def tree_of(label: LabelVolume, side: str) -> CentrelineTree:
    """Return the centreline tree of a label that holds one coronary side, LPS mm of the scanner.

    Args:
        label: one side, as `split_sides` or `one_side` gives it.
        side: "left" or "right".

    The main branch runs from the ostium (the thick upper end) to the farthest end; the others follow by length
    and are called "B1", "B2", ...; segments are empty. Gaps are bridged. Radii are area-equivalent, so that
    the tubes of the tree (synthetic.tubes) fill the label.

    Raises:
        InputError: another side, or a label of a single voxel.
    """
    check_choice("side", side, ("left", "right"))
    graph = joined(voxel_graph(label))
    if len(graph.indices) < 2:
        raise InputError("a coronary label must hold a vessel, got a single voxel")
    paths = voxel_paths(graph, ostium_voxel(graph, label))
    lines = fit_lines(Wall(label.inside, label.spacing_mm), [_rough_line(graph, path) for path in paths])
    return CentrelineTree(side, tuple(_branch(number, lines, label) for number in range(len(lines))))


def ostium_voxel(graph: VoxelGraph, label: LabelVolume) -> int:
    """Return the voxel at the ostium: the free end that is thickest, the upper one among equals."""
    ends, thickness = end_voxels(graph)
    height = label.points_lps_mm(graph.indices)[:, 2]
    relative = (height[ends] - height.min()) / max(float(np.ptp(height)), 1e-6)
    return int(ends[np.argmax(thickness / thickness.max() + _HEIGHT * relative)])


def _rough_line(graph: VoxelGraph, path: VoxelPath) -> Line:
    """Return the path as a smooth line with even steps."""
    line = resampled(Line(graph.points_mm[path.voxels], graph.depth_mm[path.voxels], path.parent))
    points = ndimage.gaussian_filter1d(line.points_mm, _SMOOTH_STEPS, axis=0, mode="nearest")
    points[[0, -1]] = line.points_mm[[0, -1]]
    radii = ndimage.gaussian_filter1d(line.radii_mm, _SMOOTH_STEPS, mode="nearest")
    return resampled(Line(points, np.maximum(radii, _LEAST_RADIUS_MM), path.parent))


def _branch(number: int, lines: list[Line], label: LabelVolume) -> Branch:
    """Return line `number` as a branch in LPS mm."""
    line = lines[number]
    points = label.points_lps_mm(line.points_mm / label.spacing_mm)
    at = -1
    if line.parent >= 0:
        at = int(np.argmin(np.linalg.norm(lines[line.parent].points_mm - line.points_mm[0], axis=1)))
    return Branch(f"B{number + 1}", points, line.radii_mm, np.full(len(points), ""), line.parent, at)
