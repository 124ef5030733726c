"""Training examples of the method: a case with its truth, and how several are joined to a batch."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ....datatypes import AngiogramView, SparseVolume
from ...trainable import VesselTruth
from .active import LEAST_TOLERANCE_MM, ActiveVoxels, widened
from .answers import works_reduced
from .case import SparseCase, hull_values, prepare_case
from .coarse import CoarseStart
from .conditions import given_of

__all__ = ["SparseExample", "cropped"]

TOLERANCES_MM = (LEAST_TOLERANCE_MM, 0.5, 1.0)
TOLERANCE_SHARES = {None: (0.5, 0.25, 0.25), True: (0.8, 0.1, 0.1), False: (0.1, 0.35, 0.55)}
"""Tolerances that a network is trained with, and how often by `VesselTruth.exact_masks`: calibration states hardly any
for exact masks and 0.5 to 1 mm for others, so that the least means masks to be trusted."""
COARSE_TOLERANCES_MM = (0.0, 1.0, 2.0, 3.0)
"""The same of a coarse start, all alike."""


@dataclass(frozen=True)
class SparseExample:
    """Makes examples of N blocks seen from V views, with a tolerance drawn from the masks themselves.

    volume          (N, 8)          1 where the centre of a voxel lies in a vessel, else 0
    backprojection  (N, 8)          soft hull of the masks
    missed          (1,)            vessel voxels outside the blocks
    indices         (N, 3) int      of the blocks
    single, shared  (V, N, F), (N, G)  see `features`
    seen            (V, N)          1 where a view sees a block, else 0; views that only other cases of a batch have: 0
    rays            (V, N) int      which ray of the view a block lies on
    plane           (N,)            its epipolar plane
    side            (1,) int        0 unknown, 1 left, 2 right
    """

    spacing_mm: float
    truth_parts: int = 1
    start: str = ""

    def __call__(self, views: Sequence[AngiogramView], truth: VesselTruth) -> dict[str, Tensor]:
        chance = np.random.default_rng([zlib.crc32(view.vessel_mask().tobytes()) for view in views])
        if self.truth_parts == 1:
            tolerance_mm = float(chance.choice(TOLERANCES_MM, p=TOLERANCE_SHARES[truth.exact_masks]))
        else:
            tolerance_mm = widened(float(chance.choice(COARSE_TOLERANCES_MM)), self.spacing_mm)
        reduced = works_reduced("auto", "cpu")
        thinning = CoarseStart(views, tolerance_mm, self.start, "", "cpu", reduced, chance) if self.start else None
        return self.of(prepare_case(views, self.spacing_mm, tolerance_mm, thinning=thinning), truth)

    def of(self, case: SparseCase, truth: VesselTruth) -> dict[str, Tensor]:
        """Return the example of a case that is prepared."""
        parts = case.voxels.fine.divided(self.truth_parts)
        vessel, missed = _vessel(case.voxels, truth.voxels(parts), self.truth_parts)
        return given_of(case, truth.side) | {
            "volume": torch.from_numpy(vessel),
            "backprojection": torch.from_numpy(hull_values(case.features, self.spacing_mm)),
            "missed": torch.tensor([float(missed)]),
        }

    def join(self, examples: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
        """Put the blocks of all examples one after the other; "counts" says how many each has."""
        views = max(len(example["single"]) for example in examples)
        batch = {name: torch.cat([_padded(e[name], views) for e in examples], dim=1) for name in ("single", "seen")}
        first, rays = 0, []
        for example in examples:
            rays.append(_padded(example["rays"], views) + first)
            first = int(rays[-1].max()) + 1
        batch["rays"] = torch.cat(rays, dim=1)
        rows = [name for name in examples[0] if name not in batch]
        batch |= {name: torch.cat([example[name] for example in examples]) for name in rows}
        return batch | {"counts": torch.tensor([len(example["indices"]) for example in examples])}


def cropped(batch: Mapping[str, Tensor], most: int, generator: torch.Generator) -> dict[str, Tensor]:
    """Return a batch in which no case has more than `most` blocks.

    Of a larger case the blocks between two epipolar planes are left: every voxel keeps all rivals on its rays.
    """
    first, rows, counts = 0, [], []
    for count in batch["counts"].tolist():
        chosen = torch.arange(count)
        if count > most:
            start = int(torch.randint(count - most + 1, (1,), generator=generator))
            order = batch["plane"][first : first + count].argsort().cpu()
            chosen = order[start : start + most].sort().values
        rows.append(first + chosen)
        counts.append(len(chosen))
        first += count
    taken = torch.cat(rows).to(batch["indices"].device)
    of_views = {name: batch[name][:, taken] for name in ("single", "seen", "rays")}
    of_blocks = {name: batch[name][taken] for name in ("indices", "shared", "plane", "volume", "backprojection")}
    return dict(batch) | of_views | of_blocks | {"counts": torch.tensor(counts)}


def _padded(values: Tensor, views: int) -> Tensor:
    """Append zeros to (V, N, ...) up to `views`."""
    return torch.cat([values, values.new_zeros(views - len(values), *values.shape[1:])])


def _vessel(
    voxels: ActiveVoxels, truth: SparseVolume, parts: int
) -> tuple[np.ndarray[tuple[int, int], np.dtype[np.float32]], int]:
    """Return which children (N, 8) hold a voxel of `truth`, and how many vessel voxels are no child."""
    shape = voxels.fine.shape
    children = np.ravel_multi_index(tuple(voxels.children().reshape(-1, 3).T), shape)
    true = np.unique(np.ravel_multi_index(tuple(truth.indices.T // parts), shape))
    vessel = np.isin(children, true, assume_unique=True).astype(np.float32).reshape(-1, 8)
    return vessel, len(true) - int(vessel.sum())
