"""`python -m xradiff frames`: XA runs in, the frame to use of each and the curves it was chosen by out."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from ..console import emit_json
from ..errors import InputError
from ..progress import Progress
from ..views import AngiogramRun, check_runs, read_run
from ..views.geometry_json import REQUIRED
from .frames import FrameChoice, choose_frames

__all__ = ["add_parser", "run"]

_CHOSEN_HERE = -1  # instead of a frame: the user has not chosen one


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command to argparse's `subparsers` and return its parser."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "frames", help="the frames of XA runs that show most contrast at the same heart phase"
    )
    add = parser.add_argument
    add(
        "--view", nargs="+", action="append", required=True, metavar=("RUN", "GEOMETRY"),
        help="XA DICOM file, and the geometry that it lacks (JSON file, or KEY=NUMBER,...)",
    )  # fmt: skip
    add(
        "--frame", type=int, action="append", default=[], metavar="N",
        help="a frame that is fixed, from 0, one --frame per --view; -1 to choose it",
    )  # fmt: skip
    add("--out", type=Path, metavar="JSON", help="also write frames, contrast curves, heart phases and times here")
    parser.set_defaults(command=run)
    return parser


def run(args: argparse.Namespace, progress: Progress) -> None:
    """Choose frames as `args` says; prints what was chosen.

    Raises:
        InputError: a run cannot be used, runs do not belong together, or the file cannot be written.
        Cancelled: from `progress`.
    """
    if args.frame and len(args.frame) != len(args.view):
        raise InputError(f"give one --frame for each --view, got {len(args.frame)} for {len(args.view)} views")
    progress(0.0, "reading the runs")
    runs = [_read(files, index) for index, files in enumerate(args.view)]
    for source in runs:
        source.frame(0)  # pictures that are no runs, and pixels that cannot be decoded, before anything else
    progress(0.2, "choosing frames")
    wanted = args.frame or [_CHOSEN_HERE] * len(runs)
    choices = choose_frames(runs, [None if frame == _CHOSEN_HERE else frame for frame in wanted])
    notes = [*(note for source in runs for note in source.notes), *_together(runs, choices)]
    if args.out is not None:
        _write(args.out, {"runs": [_facts(*pair) for pair in zip(runs, choices, strict=True)], "notes": notes})
    progress(1.0, "chosen")
    if args.progress == "json":
        emit_json("result", frames=[choice.frame for choice in choices], notes=notes)
        return
    for source, choice in zip(runs, choices, strict=True):
        print(f"{source.name}: frame {choice.frame} of {len(source)}: {choice.reason}")
    for note in notes:
        print(f"note: {note}")


def _read(files: list[str], index: int) -> AngiogramRun:
    if len(files) > 2:
        raise InputError(f"--view takes a run and its geometry, got {len(files)} values: {' '.join(files)}")
    return read_run(*files, name=f"view {index}")


def _together(runs: list[AngiogramRun], choices: tuple[FrameChoice, ...]) -> tuple[str, ...]:
    """Return notes on runs that belong together; only their patients are compared where geometry is missing yet."""
    frames = [choice.frame for choice in choices]
    complete = all(set(REQUIRED) <= set(source.facts[frame]) for source, frame in zip(runs, frames, strict=True))
    if complete:
        return check_runs(runs, frames)
    if len({source.patient for source in runs if source.patient}) > 1:
        raise InputError("the runs belong to two patients; choose runs of one patient")
    return ()


def _facts(source: AngiogramRun, choice: FrameChoice) -> dict[str, Any]:
    return {
        "frame": choice.frame,
        "reason": choice.reason,
        "curve": choice.curve.round(4).tolist(),
        "phases": None if choice.phases is None else choice.phases.round(4).tolist(),
        "phase_source": choice.phase_source,
        "times_ms": source.times_ms.round(3).tolist(),
    }


def _write(path: Path, content: dict[str, Any]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from None
