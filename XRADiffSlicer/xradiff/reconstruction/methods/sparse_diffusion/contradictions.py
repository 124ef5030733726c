"""A case whose masks the voxels explain badly -> which view does not belong to the others, in one sentence."""

from __future__ import annotations

from collections.abc import Sequence

from ....datatypes import AngiogramView
from ....errors import InputError
from ....geometry import camera_of
from ....projection import MaskCone
from .active import active_voxels
from .case import SparseCase, explained_share

__all__ = ["EXPLAINED", "contradictions"]

EXPLAINED = 0.9
"""Where less of a mask can be explained, the views contradict each other."""


def contradictions(case: SparseCase, views: Sequence[AngiogramView]) -> tuple[str, ...]:
    """Return a sentence where the voxels that all masks allow explain too little of a mask, else nothing.

    Of three or more views it names the one without which the others agree best. Two views cannot tell which of them is
    wrong, and an error that leaves the masks matching plane by plane shows nowhere.
    """
    if min(case.explained) >= EXPLAINED:
        return ()
    shares = " and ".join(f"{share:.0%} of {view.name}" for share, view in zip(case.explained, views, strict=True))
    found = f"with {case.tolerance_mm:g} mm of tolerance what all masks allow explains only {shares}"
    if len(views) == 2:
        first, second = (view.name for view in views)
        return (f"{first} and {second} contradict each other: {found}; check geometry and mask of both.",)
    agreement = [_agreement(case, [*views[:number], *views[number + 1 :]]) for number in range(len(views))]
    best = max(agreement)
    if best < EXPLAINED:
        return (f"The views contradict each other: {found}; leaving out one does not help. Check all geometries.",)
    name = views[agreement.index(best)].name
    told = f"without it the others explain at least {best:.0%} of their masks; {found}"
    return (f"{name} contradicts the others: {told}; check its geometry and mask.",)


def _agreement(case: SparseCase, views: Sequence[AngiogramView]) -> float:
    """Return the share of the least explained mask where these views alone are asked; 0 where they do not meet."""
    cones = [MaskCone.of(view.vessel_mask(), camera_of(view)) for view in views]
    try:
        voxels = active_voxels(views, cones, case.voxels.fine.spacing_mm[0], case.tolerance_mm)
    except InputError:
        return 0.0
    return min(explained_share(voxels, cone) for cone in cones)
