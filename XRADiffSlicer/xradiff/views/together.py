"""Whether runs belong together: one patient, different angles, believable image sizes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise

import numpy as np

from ..errors import InputError
from .header_values import number_in
from .run import AngiogramRun

__all__ = ["check_runs"]

SAME_ANGLE_DEG = 5.0
_OTHER_FIELD = 1.8  # times the field of view stated: more than a square differs from the circle around it


def check_runs(runs: Sequence[AngiogramRun], frames: Sequence[int] | None = None) -> tuple[str, ...]:
    """Return what a user should know about `runs` that can be used together, one sentence each.

    Args:
        runs: the runs of one reconstruction.
        frames: the frame used of each; the middle ones when not given.

    Raises:
        InputError: two patients, two runs of the same angle, a run whose pixel spacing belongs to another image size,
            or missing geometry.
    """
    chosen = [len(run) // 2 for run in runs] if frames is None else frames
    for a, b in combinations(runs, 2):
        if a.patient and b.patient and a.patient != b.patient:
            raise InputError(f"{a.name} and {b.name} belong to two patients; choose runs of one patient")
    for run, frame in zip(runs, chosen, strict=True):
        _check_field(run, frame)
    poses = [run.acquisition(frame) for run, frame in zip(runs, chosen, strict=True)]
    for (a, first), (b, second) in combinations(list(zip(runs, poses, strict=True)), 2):
        turn = abs((first.primary_deg - second.primary_deg + 180) % 360 - 180)
        if max(turn, abs(first.secondary_deg - second.secondary_deg)) < SAME_ANGLE_DEG:
            raise InputError(
                f"{a.name} and {b.name} show the same angle (primary {first.primary_deg:g} and "
                f"{second.primary_deg:g} deg, secondary {first.secondary_deg:g} and {second.secondary_deg:g} deg); "
                f"choose runs at least {SAME_ANGLE_DEG:g} deg apart, better 25 deg or more"
            )
    return tuple(_notes(runs))


def _notes(runs: Sequence[AngiogramRun]) -> list[str]:
    notes = []
    if any(not run.patient for run in runs):
        notes.append("not every file names its patient; whether the runs belong to one patient was not checked")
    if len({run.study for run in runs if run.study}) > 1:
        notes.append("the runs come from several studies of the patient; the table may have moved between them")
    for a, b in pairwise(runs):
        if a.shape != b.shape:
            sizes = " and ".join(f"{run.shape[0]} x {run.shape[1]}" for run in (a, b))
            notes.append(f"{a.name} and {b.name} differ in resolution ({sizes}); each is used with its own spacing")
    return notes


def _check_field(run: AngiogramRun, frame: int) -> None:
    """A copy of other rows and columns that kept its pixel spacing would be reconstructed at the wrong size."""
    field = number_in(run.source.header, "FieldOfViewDimensions", frame)
    own = number_in(run.source.header, "ImagerPixelSpacing", frame)
    pitch = run.acquisition(frame).pixel_spacing_mm
    if field is None or own is None or not np.allclose(own, pitch):  # given by hand: then it is meant
        return
    stated = float(np.atleast_1d(field)[0])
    covered = run.shape[1] * pitch[1]
    if stated > 0 and not 1 / _OTHER_FIELD < covered / stated < _OTHER_FIELD:
        raise InputError(
            f"{run.name} has {run.shape[1]} columns of {pitch[1]:g} mm, {covered:.0f} mm in all, but the file states "
            f"a field of view of {stated:g} mm; was the image resampled? Give the spacing by hand"
        )
