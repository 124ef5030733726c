"""Files between Slicer and the worker process: views and truth out, contents of the nodes in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .Contents import TRUTH_FILE, Contents, readContents
from .NodeConversion import ijkToRasOf
from .WorkerMain import CONTENTS_FOLDER

if TYPE_CHECKING:
    from xradiff.datatypes import AngiogramView


def exportViews(views: Sequence[AngiogramView], folder: Path) -> list[tuple[Path, Path]]:
    """Write the mask (the image where it has none) and the geometry of each view into `folder`; return both paths."""
    import SimpleITK as sitk

    files = []
    for index, view in enumerate(views):
        image = view.pixels if view.mask is None else view.mask.astype(np.uint8) * np.uint8(255)
        pixels = np.ascontiguousarray(image)
        suffix = ".png" if pixels.dtype in (np.uint8, np.uint16) else ".nrrd"
        path, geometry = folder / f"view{index}{suffix}", folder / f"view{index}.json"
        sitk.WriteImage(sitk.GetImageFromArray(pixels), str(path))
        taken = view.acquisition
        facts = {
            "primary_deg": taken.primary_deg,
            "secondary_deg": taken.secondary_deg,
            "sid_mm": taken.sid_mm,
            "sod_mm": taken.sod_mm,
            "pixel_spacing_mm": list(taken.pixel_spacing_mm),
            "roll_deg": taken.roll_deg,
            "detector_offset_mm": list(taken.detector_offset_mm),
            "table_shift_mm": list(taken.table_shift_mm),
        }
        geometry.write_text(json.dumps(facts, indent=1), encoding="ascii")
        files.append((path, geometry))
    return files


def workerArguments(
    files: Sequence[tuple[Path, Path]],
    result: Path,
    *,
    method: str = "auto",
    settings: Mapping[str, object] | None = None,
    side: str = "auto",
    calibrate: bool = True,
    spacingMm: float = 0.5,
    device: str = "auto",
    seed: int = 0,
    segmentOfInterest: Mapping[int, Sequence[tuple[float, float]]] | None = None,
) -> list[str]:
    """Return the arguments after `python -m xradiff` that reconstruct `files` into `result`.

    The options are those of `Logic.reconstruct`.
    """
    arguments = ["reconstruct", "--progress", "json", "--out", str(result)]
    for image, geometry in files:
        arguments += ["--view", str(image), str(geometry)]
    arguments += ["--method", method, "--side", side, "--calibrate", "auto" if calibrate else "off"]
    arguments += ["--spacing-mm", f"{spacingMm:g}", "--device", device, "--seed", str(seed)]
    for key, value in (settings or {}).items():
        arguments += ["--set", f"{key}={value}"]
    for view, points in (segmentOfInterest or {}).items():
        arguments += ["--segment-of-interest", str(view), *(f"{row:.2f},{column:.2f}" for row, column in points)]
    return arguments


def syntheticArguments(folder: Path, seed: int, options: Mapping[str, Any]) -> list[str]:
    """Return the arguments after `python -m xradiff` that write one synthetic case into the dataset `folder`.

    :param options: fields of `xradiff.synthetic.case.CaseOptions`, which the command line calls the same.
    """
    arguments = ["synthesize", "--progress", "json", "--out", str(folder), "--cases", "1", "--seed", str(seed)]
    for name, value in options.items():
        arguments += [f"--{name.replace('_', '-')}", str(value)]
    return arguments


def exportTruth(truth: Any, folder: Path) -> None:
    """Write the label map volume of a synthetic case for the worker, which compares the result with it."""
    import slicer

    voxels = np.asarray(slicer.util.arrayFromVolume(truth))
    np.savez(folder / TRUTH_FILE, voxels=voxels, ijkToRas=ijkToRasOf(truth))


def readResult(folder: Path, views: Sequence[AngiogramView]) -> Contents:
    """Read what the worker left in `folder`; names and frames of `views`, which its files do not hold, come from here.

    :raises OSError, KeyError or ValueError: a file is missing or not as it should be.
    """
    contents = readContents(folder / CONTENTS_FOLDER)
    for fit, found, view in zip(contents.facts["fits"], contents.facts["views"], views, strict=True):
        fit["view_name"] = found["name"] = view.name
        found["frame"] = view.frame
    return contents
