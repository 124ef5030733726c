"""The result folder: written beside its place, then renamed; whole or not at all."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import InputError
from ..geometry import camera_of
from ..progress import Progress, silent, stage
from ..projection.silhouette import silhouette
from .content import ResultFolderContent
from .meshes import write_stl, write_vtp
from .overlay import frame_picture, overlay_picture, write_png
from .rendering import render_pictures
from .report import report_html
from .scenes import overview, view_picture
from .tables import read_run, run_record, write_reprojection_csv, write_run_json
from .volumes import shared_box, write_volume

__all__ = ["check_result_folder", "write_result_folder"]

DESKTOP_FILES = {".DS_Store", "Thumbs.db", "desktop.ini"}


def check_result_folder(target: str | Path) -> Path:
    """Return `target` as an absolute path if a result may be written there. Ask before a long run.

    Accepted: a path that does not exist, an empty folder, or an earlier result of ours that holds
    nothing else (it will be replaced).

    Raises:
        InputError: anything else is there, or the folder around it cannot be written.
    """
    path = Path(target).expanduser().resolve()
    parent = next(folder for folder in path.parents if folder.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise InputError(f"the output folder {path} cannot be written: no permission to write in {parent}")
    if not path.exists():
        return path
    if not path.is_dir():
        raise InputError(f"the output folder {path} is a file; give the name of a folder")
    present = {entry.name for entry in path.iterdir()} - DESKTOP_FILES
    run = read_run(path)
    if present and run is None:
        raise InputError(
            f"the output folder {path} exists and is not an earlier result; choose a new or an empty folder"
        )
    files = run.get("files", []) if run else []
    foreign = sorted(present - set(files if isinstance(files, list) else []))
    if foreign:
        raise InputError(
            f"the output folder {path} holds {foreign[0]}, which is not part of the earlier result and would "
            "be lost; move it or choose another folder"
        )
    return path


def write_result_folder(
    target: str | Path, content: ResultFolderContent, progress: Progress = silent, *, report: bool = True
) -> tuple[Path, ...]:
    """Write `content` as the folder `target` and return its files.

    segmentation.nii.gz (uint8), probability.nii.gz (float32) and, of a method that draws several samples,
    uncertainty.nii.gz and each sampleN.nii.gz (float32), RAS affine; surface.vtp and surface.stl, LPS mm;
    reprojection.csv; viewN_overlay.png; viewN_mask.png where the mask was made here; run.json; with `report` also
    render.png and viewN_render.png, where this machine can render, and report.html. On an error or a cancel, `target`
    is as before.

    Raises:
        InputError: the folder cannot be written or holds something else.
        Cancelled: raised by `progress`.
    """
    path = check_result_folder(target)
    try:
        with _folder_beside(path) as work:
            _fill(work, content, progress, report)
            progress(0.99, "moving the result into place")
            check_result_folder(path)
            _replace(work, path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"the output folder {path} cannot be written: {reason}") from error
    progress(1.0, f"wrote {path}")
    return tuple(sorted(path.iterdir()))


@contextmanager
def _folder_beside(path: Path) -> Iterator[Path]:
    """Yield a new folder beside `path`; remove it, and parents made for it, unless it was moved away."""
    missing = [parent for parent in path.parents if not parent.exists()]
    work = path.parent / f".{path.name}.partial-{uuid.uuid4().hex[:8]}"
    try:
        work.mkdir(parents=True)
        yield work
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        for parent in missing:
            try:
                parent.rmdir()
            except OSError:
                break
        raise


def _replace(work: Path, path: Path) -> None:
    """Put `work` in the place of `path`; an earlier result comes back if that fails."""
    if not path.exists():
        work.rename(path)
        return
    old = path.parent / f".{path.name}.old-{uuid.uuid4().hex[:8]}"
    path.rename(old)
    try:
        work.rename(path)
    except BaseException:
        old.rename(path)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _fill(work: Path, content: ResultFolderContent, progress: Progress, report: bool) -> None:
    """Write all files of the result into `work`."""
    progress(0.0, "writing volumes")
    box = shared_box(content.probability, content.segmentation)
    write_volume(work / "segmentation.nii.gz", content.segmentation, *box, binary=True)
    progress(0.1, "writing volumes")
    write_volume(work / "probability.nii.gz", content.probability, *box, binary=False)
    if content.uncertainty is not None:
        write_volume(work / "uncertainty.nii.gz", content.uncertainty, *box, binary=False)
    for number, sample in enumerate(content.samples):
        write_volume(work / f"sample{number}.nii.gz", sample, *box, binary=False)
    progress(0.2, "writing the surface")
    write_vtp(work / "surface.vtp", content.surface)
    write_stl(work / "surface.stl", content.surface)
    write_reprojection_csv(work / "reprojection.csv", content.fits)
    for number, view in enumerate(content.views):
        progress(0.3, f"drawing the result over {view.name}")
        drawn = silhouette(content.segmentation, camera_of(view))
        write_png(work / f"view{number}_overlay.png", overlay_picture(view, drawn))
        if view.segmented is not None:
            write_png(work / f"view{number}_mask.png", frame_picture(view))
    problem = _render(work, content, stage(progress, 0.4, 0.9)) if report else ""
    progress(0.9, "writing the report")
    own = ["run.json", "report.html"] if report else ["run.json"]
    record = run_record(content, [entry.name for entry in work.iterdir()] + own)
    if report:
        (work / "report.html").write_text(report_html(content, record, work, problem), encoding="utf-8")
    write_run_json(work / "run.json", record)


def _render(work: Path, content: ResultFolderContent, progress: Progress) -> str:
    """Render the overview and each view; return why that was not possible, "" if it was."""
    pictures = [overview("render.png", content.surface)]
    for number, view in enumerate(content.views):
        pictures.append(view_picture(f"view{number}_render.png", view, content.surface))
    return render_pictures(work, tuple(pictures), content.surface, progress).problem
