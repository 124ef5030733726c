"""What goes into a result folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..datatypes import AngiogramView, SparseVolume, SurfaceMesh
from ..errors import InputError
from ..quantification import ReprojectionFit, VolumeSummary

__all__ = ["DISCLAIMER", "ResultFolderContent"]

DISCLAIMER = "Research use only, not a medical device."


@dataclass(frozen=True, eq=False)
class ResultFolderContent:
    """Everything one run found out. Mappings hold what JSON can (numpy numbers and dataclasses too).

    Attributes:
        views: the views as used, after calibration, with masks.
        calibration: `CalibrationReport.to_dict()`; all keys optional: mode, corrections (one
            mapping a view), consistency_before, consistency_after, curve {tau_mm, score},
            undetermined, notes; other keys are shown as they are. Empty: not calibrated.
        probability: soft volume that the method returned.
        segmentation: voxels of the vessels, on the same grid; values do not matter.
        surface: their surface.
        fits: reprojection fits, one a view, in the views' order.
        summary: size of the segmentation.
        method_name: registry name of the method.
        method_title: its name for people.
        method_config: its settings.
        settings: further settings that a replay needs (grid, postprocessing, side, ...).
        provenance: for example versions {name: version}, times_s {step: s}, device, seed, command, date.
        warnings: one sentence each, shown on top of the report.
        notes: what was used and done, one sentence each.
        uncertainty: standard deviation over the method's samples, at the voxels of `probability`; None without.
        samples: the probabilities of each of them, at the same voxels.

    Raises:
        InputError: the segmentation is empty, or parts do not belong together.
    """

    views: tuple[AngiogramView, ...]
    calibration: Mapping[str, object]
    probability: SparseVolume
    segmentation: SparseVolume
    surface: SurfaceMesh
    fits: tuple[ReprojectionFit, ...]
    summary: VolumeSummary
    method_name: str
    method_title: str
    method_config: Mapping[str, object]
    settings: Mapping[str, object] = field(default_factory=dict)
    provenance: Mapping[str, object] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    uncertainty: SparseVolume | None = None
    notes: tuple[str, ...] = ()
    samples: tuple[SparseVolume, ...] = ()

    def __post_init__(self) -> None:
        if len(self.segmentation.indices) == 0:
            raise InputError(
                "the result is empty (no voxel belongs to a vessel in all views); nothing was written. "
                "Check that masks and geometry belong together, or raise the tolerance"
            )
        if len(self.surface.triangles) == 0:
            raise InputError("the result has no surface; nothing was written")
        if len(self.fits) != len(self.views):
            raise InputError(f"{len(self.views)} views need as many reprojection fits, got {len(self.fits)}")
        if self.probability.grid != self.segmentation.grid:
            raise InputError("probability and segmentation must lie on the same grid")
        if self.uncertainty is not None and self.uncertainty.grid != self.probability.grid:
            raise InputError("probability and uncertainty must lie on the same grid")
        if any(sample.grid != self.probability.grid for sample in self.samples):
            raise InputError("probability and samples must lie on the same grid")
        for view in self.views:
            view.vessel_mask()
