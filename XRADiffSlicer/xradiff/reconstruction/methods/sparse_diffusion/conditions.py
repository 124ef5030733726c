"""A case, or several joined to a batch -> what the network is given: tables, and what the views tell, as tensors."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from .case import SparseCase
from .network import Conditions
from .tables import joined_indices, tables_of

__all__ = ["conditions_of", "conditions_of_case", "given_of"]

SIDE_NUMBERS = {"": 0, "auto": 0, "left": 1, "right": 2}


def conditions_of(batch: Mapping[str, Tensor], levels: int) -> Conditions:
    """Return what the network is given of a batch that `SparseExample.join` made; nothing is dropped."""
    counts = tuple(batch["counts"].tolist())
    indices = torch.split(batch["indices"], list(counts))
    joined, case = joined_indices(indices, levels)
    tables = tables_of(joined, case, levels)
    known = torch.ones(len(indices), device=joined.device)
    return Conditions(tables, batch["single"], batch["seen"], batch["rays"], batch["shared"], batch["side"], known)


def conditions_of_case(case: SparseCase, side: str, levels: int, device: str) -> Conditions:
    """Return what the network is given of one case."""
    given = {name: tensor.to(device) for name, tensor in given_of(case, side).items()}
    return conditions_of(given | {"counts": torch.tensor([len(case.voxels)])}, levels)


def given_of(case: SparseCase, side: str) -> dict[str, Tensor]:
    """Return the tensors of a case that `SparseExample` describes, by name."""
    return {
        "indices": torch.from_numpy(case.voxels.indices),
        "single": torch.from_numpy(case.features.single),
        "seen": torch.from_numpy(case.features.seen),
        "rays": torch.from_numpy(case.features.rays),
        "plane": torch.from_numpy(case.features.plane),
        "shared": torch.from_numpy(case.features.shared),
        "side": torch.tensor([SIDE_NUMBERS[side]]),
    }
