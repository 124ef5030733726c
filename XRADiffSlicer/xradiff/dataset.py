"""Datasets of synthetic cases on disk: `python -m xradiff synthesize`.

A dataset is a folder with dataset.json (options and seed) and one folder a case. A case depends only
on the options, the seed and its number, and its folder appears whole or not at all, so a dataset that
was interrupted goes on where it stopped, with any number of workers.
"""

from __future__ import annotations

import json
import shutil
import uuid
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from . import __version__
from .checks import check_range
from .datatypes import AngiogramView, SparseVolume
from .engine import run_jobs
from .errors import Cancelled, InputError
from .progress import Progress, silent
from .synthetic.acquisition import SimulatedRun, write_xa
from .synthetic.case import CaseOptions, SyntheticCase, draw_case

__all__ = ["DatasetReport", "case_folder", "read_dataset", "synthesize", "write_case"]

KIND = "xradiff dataset"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class DatasetReport:
    """What a call of `synthesize` did: cases found from an earlier run, cases made now, the folder."""

    folder: Path
    found: int
    made: int


def case_folder(folder: Path, number: int) -> Path:
    """Return the folder of case `number`."""
    return folder / f"case{number:05d}"


def synthesize(
    folder: str | Path,
    options: CaseOptions,
    *,
    cases: int,
    seed: int = 0,
    workers: int = 1,
    scheduler: str = "",
    progress: Progress = silent,
) -> DatasetReport:
    """Write cases 0 to `cases` - 1 of a dataset, leaving out those that are there.

    Args:
        folder: made when missing; an earlier dataset there must have the same options and seed.
        options: what a case is like.
        cases: how many.
        seed: of the dataset.
        workers: processes on this machine.
        scheduler: address of a Dask scheduler, to use its workers instead (they must see the folder).
        progress: told after each case; may raise Cancelled.

    Raises:
        InputError: the folder holds something else or another dataset, or cannot be written (disk full):
            the cases that are complete stay.
    """
    check_range("number of cases", cases, 1, 100_000)
    check_range("seed", seed, 0)
    path = Path(folder).expanduser().resolve()
    fresh = _prepare(path, options, seed)
    missing = [number for number in range(cases) if not _is_complete(path, number)]
    found = cases - len(missing)
    if found:
        progress(0.0, f"{found} of {cases} cases are complete; going on with the others")
    job = partial(_make, str(path), options, seed)
    try:
        run_jobs(job, missing, workers=workers, scheduler=scheduler, progress=progress)
    except OSError as error:
        reason = f"the dataset {path} cannot be written: {error.strerror or error}"
        raise InputError(f"{reason}; {_state(path, cases)}") from None
    except (Cancelled, KeyboardInterrupt):
        raise Cancelled(f"cancelled by the user; {_state(path, cases)}") from None
    finally:
        if fresh and not any(path.glob("case*")):  # nothing was made: leave nothing behind
            shutil.rmtree(path, ignore_errors=True)
    return DatasetReport(path, found, len(missing))


def _state(path: Path, cases: int) -> str:
    there = sum(_is_complete(path, number) for number in range(cases))
    return f"{there} of {cases} cases are complete, the same command goes on from there"


def _is_complete(path: Path, number: int) -> bool:
    return (case_folder(path, number) / "case.json").is_file()


def _prepare(path: Path, options: CaseOptions, seed: int) -> bool:
    """Make the dataset's folder and return True, or check that the one that is there is the same dataset."""
    record: dict[str, Any] = {"kind": KIND, "format_version": FORMAT_VERSION, "seed": seed, "options": asdict(options)}
    record = json.loads(json.dumps(record))  # tuples become lists, as in the file
    try:
        if path.is_dir() and any(path.iterdir()):
            _check_same(path, read_dataset(path), record)
            for leftover in path.glob(".case*"):
                shutil.rmtree(leftover, ignore_errors=True)
            return False
        path.mkdir(parents=True, exist_ok=True)
        text = json.dumps(record | {"made_with": f"xradiff {__version__}"}, indent=2) + "\n"
        (path / "dataset.json").write_text(text, encoding="utf-8")
        return True
    except OSError as error:
        raise InputError(f"the dataset folder {path} cannot be written: {error.strerror or error}") from None


