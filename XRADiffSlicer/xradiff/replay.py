"""Repeat a run from its run.json: same files (by SHA-256), same settings, same seed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from .calibration import Landmarks, read_landmarks
from .datatypes import AngiogramView, SegmentedFrame
from .errors import InputError
from .files import existing_file, identity_of
from .masks import segmented_view
from .pipeline import Reconstruction, reconstruct
from .progress import Progress, silent
from .views import read_run, read_view

__all__ = ["replay"]


def replay(run_file: str | Path, progress: Progress = silent) -> Reconstruction:
    """Return the reconstruction that `run_file` (a run.json) describes, computed again.

    A warning says so where the weights are not those of the run: then the result may differ.

    Raises:
        InputError: not a run.json, or an input file is missing or has changed since.
    """
    file = existing_file(run_file, "the run file")
    try:
        run = json.loads(file.read_text(encoding="utf-8"))
        given = run["settings"]
        views = [_view(entry) for entry in given["views"]]
        cleaning = {f"postprocess.{key}": value for key, value in given["postprocess"].items()}
        options: dict[str, Any] = {
            "settings": given["config"] | cleaning,
            "side": given["side"],
            "calibrate_mode": given["calibrate"],
            "landmarks": _landmarks(given["landmarks"]),
            "segment_of_interest": _marked(given.get("segment_of_interest")),
            "spacing_mm": given["spacing_mm"],
            "device": given["device"],
            "seed": given["seed"],
        }
        method = run["method"]["name"]
        weights = dict(run["provenance"].get("weights") or {})
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"not a run.json that can be replayed: {file} ({error!r})") from None
    result = reconstruct(views, method, **options, progress=progress)
    return replace(result, warnings=(*_other_weights(weights, result.provenance["weights"]), *result.warnings))


def _other_weights(then: dict[str, str], now: dict[str, str]) -> tuple[str, ...]:
    """Return a sentence where a run used other weights (name -> SHA-256) than its repetition; older runs name none."""
    if not then or sorted(then.values()) == sorted(now.values()):
        return ()
    old, new = (" and ".join(f"{n} (SHA-256 {digest[:12]})" for n, digest in each.items()) for each in (then, now))
    return (f"The run used the weights {old}, this repetition {new}: the result may differ.",)


def _view(entry: dict[str, Any]) -> AngiogramView:
    if not entry["files"]:
        raise InputError(f"{entry['name']} of this run was not read from a file; it cannot be replayed")
    image = _unchanged(entry["files"][0])
    if entry.get("segmented") is not None:
        run = read_run(image, entry["acquisition"], name=entry["name"])
        return segmented_view(run, entry["frame"], SegmentedFrame(**entry["segmented"]))
    return read_view(image, entry["acquisition"], name=entry["name"], frame=entry["frame"])


def _landmarks(files: list[dict[str, str]]) -> Landmarks | None:
    return read_landmarks(_unchanged(files[0])) if files else None


def _marked(points: list[dict[str, Any]] | None) -> dict[int, list[tuple[float, float]]] | None:
    """Return the marks of the segment of interest; None where none was marked."""
    return {each["view"]: [tuple(point) for point in each["points_px"]] for each in points} if points else None


def _unchanged(entry: dict[str, str]) -> Path:
    file = existing_file(entry["path"], "an input of the run")
    if identity_of(file).sha256 != entry["sha256"]:
        raise InputError(f"an input of the run has changed since (its SHA-256 differs): {file}")
    return file
