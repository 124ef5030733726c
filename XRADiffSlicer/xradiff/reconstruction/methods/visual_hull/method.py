"""The visual hull: place a grid from the masks, backproject each mask, intersect."""

from __future__ import annotations

import numpy as np

from ....datatypes import SparseVolume
from ....errors import InputError
from ....geometry import camera_of
from ....geometry.placement import grid_around
from ....progress import Progress, stage
from ....projection import MaskCone, backproject_masks
from ...interface import ReconstructionInputs, ReconstructionResult, check_separation
from .config import VisualHullConfig

__all__ = ["VisualHull"]


class VisualHull:
    """Intersection of the backprojections of all masks (XRA-Diff eq. 3; eq. 11 for more than two views)."""

    def reconstruct(
        self,
        inputs: ReconstructionInputs,
        config: VisualHullConfig,
        *,
        generator: np.random.Generator,
        progress: Progress,
    ) -> ReconstructionResult:
        """Return the soft or hard hull of the views' masks; uses no chance and no device.

        Raises:
            InputError: the views do not see a common space, their hull is empty, or it does not fit
                into memory.
        """
        warnings = check_separation(inputs.views)
        grid = grid_around(inputs.views, inputs.spacing_mm, config.tolerance_mm + inputs.spacing_mm)
        cones = [MaskCone.of(view.vessel_mask(), camera_of(view)) for view in inputs.views]
        volume = backproject_masks(cones, grid, config.tolerance_mm, stage(progress, 0.05, 1.0))
        inside = volume.values >= 0.5
        if not inside.any():
            raise InputError(
                f"the backprojected masks meet in no voxel of {inputs.spacing_mm:g} mm; check the geometry and the "
                f"order of the views, or raise tolerance_mm (now {config.tolerance_mm:g} mm)"
            )
        if config.output == "hard":
            hard = volume.where(inside)
            volume = SparseVolume(hard.grid, hard.indices, np.ones_like(hard.values))
        return ReconstructionResult(volume, warnings=warnings)
