"""Active voxels -> who is whose neighbour and whose child, at every level: built once a case, for all layers.

Tables hold row numbers into the features of a level. Where there is no voxel they hold the number of voxels,
the row of zeros that a layer appends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Level", "Tables", "joined_indices", "tables_of"]

KERNEL = 27
SLOTS = 8


@dataclass(frozen=True, eq=False)
class Level:
    """The voxels of one level.

    Attributes:
        neighbours: (N, 27) rows of the 3 x 3 x 3 voxels around each, itself in the middle (13).
        case: (N,) which case of the batch each belongs to, not falling.
        counts: voxels of each case.
        parent: (N,) rows of the next coarser level; empty at the coarsest.
        slot: (N,) place 0-7 within the parent.
        children: (M, 8) for each voxel of the next coarser level its children's rows here.
    """

    neighbours: Tensor
    case: Tensor
    counts: tuple[int, ...]
    parent: Tensor
    slot: Tensor
    children: Tensor

    def __len__(self) -> int:
        return len(self.case)


@dataclass(frozen=True, eq=False)
class Tables:
    """All levels, finest first."""

    levels: tuple[Level, ...]


def joined_indices(indices: Sequence[Tensor], levels: int) -> tuple[Tensor, Tensor]:
    """Return indices (sum N, 3) and case numbers (sum N,) of several cases in one lattice, far enough apart.

    Args:
        indices: (N, 3) of each case, not negative.
        levels: that tables will be made for; cases stay apart at all of them.
    """
    gap, start, moved = 2 ** (levels - 1), 0, []
    for one in indices:
        shift = torch.zeros(3, dtype=one.dtype, device=one.device)
        shift[0] = start
        moved.append(one + shift)
        start += -(-(int(one[:, 0].max()) + 1) // gap) * gap + 2 * gap
    cases = [torch.full((len(one),), number, device=one.device) for number, one in enumerate(indices)]
    return torch.cat(moved), torch.cat(cases)


def tables_of(indices: Tensor, case: Tensor, levels: int) -> Tables:
    """Return the tables of voxels (N, 3), each level of blocks twice as wide as the one before.

    Args:
        indices: not negative, no duplicates.
        case: (N,) case of each, not falling.
        levels: number of levels, 1 or more.
    """
    found = []
    indices = indices.long()
    for number in range(levels):
        neighbours, counts = _neighbours(indices), tuple(torch.bincount(case).tolist())
        if number == levels - 1:
            nothing = case.new_zeros(0, dtype=torch.long)
            found.append(Level(neighbours, case, counts, nothing, nothing, nothing.view(0, SLOTS)))
            break
        coarse, parent = _parents(indices)
        slot = ((indices % 2) * indices.new_tensor([4, 2, 1])).sum(1)
        children = indices.new_full((len(coarse), SLOTS), len(indices))
        children[parent, slot] = torch.arange(len(indices), device=indices.device)
        found.append(Level(neighbours, case, counts, parent, slot, children))
        case = torch.empty(len(coarse), dtype=case.dtype, device=case.device).index_copy_(0, parent, case)
        indices = coarse
    return Tables(tuple(found))


def _parents(indices: Tensor) -> tuple[Tensor, Tensor]:
    """Return the blocks (M, 3) of 2 x 2 x 2 in lexicographic order and each voxel's row among them."""
    blocks = indices // 2
    shape = (blocks.max(0).values + 1).tolist()
    keys = (blocks[:, 0] * shape[1] + blocks[:, 1]) * shape[2] + blocks[:, 2]
    unique, parent = torch.unique(keys, return_inverse=True)
    z = unique % shape[2]
    rest = unique // shape[2]
    return torch.stack([rest // shape[1], rest % shape[1], z], dim=1), parent


def _neighbours(indices: Tensor) -> Tensor:
    """Return (N, 27) rows, by a dense lattice with a border of one voxel."""
    count = len(indices)
    shape = (indices.max(0).values + 3).tolist()
    strides = indices.new_tensor([shape[1] * shape[2], shape[2], 1])
    place = ((indices + 1) * strides).sum(1)
    lattice = torch.full((shape[0] * shape[1] * shape[2],), count, dtype=torch.int32, device=indices.device)
    lattice[place] = torch.arange(count, dtype=torch.int32, device=indices.device)
    step = torch.arange(-1, 2, device=indices.device)
    offsets = torch.cartesian_prod(step, step, step) @ strides
    return lattice[place[:, None] + offsets].long()
