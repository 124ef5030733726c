"""A coronary tree as centrelines: points, radii, segment names, who leaves whom. Made by several stages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .errors import InputError

__all__ = ["Branch", "CentrelineTree"]


@dataclass(frozen=True, eq=False)
class Branch:
    """One vessel from where it leaves its parent (or its ostium) to its end.

    Attributes:
        name: anatomical short name, for example "RCA", "LAD", "D1".
        points_lps_mm: (N, 3) centreline, N >= 2; the first point lies on the parent's centreline.
        radii_mm: (N,) lumen radius, positive (0 where totally occluded).
        segments: (N,) SYNTAX segment of each point ("1", "9a", ...), "" where there is none.
        parent: index of the parent branch in the tree, -1 for the one that begins at the ostium.
        parent_point: index of the parent's point where this branch leaves, -1 for the first.

    Raises:
        InputError: arrays of other shapes, or values that are not finite.
    """

    name: str
    points_lps_mm: NDArray[np.float64]
    radii_mm: NDArray[np.float64]
    segments: NDArray[np.str_]
    parent: int = -1
    parent_point: int = -1

    def __post_init__(self) -> None:
        count = len(self.points_lps_mm)
        if count < 2 or self.points_lps_mm.shape != (count, 3):
            raise InputError(f"branch {self.name} needs points (N >= 2, 3), got {self.points_lps_mm.shape}")
        if self.radii_mm.shape != (count,) or self.segments.shape != (count,):
            raise InputError(f"branch {self.name} needs a radius and a segment for each of its {count} points")
        if not (np.isfinite(self.points_lps_mm).all() and np.isfinite(self.radii_mm).all()):
            raise InputError(f"branch {self.name} holds values that are not finite numbers")
        if self.radii_mm.min() < 0:
            raise InputError(f"branch {self.name} has a negative radius, {self.radii_mm.min():g} mm")

    @property
    def arclength_mm(self) -> NDArray[np.float64]:
        """Distance (N,) of each point from the first, along the branch."""
        steps = np.linalg.norm(np.diff(self.points_lps_mm, axis=0), axis=1)
        return np.concatenate([[0.0], np.cumsum(steps)])

    @property
    def length_mm(self) -> float:
        """Length along the branch."""
        return float(self.arclength_mm[-1])


@dataclass(frozen=True, eq=False)
class CentrelineTree:
    """The branches of one coronary side; parents come before their children.

    Attributes:
        side: "left" or "right".
        branches: the first begins at the ostium.

    Raises:
        InputError: no branch, or a branch whose parent comes later or does not exist.
    """

    side: str
    branches: tuple[Branch, ...]

    def __post_init__(self) -> None:
        if not self.branches:
            raise InputError("a tree needs at least one branch, got none")
        for index, branch in enumerate(self.branches):
            if branch.parent >= index or (branch.parent < 0 and index > 0):
                raise InputError(f"branch {branch.name} must come after its parent, got parent {branch.parent}")

    def __iter__(self) -> Iterator[Branch]:
        return iter(self.branches)

    def __getitem__(self, name: str) -> Branch:
        """Return the branch called `name`; raises KeyError."""
        for branch in self.branches:
            if branch.name == name:
                return branch
        raise KeyError(name)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all branches."""
        return tuple(branch.name for branch in self.branches)

    def course(self, index: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return points (N, 3) and radii (N,) of the way from the ostium to the end of the branch at `index`."""
        branch = self.branches[index]
        points, radii = branch.points_lps_mm, branch.radii_mm
        while branch.parent >= 0:
            stop, branch = branch.parent_point, self.branches[branch.parent]
            points = np.concatenate([branch.points_lps_mm[:stop], points])
            radii = np.concatenate([branch.radii_mm[:stop], radii])
        return points, radii

    def points_lps_mm(self) -> NDArray[np.float64]:
        """All points, (sum N, 3), branch after branch."""
        return np.concatenate([branch.points_lps_mm for branch in self.branches])

    def with_points(self, points_lps_mm: NDArray[np.float64]) -> CentrelineTree:
        """Return the tree with its points (sum N, 3, in the order of `points_lps_mm()`) moved."""
        ends = np.cumsum([len(branch.points_lps_mm) for branch in self.branches])[:-1]
        parts = np.split(np.asarray(points_lps_mm, dtype=float), ends)
        moved = [replace(branch, points_lps_mm=part) for branch, part in zip(self.branches, parts, strict=True)]
        return replace(self, branches=tuple(moved))

    def with_radii(self, radii_mm: NDArray[np.float64]) -> CentrelineTree:
        """Return the tree with its radii (sum N,) replaced."""
        ends = np.cumsum([len(branch.points_lps_mm) for branch in self.branches])[:-1]
        parts = np.split(np.asarray(radii_mm, dtype=float), ends)
        changed = [replace(branch, radii_mm=part) for branch, part in zip(self.branches, parts, strict=True)]
        return replace(self, branches=tuple(changed))
