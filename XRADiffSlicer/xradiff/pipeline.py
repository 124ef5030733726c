"""The whole flow on one screen: views -> masks -> calibration -> reconstruction -> cleaning -> surface -> fit.

`reconstruct` computes, `save` writes the result folder. Stages are called left to right as they are
numbered; each one's folder says what it does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .calibration import CalibrationReport, Landmarks, calibrate
from .checks import check_choice, check_range
from .config import config_from, config_to_dict
from .datatypes import AngiogramView, SparseVolume, SurfaceMesh
from .devices import Device, choose_device
from .errors import InputError, MissingDependencyError
from .masks import SIDES, SideFinding, find_side, with_masks
from .postprocess import PostprocessConfig, postprocess, surface_field
from .progress import Progress, silent, stage
from .provenance import Stopwatch, describe_view, machine, now, versions
from .quantification import ReprojectionFit, VolumeSummary, reprojection_fit, shares_with_counterpart, summarise
from .reconstruction.chosen_weights import weights_notes
from .reconstruction.interface import ReconstructionInputs, check_separation
from .reconstruction.registry import chosen_method, config_class, load_method
from .reconstruction.segment_of_interest import MarkedPoints, VesselOfInterest, restrict_to_vessel
from .reconstruction.spec import MethodSpec
from .surface import surface_of
from .weights import WeightsFile

__all__ = ["Reconstruction", "reconstruct", "save"]

EXPLAINED = 0.9  # less coverage of a mask is worth a warning
LEFT_OUT = 0.03  # of a mask that could be explained and is not


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """A coronary tree and the evidence for it.

    Attributes:
        views: the views with masks (of the segment of interest, where one was marked) and calibrated geometry.
        calibration: what was corrected, and how sure that is.
        probability: as the method returned it.
        segmentation: the voxels that are vessel, after postprocessing (values are probabilities).
        surface: closed surface of the segmentation, LPS mm.
        fits: how the reprojected segmentation agrees with each mask.
        summary: size of the segmentation.
        warnings: what the user should look at or mind, one sentence each.
        method: the method's spec.
        settings: JSON-ready; all that a replay needs, the views as given among them.
        provenance: JSON-ready; versions, times, device.
        uncertainty: standard deviation of the probability over several samples, at its voxels; None without samples.
        samples: the probabilities of each of them, at the same voxels.
        side: what the masks say of the side, where that was asked for and could be found.
        segment: the segment of interest in each view, where one was marked.
        notes: what was used and done, one sentence each.
    """

    views: tuple[AngiogramView, ...]
    calibration: CalibrationReport
    probability: SparseVolume
    segmentation: SparseVolume
    surface: SurfaceMesh
    fits: tuple[ReprojectionFit, ...]
    summary: VolumeSummary
    warnings: tuple[str, ...]
    method: MethodSpec
    settings: dict[str, Any]
    provenance: dict[str, Any]
    uncertainty: SparseVolume | None = None
    side: SideFinding | None = None
    segment: tuple[VesselOfInterest, ...] = ()
    notes: tuple[str, ...] = ()
    samples: tuple[SparseVolume, ...] = ()


def reconstruct(
    views: Sequence[AngiogramView],
    method: str = "auto",
    *,
    settings: Mapping[str, object] | None = None,
    side: str = "auto",
    calibrate_mode: str = "auto",
    landmarks: Landmarks | None = None,
    segment_of_interest: MarkedPoints | None = None,
    spacing_mm: float = 0.5,
    device: str = "auto",
    seed: int = 0,
    progress: Progress = silent,
) -> Reconstruction:
    """Reconstruct the coronary tree seen in two or more views.

    Args:
        views: from `xradiff.views.read_view`; their pixels are vessel masks.
        method: a name of `xradiff.reconstruction.registry.METHODS`, or "auto" for the default.
        settings: settings of the method, and of the postprocessing as "postprocess.NAME".
        side: "left", "right", or "auto": found from the masks where the method has weights, unknown where unclear.
        calibrate_mode: "auto", "off", "shift" or "bundle"; see `xradiff.calibration.calibrate`.
        landmarks: corresponding points for the calibration.
        segment_of_interest: start and end of a vessel in each view, (row, column) in px by view index; after the
            calibration all else is left out.
        spacing_mm: voxel spacing.
        device: "auto", "cpu" or "cuda".
        seed: of all chance.
        progress: told what is done; may raise Cancelled.

    Raises:
        InputError: views, geometry or settings that cannot work; says which and what is accepted.
        MissingDependencyError: a package, weights or device is missing.
        Cancelled: from `progress`.
    """
    spec, choice = chosen_method(method)
    check_choice("side", side, SIDES)
    check_range("voxel spacing", spacing_mm, 0.05, 20, unit="mm")
    check_range("seed", seed, 0, 2**63 - 1)
    own, cleaning = _split_settings(settings or {})
    config: Any = config_from(config_class(spec), own)
    postprocessing = config_from(PostprocessConfig, cleaning)
    chosen, watch = choose_device(device, "torch" in spec.needs), Stopwatch()

    progress(0.0, "checking the views")
    given = with_masks(views)
    found = _side_of(given) if side == "auto" and spec.weights else None
    told = (*choice, *check_separation(given), *([found.note] if found and found.side == "auto" else []))
    with watch.measure("calibration"):
        calibration = calibrate(given, mode=calibrate_mode, landmarks=landmarks, progress=stage(progress, 0.0, 0.3))
    seen, segment = _of_interest(calibration, segment_of_interest)
    side_used = found.side if found else side
    inputs = ReconstructionInputs(seen, spacing_mm, side_used, chosen.name, calibration.tolerance_mm)
    with watch.measure("reconstruction"):
        result = load_method(spec).reconstruct(
            inputs, config, generator=np.random.default_rng(seed), progress=stage(progress, 0.3, 0.7)
        )
    with watch.measure("postprocessing"):
        segmentation = postprocess(result.volume, postprocessing, stage(progress, 0.7, 0.8))
    if len(segmentation.indices) == 0:
        raise InputError("postprocessing left no voxel; lower its threshold or its minimum component size")
    with watch.measure("surface"):
        surface = surface_of(surface_field(result.volume, segmentation), progress=stage(progress, 0.8, 0.9))
    with watch.measure("reprojection"):
        fits = tuple(reprojection_fit(view, segmentation) for view in seen)
    progress(1.0, "reconstructed")
    asked = {"side": side, "calibrate": calibrate_mode, "spacing_mm": spacing_mm, "device": device, "seed": seed}
    return Reconstruction(
        views=seen,
        calibration=calibration,
        probability=result.volume,
        segmentation=segmentation,
        surface=surface,
        fits=fits,
        summary=summarise(segmentation),
        warnings=_told(told, calibration.warnings, result.warnings, _poor_fits(fits, inputs)),
        method=spec,
        settings=asked | _replayable(config, postprocessing, given, landmarks) | _recorded(found, segment_of_interest),
        provenance=_provenance(watch, chosen, seed, [*filter(None, [result.weights]), *result.further_weights]),
        uncertainty=result.uncertainty,
        samples=result.samples,
        side=found,
        segment=segment,
        notes=_told(calibration.notes, [one.note for one in segment], weights_notes(result.weights), result.notes),
    )


def _side_of(views: Sequence[AngiogramView]) -> SideFinding | None:
    """Return what the masks say of the side; None where its network cannot be used here."""
    try:
        return find_side(views)
    except MissingDependencyError:
        return None


def _of_interest(
    calibration: CalibrationReport, marked: MarkedPoints | None
) -> tuple[tuple[AngiogramView, ...], tuple[VesselOfInterest, ...]]:
    """Return the calibrated views, with the marked segment alone where one was marked."""
    if marked is None:
        return calibration.views, ()
    return restrict_to_vessel(calibration.views, marked, calibration.tolerance_mm)


def _told(*notes: Sequence[str]) -> tuple[str, ...]:
    """Return all notes once, in their order."""
    return tuple(dict.fromkeys(note for each in notes for note in each))


def _recorded(found: SideFinding | None, marked: MarkedPoints | None) -> dict[str, Any]:
    """Return what the record holds of the side that was found and of the segment that was marked."""
    side = {} if found is None else {"side_found": found.record()}
    points = [{"view": view, "points_px": [list(point) for point in each]} for view, each in (marked or {}).items()]
    return side | {"segment_of_interest": points}


def _poor_fits(fits: Sequence[ReprojectionFit], inputs: ReconstructionInputs) -> list[str]:
    """A sentence for each view that the result does not explain, and whether any result could."""
    poor = [number for number, fit in enumerate(fits) if fit.coverage < EXPLAINED]
    reach_mm = max(inputs.tolerance_mm, inputs.spacing_mm / 2)  # masks of pixels disagree by half a voxel
    possible = shares_with_counterpart(inputs.views, reach_mm) if poor else ()
    sentences = []
    for number in poor:
        sentence = f"{fits[number].view_name}: the result explains only {fits[number].coverage:.0%} of the mask"
        if possible[number] < EXPLAINED:
            sentence += (
                f"; {1 - possible[number]:.0%} has no counterpart in the other views: the vessels lie outside of "
                "their images or masks there, geometry and masks do not belong together, or the patient moved"
            )
        if possible[number] - fits[number].coverage > LEFT_OUT:
            sentence += (
                f"; {possible[number]:.0%} has a counterpart in the other views: the method left vessels out, or its "
                "voxels are too coarse for them; see where the overlay shows them missing"
            )
        sentences.append(sentence)
    return sentences


def _replayable(
    config: object, postprocessing: PostprocessConfig, given: Sequence[AngiogramView], landmarks: Landmarks | None
) -> dict[str, Any]:
    """What `replay.py` needs beside the options: settings, and inputs by file and SHA-256."""
    return {
        "config": config_to_dict(config),
        "postprocess": config_to_dict(postprocessing),
        "views": [describe_view(view) for view in given],
        "landmarks": [asdict(file) for file in landmarks.files] if landmarks else [],
    }


def _provenance(watch: Stopwatch, device: Device, seed: int, weights: Sequence[WeightsFile]) -> dict[str, Any]:
    return {
        "date": now(),
        "times_s": watch.seconds,
        "device": f"{device.name} ({device.reason})",
        "machine": machine(),
        "seed": seed,
        "weights": {file.path.name: file.sha256 for file in weights},
        "versions": versions(),
    }


def save(
    result: Reconstruction,
    folder: str | Path,
    *,
    report: bool = True,
    command: str = "",
    progress: Progress = silent,
) -> tuple[Path, ...]:
    """Write the result folder (see `export`) and return its files.

    Args:
        result: from `reconstruct`.
        folder: written whole or not at all; an earlier result there is replaced.
        report: whether to make the HTML report and the renderings.
        command: the command line to name in the report.
        progress: may raise Cancelled; then nothing is written.

    Raises:
        InputError: the folder cannot be written or holds something else.
    """
    from .export import ResultFolderContent, write_result_folder

    content = ResultFolderContent(
        views=result.views,
        calibration=result.calibration.to_dict(),
        probability=result.probability,
        segmentation=result.segmentation,
        surface=result.surface,
        fits=result.fits,
        summary=result.summary,
        method_name=result.method.name,
        method_title=result.method.title,
        method_config=result.settings["config"],
        settings=result.settings,
        provenance=result.provenance | ({"command": command} if command else {}),
        warnings=result.warnings,
        notes=result.notes,
        uncertainty=result.uncertainty,
        samples=result.samples,
    )
    return write_result_folder(folder, content, progress, report=report)


def _split_settings(settings: Mapping[str, object]) -> tuple[dict[str, object], dict[str, object]]:
    """Settings of the method, and those of the postprocessing without their prefix."""
    prefix = "postprocess."
    own = {key: value for key, value in settings.items() if not key.startswith(prefix)}
    return own, {key[len(prefix) :]: value for key, value in settings.items() if key.startswith(prefix)}