def _check_same(path: Path, earlier: dict[str, Any], asked: dict[str, Any]) -> None:
    """Refuse to go on with a dataset that was begun with something else."""
    before, now = _leaves(earlier), _leaves(asked)
    different = [key for key in now if before.get(key) != now[key]]
    if different:
        key = different[0]
        raise InputError(
            f"{path} is another dataset: its {key} is {before.get(key)!r}, asked for is {now[key]!r}; "
            "choose another folder"
        )


def _leaves(record: dict[str, Any]) -> dict[str, Any]:
    """Return the entries of nested dictionaries, by their last name."""
    found: dict[str, Any] = {}
    for key, value in record.items():
        found |= _leaves(value) if isinstance(value, dict) else {key: value}
    return found


def read_dataset(folder: str | Path) -> dict[str, Any]:
    """Return the dataset.json of a dataset.

    Raises:
        InputError: `folder` is not a dataset.
    """
    try:
        record = json.loads((Path(folder) / "dataset.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        record = None
    if not isinstance(record, dict) or record.get("kind") != KIND:
        raise InputError(f"{folder} is not a dataset (it has no dataset.json of this program)")
    return record


def _make(folder: str, options: CaseOptions, seed: int, number: int) -> None:
    """Make one case in a folder beside its place, then move it there."""
    place = case_folder(Path(folder), number)
    work = place.parent / f".{place.name}.{uuid.uuid4().hex[:8]}"
    try:
        write_case(work, draw_case(options, seed, number), options.truth_spacing_mm)
        if place.exists():  # another worker was faster, or a case without case.json
            shutil.rmtree(place)
        work.rename(place)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def write_case(folder: Path, case: SyntheticCase, spacing_mm: float) -> None:
    """Write views, truth and parameters of `case` into the new `folder`.

    viewN.png and viewN.json (geometry as a hospital's files would state it), truth.nii.gz,
    truth_centreline.vtp, case.json; where the case has raw angiograms viewN.dcm and
    viewN_masks.nrrd, the pixels of each frame in which contrast agent can be seen.

    Raises:
        OSError: the disk is full or the folder cannot be written.
    """
    from .export import write_centreline_vtp

    folder.mkdir(parents=True)
    for number, view in enumerate(case.views):
        _write_view(folder, f"view{number}", view)
    patient = 1_000_000 * case.parameters["seed"] + case.parameters["number"]  # a patient of its own
    for number, run in enumerate(case.runs):
        write_xa(run, folder / f"view{number}.dcm", patient, number + 1)
        _write_frame_masks(folder / f"view{number}_masks.nrrd", run)
    _write_truth(folder / "truth.nii.gz", case.truth(spacing_mm))
    write_centreline_vtp(folder / "truth_centreline.vtp", case.subject.tree)
    (folder / "case.json").write_text(json.dumps(case.parameters, indent=2) + "\n", encoding="utf-8")


def _write_view(folder: Path, stem: str, view: AngiogramView) -> None:
    from .export.overlay import write_png

    write_png(folder / f"{stem}.png", view.vessel_mask().astype(np.uint8) * 255)
    names = ("primary_deg", "secondary_deg", "sid_mm", "sod_mm", "pixel_spacing_mm")
    facts = {name: getattr(view.acquisition, name) for name in names}
    (folder / f"{stem}.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def _write_frame_masks(path: Path, run: SimulatedRun) -> None:
    import SimpleITK as sitk

    from .export.volumes import write_image

    write_image(path, sitk.GetImageFromArray(run.masks.astype(np.uint8)))


def _write_truth(path: Path, truth: SparseVolume) -> None:
    from .export.volumes import shared_box, write_volume

    write_volume(path, truth, *shared_box(truth), binary=True)
