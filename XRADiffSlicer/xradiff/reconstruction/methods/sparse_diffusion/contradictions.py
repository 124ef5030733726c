"""A case whose masks the voxels explain badly -> which view does not belong to the others, in one sentence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ....datatypes import AngiogramView, SparseVolume
from ....errors import InputError
from ....geometry import camera_of
from ....geometry.placement import common_space
from ....projection import MaskCone, silhouette, views_that_tell
from .active import ActiveVoxels, active_voxels
from .case import SparseCase

__all__ = ["EXPLAINED", "contradictions"]

EXPLAINED = 0.9
"""Where less of a mask can be explained, the views contradict each other."""
ALIKE = 0.03
"""Where leaving out one view or another makes the rest agree nearly as well, all of them are named."""
DEPTHS = 16
"""At so many places along a pixel's ray is looked whether all views tell of it."""
ENOUGH = 10_000
"""Pixels of a mask that are looked at, about."""
JUDGED = 0.1
"""Where of a smaller share of a mask can be judged, nothing is said of it."""


def contradictions(case: SparseCase, views: Sequence[AngiogramView]) -> tuple[str, ...]:
    """Return a sentence where the voxels that all masks allow explain too little of a mask, else nothing.

    Of three or more views it names the one without which the others agree best, or all of which that holds alike. Two
    views cannot tell which of them is wrong, and an error that leaves the masks matching plane by plane shows nowhere.
    """
    explained = _explained(case.allowed, views, case.tolerance_mm)
    if min(explained) >= EXPLAINED:
        return ()
    shares = " and ".join(f"{share:.0%} of {view.name}" for share, view in zip(explained, views, strict=True))
    found = f"with {case.tolerance_mm:g} mm of tolerance what all masks allow explains only {shares}"
    if len(views) == 2:
        first, second = (view.name for view in views)
        return (f"{first} and {second} contradict each other: {found}; check geometry and mask of both.",)
    agreement = [_agreement(case, [*views[:number], *views[number + 1 :]]) for number in range(len(views))]
    best = max(agreement)
    if best < EXPLAINED:
        return (f"The views contradict each other: {found}; leaving out one does not help. Check all geometries.",)
    suspects = [view.name for view, share in zip(views, agreement, strict=True) if share > best - ALIKE]
    if len(suspects) > 1:
        rest = f"without it the others explain {best - ALIKE:.0%} of their masks or more"
        named = f"any of {', '.join(suspects)} may be wrong: {rest}. Check geometry and mask of these."
        return (f"The views contradict each other: {found}; {named}",)
    told = f"without it the others explain at least {best:.0%} of their masks; {found}"
    return (f"{suspects[0]} contradicts the others: {told}; check its geometry and mask.",)


def _agreement(case: SparseCase, views: Sequence[AngiogramView]) -> float:
    """Return the share of the least explained mask where these views alone are asked; 0 where they do not meet."""
    cones = [MaskCone.of(view.vessel_mask(), camera_of(view)) for view in views]
    try:
        voxels = active_voxels(views, cones, case.voxels.fine.spacing_mm[0], case.tolerance_mm)
    except InputError:
        return 0.0
    return min(_explained(voxels, views, case.tolerance_mm))


def _explained(voxels: ActiveVoxels, views: Sequence[AngiogramView], tolerance_mm: float) -> list[float]:
    """Return the share of each mask's pixels that voxels cover of which all views tell.

    Pixels whose ray leaves what the other views tell of are left out: out there ghosts of two could explain them.
    """
    cones = [MaskCone.of(view.vessel_mask(), camera_of(view)) for view in views]
    told = views_that_tell(cones, voxels.centres_lps_mm(), tolerance_mm).all(axis=0)
    blocks = SparseVolume(voxels.grid, voxels.indices[told], np.ones(int(told.sum()), dtype=np.float32))
    reach = common_space(views, tolerance_mm + voxels.grid.spacing_mm[0])  # as `active_voxels` looked for them
    shares = []
    for cone in cones:
        pixels = np.argwhere(cone.distance_px < 0)
        pixels = pixels[:: 1 + len(pixels) // ENOUGH]
        judged = _judged(cone, cones, pixels, reach, tolerance_mm)
        covered = silhouette(blocks, cone.camera)[tuple(pixels[judged].T)]
        shares.append(float(covered.mean()) if judged.mean() >= JUDGED else 1.0)
    return shares


def _judged(
    cone: MaskCone,
    cones: Sequence[MaskCone],
    pixels: NDArray[np.int64],
    reach_lps_mm: NDArray[np.float64],
    tolerance_mm: float,
) -> NDArray[np.bool_]:
    """Return for which pixels (P, 2) of a view all views tell of the ray (P,), as far as the tree can reach."""
    camera = cone.camera
    depth = camera.depth(reach_lps_mm)
    rays = camera.ray_directions(pixels.astype(np.float64))
    rays /= (rays @ camera.d)[:, None]
    points = camera.source + rays[:, None] * np.linspace(depth.min(), depth.max(), DEPTHS)[:, None]
    told = views_that_tell(cones, points.reshape(-1, 3), tolerance_mm).all(axis=0)
    return np.asarray(told.reshape(len(pixels), DEPTHS).all(axis=1))
