"""One verb for all 3D motions: move the points of a centreline tree."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...centreline_tree import CentrelineTree

__all__ = ["Motion", "moved_tree"]


class Motion(Protocol):
    """What `RigidMotion`, `CardiacPhase` and `SmoothDeformation` have in common."""

    def moved(self, points_lps_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return where points (N, 3), LPS mm, go."""

    def parameters(self) -> dict[str, object]:
        """Return what defines the motion, ready for JSON."""


def moved_tree(tree: CentrelineTree, *motions: Motion) -> CentrelineTree:
    """Return `tree` after all `motions`, the first one first. Radii stay; branches stay joined.

    The heart's own motion comes first, then what moves the whole heart:
    `moved_tree(tree, cardiac.at(0.4), breathing)`.
    """
    points = tree.points_lps_mm()
    for motion in motions:
        points = motion.moved(points)
    return tree.with_points(points)
