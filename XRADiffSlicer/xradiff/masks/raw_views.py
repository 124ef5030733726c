"""What the user gives (mask images, XA files) -> views; grey runs are segmented in frames chosen together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

import numpy as np

from ..datatypes import AngiogramView, SegmentedFrame
from ..errors import InputError
from ..files import existing_file
from ..progress import Progress, silent
from ..views import AngiogramRun, check_runs, read_run, read_view, view_of
from ..views.dicom_file import is_dicom
from .config import SegmentationConfig
from .frames import choose_frames
from .segmentation import segment_frame, settled

__all__ = ["read_views", "segmented_view"]

_LEVELS = 2  # grey values of a mask stored as DICOM


def read_views(
    given: Sequence[Sequence[str]],
    frames: Sequence[int] = (),
    config: SegmentationConfig | None = None,
    progress: Progress = silent,
) -> tuple[AngiogramView, ...]:
    """Return one view for each entry of `given`.

    Args:
        given: an image or XA file, and its geometry where it needs one or is to be corrected.
        frames: frame of each run, or nothing: then they are chosen, see `choose_frames`.
        config: settings of the segmentation of grey runs.
        progress: told what is done; may raise Cancelled.

    Raises:
        InputError: a file that cannot be used, runs that do not belong together, no contrast agent, no vessel.
        MissingDependencyError: the network is asked for, and torch or its weights are missing.
        Cancelled: from `progress`.
    """
    if frames and len(frames) != len(given):
        raise InputError(f"give one --frame for each --view, got {len(frames)} for {len(given)} views")
    for files in given:
        if len(files) > 2:
            raise InputError(f"--view takes an image and its geometry, got {len(files)} values: {' '.join(files)}")
    progress(0.0, "reading the views")
    wanted: list[int | None] = list(frames) if frames else [None] * len(given)
    read = [
        _read(files, f"view {index}", frame) for index, (files, frame) in enumerate(zip(given, wanted, strict=True))
    ]
    runs = [one for one in read if isinstance(one, AngiogramRun)]
    if not runs:
        return tuple(one for one in read if isinstance(one, AngiogramView))
    own = [frame for one, frame in zip(read, wanted, strict=True) if one in runs]
    made = iter(_segmented(runs, own, config or SegmentationConfig(), progress))
    views = tuple(next(made) if isinstance(one, AngiogramRun) else one for one in read)
    progress(1.0, "segmented")
    return views


def segmented_view(run: AngiogramRun, frame: int, how: SegmentedFrame) -> AngiogramView:
    """Return a frame of a run as a view with its vessel mask, made as `how` says.

    Raises:
        InputError: see `segment_frame`.
    """
    config = SegmentationConfig(**how.settings)
    found = segment_frame(run, frame, config, curve=how.curve)
    view = view_of(run, frame)
    return replace(view, mask=found.mask, segmented=how, notes=(*view.notes, *found.notes))


def _read(files: Sequence[str], name: str, frame: int | None) -> AngiogramView | AngiogramRun:
    """Return the view of an image or of a DICOM that is a mask, else the run."""
    if not is_dicom(existing_file(files[0], f"the image of {name}")):
        return read_view(*files, name=name)
    run = read_run(*files, name=name)
    if len(run) == 1 and len(np.unique(run.frame(0))) <= _LEVELS:
        return read_view(*files, name=name, frame=frame)
    return run


def _segmented(
    runs: Sequence[AngiogramRun], wanted: Sequence[int | None], config: SegmentationConfig, progress: Progress
) -> list[AngiogramView]:
    for run in runs:
        run.frame(0)  # pictures that are no runs, and pixels that cannot be decoded, before anything else
    notes = check_runs(runs, [run.check_frame(frame or 0) for run, frame in zip(runs, wanted, strict=True)])
    progress(0.1, "choosing frames")
    choices = choose_frames(runs, wanted)
    notes = notes if all(frame is not None for frame in wanted) else check_runs(runs, [c.frame for c in choices])
    config, why = settled(config)
    settings = asdict(config)
    views = []
    for number, (run, choice) in enumerate(zip(runs, choices, strict=True)):
        progress(0.5 + 0.5 * number / len(runs), f"segmenting frame {choice.frame} of {run.name}")
        how = SegmentedFrame(choice.reason, tuple(choice.curve.tolist()), tuple(run.times_ms.tolist()), settings)
        views.append(segmented_view(run, choice.frame, how))
    views[0] = replace(views[0], notes=(*views[0].notes, *why, *notes))
    return views
