"""One job: reconstruct a case with one method and setting, compare with what is known of it, write one JSON file."""

from __future__ import annotations

import math
import time
import traceback
import zlib
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..datatypes import AngiogramView
from ..errors import Cancelled, InputError
from ..geometry import camera_of
from ..pipeline import Reconstruction, reconstruct
from ..postprocess import surface_field
from ..provenance import machine, now, versions
from ..quantification import Correspondences, Metric, compare, compare_with_views
from .cases import Case, read_case
from .cost import PeakMemory
from .jobs import Job, read_jobs, write_json
from .motion import PixelMap, with_image_motion
from .settings import RunOptions
from .weights import used_weights

__all__ = ["RECORD_KIND", "RUNS", "evaluate", "run_numbered"]

RECORD_KIND = "xradiff benchmark run"
RUNS = "runs"
"""Folder of the result files beside the plan."""


def run_numbered(plan: str, digest: str, number: int) -> None:
    """Do job `number` of the file `plan` and write its result; what a worker is given.

    Args:
        plan: file that holds the jobs, on a disk that all workers see.
        digest: of its content, so that a worker that lives on reads a changed plan again.
        number: which job.

    Raises:
        OSError: the result cannot be written.
    """
    job = _jobs(plan, digest)[number]
    write_json(Path(plan).parent / RUNS / job.file_name, evaluate(job))


@lru_cache(maxsize=2)
def _jobs(plan: str, digest: str) -> tuple[Job, ...]:
    return read_jobs(Path(plan))


def evaluate(job: Job) -> dict[str, Any]:
    """Return the record of a job, JSON-ready: metrics, or why the method failed on this case.

    Whatever a method raises is the result of this job and ends no other job.

    Raises:
        Cancelled: as it comes.
    """
    record: dict[str, Any] = {
        "kind": RECORD_KIND,
        "key": job.key,
        "case": job.case,
        "side": job.side,
        "method": job.method,
        "options": job.options,
        "values": job.values,
        "weights": job.weights,
        "weights_sha256": job.weights_sha256,
        "seed": job.seed,
        "date": now(),
        "machine": machine(),
        "versions": versions(),
    }
    try:
        metrics, notes = _measured(job)
    except Cancelled:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".strip()
        return record | {"failed": reason, "traceback": traceback.format_exc(), "metrics": [], "notes": []}
    return record | {"failed": "", "metrics": [_entry(metric) for metric in metrics], "notes": list(notes)}


def _entry(metric: Metric) -> dict[str, Any]:
    """JSON has no infinity; it is written as text."""
    value = metric.value if math.isfinite(metric.value) else str(metric.value)
    return {"name": metric.name, "value": value, "unit": metric.unit}


def _measured(job: Job) -> tuple[tuple[Metric, ...], tuple[str, ...]]:
    """Return the metrics of a job and the notes of its run."""
    case, options = read_case(Path(job.folder)), RunOptions(**job.options)
    if options.views > case.view_count:
        raise InputError(f"{case.name} has {case.view_count} views, views={options.views} was asked for")
    seed = [job.seed, zlib.crc32(case.name.encode())]
    every = case.views()
    used, pixel_map = with_image_motion(every[: options.views], options.motion, np.random.default_rng(seed))
    begin = time.perf_counter()
    with PeakMemory() as memory:
        result = reconstruct(
            used,
            job.method,
            settings=job.values,
            side=case.side,
            calibrate_mode=options.calibrate,
            spacing_mm=options.spacing_mm,
            device=options.device,
            seed=int(np.random.SeedSequence(seed).generate_state(1)[0]),
        )
    seconds = time.perf_counter() - begin
    _check_weights(job)
    true_views = _where_the_tree_was(case, every)
    held_out = true_views[options.views :]
    if not case.known:
        metrics = compare_with_views(result.segmentation, result.views, held_out)
    else:
        metrics = compare(
            surface_field(result.probability, result.segmentation),
            case.truth(),
            views=result.views,
            held_out=held_out,
            correspondences=_correspondences(case, true_views, result, pixel_map),
            align=case.moved or options.motion > 0,
        )
    cost = [
        Metric("seconds", seconds, "s"),
        Metric("method_seconds", float(result.provenance["times_s"]["reconstruction"]), "s"),
    ]
    if memory.megabytes is not None:
        cost.append(Metric("peak_memory_mb", memory.megabytes, "MB"))
    return (*metrics, *cost), (*result.notes, *result.warnings)


def _check_weights(job: Job) -> None:
    """Raise InputError where the weights are no longer those of the plan: a training may have written new ones."""
    found = used_weights(job.method, job.values, job.side)
    if found.sha256 != job.weights_sha256:
        raise InputError(
            f"the weights {found.file} have changed since the benchmark began (SHA-256 {found.sha256[:12]}, planned "
            f"{job.weights_sha256[:12]}); run the same command again"
        )


def _where_the_tree_was(case: Case, views: tuple[AngiogramView, ...]) -> tuple[AngiogramView, ...]:
    """Return the views with the true displacement of the patient in their geometry."""
    return tuple(
        replace(view, acquisition=view.acquisition.shifted(shift))
        for view, shift in zip(views, case.shifts_lps_mm, strict=True)
    )


def _correspondences(
    case: Case, true_views: tuple[AngiogramView, ...], result: Reconstruction, pixel_map: PixelMap
) -> Correspondences | None:
    """Return where the true centreline lies in the first two images, None where that is not known."""
    points = None if case.deformed else case.centreline_points()
    if points is None:
        return None
    first, second = (camera_of(view) for view in true_views[:2])
    pixels_a, pixels_b = first.project(points), pixel_map(second.project(points))
    seen = np.all((pixels_a >= 0) & (pixels_a <= np.subtract(first.shape, 1)), axis=1)
    seen &= np.all((pixels_b >= 0) & (pixels_b <= np.subtract(second.shape, 1)), axis=1)
    if not seen.any():
        return None
    cameras = [camera_of(view) for view in result.views[:2]]
    return Correspondences(cameras[0], cameras[1], pixels_a[seen], pixels_b[seen])
