"""How much of each mask the other views can explain at all, whatever the method: the vessels that they show, too."""

from __future__ import annotations

from collections.abc import Sequence

from ..datatypes import AngiogramView
from ..errors import InputError
from ..geometry import camera_of
from ..geometry.placement import grid_around
from ..projection import MaskCone, backproject_masks, silhouette

__all__ = ["shares_with_counterpart"]

SPACING_MM = 1.0
UNKNOWN = float("nan")


def shares_with_counterpart(views: Sequence[AngiogramView], tolerance_mm: float) -> tuple[float, ...]:
    """Return for each view the share (0 to 1) of its mask's pixels on whose ray lies a point that the masks allow.

    Such a point projects onto the mask of every view that tells of it (`backproject_masks`), to half a millimetre.
    What is left over has no counterpart. Not a number where nothing can be said: the views see no common space, or the
    masks allow too much for the memory.

    Args:
        views: calibrated, with masks that hold a vessel.
        tolerance_mm: by how much the masks may disagree.
    """
    cones = [MaskCone.of(view.vessel_mask(), camera_of(view)) for view in views]
    try:
        grid = grid_around(views, SPACING_MM, tolerance_mm + SPACING_MM)
        allowed = backproject_masks(cones, grid, tolerance_mm)
    except InputError:
        return (UNKNOWN,) * len(views)
    return tuple(float(silhouette(allowed, cone.camera)[cone.distance_px < 0].mean()) for cone in cones)
