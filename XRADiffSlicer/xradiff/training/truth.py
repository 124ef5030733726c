"""What is known of the true vessels, put on any grid: from a generated tree, or from a dataset's truth.nii.gz."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ..centreline_tree import CentrelineTree
from ..datatypes import SparseVolume, VolumeGrid
from ..errors import InputError
from ..files import existing_file
from ..synthetic.tubes import occupancy, tubes_of

__all__ = ["TreeTruth", "VolumeTruth", "read_truth"]

PARTS = 2
"""A voxel's share is counted on PARTS^3 points spread evenly in it."""


@dataclass(frozen=True, eq=False)
class TreeTruth:
    """The lumen of a tree: its tubes, exactly; see `VesselTruth`."""

    tree: CentrelineTree
    exact_masks: bool | None = None

    @property
    def side(self) -> str:
        """Of the tree."""
        return self.tree.side

    def voxels(self, grid: VolumeGrid) -> SparseVolume:
        """Return the voxels whose centre lies in a vessel."""
        return occupancy(tubes_of(self.tree), grid)

    def occupancy(self, grid: VolumeGrid) -> NDArray[np.float32]:
        """Return the share of each voxel (nx, ny, nz), 0 to 1, that lies in a vessel."""
        fine = grid.divided(PARTS)
        inside = np.zeros(fine.shape, dtype=np.float32)
        inside[tuple(occupancy(tubes_of(self.tree), fine).indices.T)] = 1
        return _shares(inside)


@dataclass(frozen=True, eq=False)
class VolumeTruth:
    """A binary volume, as stored; outside it there is no vessel.

    Attributes:
        inside: (nx, ny, nz).
        to_index: (3, 4), LPS mm (x, y, z, 1) -> voxel index.
        side: "left", "right" or "".
        exact_masks: see `VesselTruth`.
    """

    inside: NDArray[np.bool_]
    to_index: NDArray[np.float64]
    side: str = ""
    exact_masks: bool | None = None

    def voxels(self, grid: VolumeGrid) -> SparseVolume:
        """Return the voxels whose centre lies in a vessel voxel; looks only where there are any."""
        first, last = self._reach(grid)
        found = [np.zeros((0, 3), dtype=np.int64)]
        for x in range(first[0], last[0]):
            y, z = np.meshgrid(range(first[1], last[1]), range(first[2], last[2]), indexing="ij")
            slab = np.stack([np.full_like(y, x), y, z], axis=-1).reshape(-1, 3)
            found.append(slab[self._at(grid.centres(slab))])
        indices = np.concatenate(found).astype(np.int32)
        return SparseVolume(grid, indices, np.ones(len(indices), dtype=np.float32))

    def _reach(self, grid: VolumeGrid) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return first and last + 1 indices (3,) in `grid` of the box that holds all vessel voxels."""
        filled = np.argwhere(self.inside)
        low, high = filled.min(axis=0) - 0.5, filled.max(axis=0) + 0.5
        corners = np.stack(np.meshgrid(*zip(low, high, strict=True), indexing="ij"), axis=-1).reshape(-1, 3)
        linear = self.to_index[:, :3]
        there = grid.indices((corners - self.to_index[:, 3]) @ np.linalg.inv(linear).T)
        first = np.clip(np.floor(there.min(axis=0)), 0, grid.shape).astype(np.int64)
        return first, np.clip(np.ceil(there.max(axis=0)) + 1, first, grid.shape).astype(np.int64)

    def _at(self, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return whether points (..., 3) in LPS mm lie in a vessel voxel."""
        index = np.rint(points @ self.to_index[:, :3].T + self.to_index[:, 3]).astype(np.int64)
        known = ((index >= 0) & (index < self.inside.shape)).all(axis=-1)
        answer = np.zeros(known.shape, dtype=np.bool_)
        answer[known] = self.inside[tuple(index[known].T)]
        return answer

    def occupancy(self, grid: VolumeGrid) -> NDArray[np.float32]:
        """Return the share of each voxel (nx, ny, nz), 0 to 1, that lies in a vessel voxel."""
        fine = grid.divided(PARTS)
        points = fine.centres(np.moveaxis(np.indices(fine.shape), 0, -1))
        return _shares(self._at(points).astype(np.float32))


def read_truth(path: Path, side: str = "") -> VolumeTruth:
    """Read a label volume (any format of SimpleITK, which states positions in LPS); what is not 0 is vessel.

    Args:
        path: of the file.
        side: of the tree in it, where it is known.

    Raises:
        InputError: missing, not a 3D volume, or without any vessel.
    """
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        image = sitk.ReadImage(str(existing_file(path, "the truth")))
    except RuntimeError:
        raise InputError(f"not a volume that can be read: {path}; expected is the truth.nii.gz of a dataset") from None
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise InputError(f"a 3D volume with one value a voxel is needed: {path}")
    voxels = sitk.GetArrayFromImage(image).T != 0
    if not voxels.any():
        raise InputError(f"the truth holds no vessel: {path}")
    turn = np.reshape(image.GetDirection(), (3, 3)) * np.asarray(image.GetSpacing())
    inverse = np.linalg.inv(turn)
    return VolumeTruth(voxels, np.column_stack([inverse, -inverse @ np.asarray(image.GetOrigin())]), side)


def _shares(inside: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean over each block of PARTS^3."""
    x, y, z = (count // PARTS for count in inside.shape)
    mean: NDArray[np.float32] = inside.reshape(x, PARTS, y, PARTS, z, PARTS).mean(axis=(1, 3, 5))
    return mean
