"""The whole flow on one screen: views -> masks -> calibration -> reconstruction -> cleaning -> surface -> fit.

`reconstruct` computes, `save` writes the result folder. Stages are called left to right as they are
numbered; each one's folder says what it does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .calibration import CalibrationReport, Landmarks, calibrate
from .checks import check_choice, check_range
from .datatypes import AngiogramView, SparseVolume, SurfaceMesh
from .devices import choose_device
from .masks import with_masks
from .postprocess import PostprocessConfig, postprocess
from .progress import Progress, silent, stage
from .provenance import Stopwatch, describe_view, machine, now, versions
from .quantification import ReprojectionFit, reprojection_fit
from .reconstruction.config import config_from, config_to_dict
from .reconstruction.interface import ReconstructionInputs, check_separation
from .reconstruction.registry import config_class, load_method, method_spec
from .surface import surface_of

__all__ = ["Reconstruction", "reconstruct", "save"]

SIDES = ("auto", "left", "right")


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """A coronary tree and the evidence for it.

    Attributes:
        views: the views with masks and calibrated geometry.
        calibration: what was corrected, and how sure that is.
        probability: as the method returned it.
        segmentation: the voxels that are vessel, after postprocessing (values are probabilities).
        surface: closed surface of the segmentation, LPS mm.
        fits: how the reprojected segmentation agrees with each mask.
        warnings: what the user should know, one sentence each.
        provenance: JSON-ready; a run can be repeated from it.
    """

    views: tuple[AngiogramView, ...]
    calibration: CalibrationReport
    probability: SparseVolume
    segmentation: SparseVolume
    surface: SurfaceMesh
    fits: tuple[ReprojectionFit, ...]
    warnings: tuple[str, ...]
    provenance: dict[str, Any]


def reconstruct(
    views: Sequence[AngiogramView],
    method: str = "visual_hull",
    *,
    settings: Mapping[str, object] | None = None,
    side: str = "auto",
    calibrate_mode: str = "auto",
    landmarks: Landmarks | None = None,
    spacing_mm: float = 0.5,
    device: str = "auto",
    seed: int = 0,
    progress: Progress = silent,
) -> Reconstruction:
    """Reconstruct the coronary tree seen in two or more views.

    Args:
        views: from `xradiff.views.read_view`; their pixels are vessel masks.
        method: a name of `xradiff.reconstruction.registry.METHODS`.
        settings: settings of the method, and of the postprocessing as "postprocess.NAME".
        side: "left", "right" or "auto".
        calibrate_mode: "auto", "off", "shift" or "bundle"; see `xradiff.calibration.calibrate`.
        landmarks: corresponding points for the calibration.
        spacing_mm: voxel spacing.
        device: "auto", "cpu" or "cuda".
        seed: of all chance.
        progress: told what is done; may raise Cancelled.

    Raises:
        InputError: views, geometry or settings that cannot work; says which and what is accepted.
        MissingDependencyError: a package, weights or device is missing.
        Cancelled: from `progress`.
    """
    spec = method_spec(method)
    check_choice("side", side, SIDES)
    check_range("voxel spacing", spacing_mm, 0.05, 20, unit="mm")
    own, cleaning = _split_settings(settings or {})
    config: Any = config_from(config_class(spec), own)
    postprocessing = config_from(PostprocessConfig, cleaning)
    chosen = choose_device(device, "torch" in spec.needs)
    watch = Stopwatch()

    progress(0.0, "checking the views")
    given = with_masks(views)
    warnings = check_separation(given)
    with watch.measure("calibration"):
        calibration = calibrate(given, mode=calibrate_mode, landmarks=landmarks, progress=stage(progress, 0.0, 0.3))
    inputs = ReconstructionInputs(calibration.views, spacing_mm, side, chosen.name)
    with watch.measure("reconstruction"):
        result = load_method(spec).reconstruct(
            inputs, config, generator=np.random.default_rng(seed), progress=stage(progress, 0.3, 0.7)
        )
    with watch.measure("postprocessing"):
        segmentation = postprocess(result.volume, postprocessing, stage(progress, 0.7, 0.8))
    with watch.measure("surface"):
        surface = surface_of(segmentation, progress=stage(progress, 0.8, 0.9))
    with watch.measure("reprojection"):
        fits = tuple(reprojection_fit(view, segmentation) for view in calibration.views)
    progress(1.0, "reconstructed")
    provenance = {
        "made": now(),
        "method": method,
        "title": spec.title,
        "settings": config_to_dict(config),
        "postprocess": config_to_dict(postprocessing),
        "side": side,
        "calibrate": calibrate_mode,
        "landmarks": [] if landmarks is None else [vars(file) for file in landmarks.files],
        "spacing_mm": spacing_mm,
        "seed": seed,
        "device": {"name": chosen.name, "reason": chosen.reason},
        "views": [describe_view(view) for view in given],
        "seconds": watch.seconds,
        "versions": versions(),
        "machine": machine(),
    }
    warnings = tuple(dict.fromkeys([*warnings, *calibration.notes, *result.notes]))
    return Reconstruction(
        calibration.views, calibration, result.volume, segmentation, surface, fits, warnings, provenance
    )


def _split_settings(settings: Mapping[str, object]) -> tuple[dict[str, object], dict[str, object]]:
    """Settings of the method, and those of the postprocessing without their prefix."""
    prefix = "postprocess."
    own = {key: value for key, value in settings.items() if not key.startswith(prefix)}
    return own, {key[len(prefix) :]: value for key, value in settings.items() if key.startswith(prefix)}
