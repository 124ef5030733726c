"""The sections of the report, each a function of the content."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path

import numpy as np

from ...datatypes import AngiogramView
from ...quantification import ReprojectionFit
from ..content import DISCLAIMER, ResultFolderContent
from ..overlay import AGREE_RGB, MASK_ONLY_RGB, RESULT_ONLY_RGB
from ..words import angles_in_words, number, percent, title_of
from .html import bullets, facts, figure, section, table, text
from .verdict import CRITERIA, verdict

__all__ = ["inputs", "method", "metrics", "pictures", "provenance", "summary"]

LEGEND = (
    ("mask and result agree", AGREE_RGB),
    ("mask only: missing from the result", MASK_ONLY_RGB),
    ("result only: not in the mask", RESULT_ONLY_RGB),
)
CAUTION = (
    "A good fit in the views does not prove that the tree is right: many trees look the same from two sides, "
    "and thickness and course along the viewing lines are known least. Compare the renderings with the "
    "anatomy."
)
THIRD_VIEW = " A third view decides most of what two leave open."
DEFINITIONS = (
    "Coverage: fraction of the mask\u2019s pixels onto which a voxel of the result projects.",
    (
        "Precision: fraction of the pixels onto which a voxel of the result projects that lie in the mask. "
        "A rim of one pixel around vessels a few pixels wide lowers it, and Dice, by a quarter."
    ),
    "Dice: 2 |both| / (|mask| + |reprojection|). No erosion is applied.",
    (
        "Chamfer distance: mean distance of the reprojected pixels to the mask plus mean distance of the "
        "mask\u2019s pixels to the reprojection (the sum of both directions, over whole areas). "
        "In mm at the mean depth of the tree."
    ),
    "HD95: the larger of the two directed 95th percentiles of these distances.",
)


def summary(content: ResultFolderContent, folder: Path) -> str:
    """Return the verdict, the key numbers and the overview rendering."""
    fits, size, words = content.fits, content.summary, verdict(content.fits)
    grade = f'<span class="grade {words.grade}">{words.grade.capitalize()} fit</span>'
    lead = f'<p class="lead">{grade}{text(words.sentence)}</p>'
    parts = "one connected part" if size.components == 1 else (
        f"{size.components} parts, the largest {percent(size.largest_fraction)}")  # fmt: skip
    extent = " \u00d7 ".join(number(value, 0) for value in size.extent_mm)
    numbers = (
        ("Vessel pixels explained", percent(min(fit.coverage for fit in fits)), "coverage, worst view"),
        ("Mean distance", f"{number(max(fit.chamfer_mm for fit in fits))} mm", "Chamfer, sum, worst view"),
        (
            "95 % lie within",
            f"{number(max(fit.hd95_mm for fit in fits))} mm",
            "of each other: HD95, worst view",
        ),
        ("Volume", f"{number(size.volume_mm3 / 1000)} ml", parts),
        ("Extent", f"{extent} mm", "left\u2013right, front\u2013back, head\u2013foot"),
        *_spread(content),
    )
    cells = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}<small>{escape(note)}</small></dd></div>"
        for name, value, note in numbers
    )
    warnings = "".join(
        f'<p class="warn">{text(warning[:1].upper() + warning[1:])}</p>' for warning in content.warnings
    )
    render = folder / "render.png"
    caption = "The surface without perspective; lighter is nearer to the viewer."
    picture = figure(render, "Surface seen from the front and from the left", caption) if render.exists() else ""
    caution = CAUTION + (THIRD_VIEW if len(fits) == 2 else "")
    note = f'<p class="note">{escape(caution)} {escape(CRITERIA)}</p>'
    return section("summary", "Summary", lead, warnings, f'<dl class="numbers">{cells}</dl>', picture, note)


def _spread(content: ResultFolderContent) -> tuple[tuple[str, str, str], ...]:
    """Return the mean uncertainty in the vessel, where the method has one."""
    uncertainty = content.uncertainty
    if uncertainty is None:
        return ()
    shape = uncertainty.grid.shape
    places = [np.ravel_multi_index(tuple(volume.indices.T), shape) for volume in (uncertainty, content.segmentation)]
    inside = uncertainty.values[np.isin(*places)]
    value = number(float(inside.mean())) if len(inside) else "-"
    return (("Uncertainty", value, "of the probability, 0 to 1: standard deviation over samples, mean in the vessel"),)


def inputs(content: ResultFolderContent) -> str:
    """Return the table of views, and the files with their SHA-256."""
    rows = [_input_row(view) for view in content.views]
    head = (
        "View",
        "Angles",
        "SID (mm)",
        "SOD (mm)",
        "Pixel at detector (mm)",
        "Image",
        "Frame",
        "Mask pixels",
    )
    files = [
        (escape(view.name), f"<code>{text(Path(file.path).name)}</code>", f"<code>{text(file.sha256)}</code>")
        for view in content.views
        for file in view.files
    ]
    listing = table(("View", "File", "SHA-256"), files, numbers_from=9) if files else ""
    notes = bullets(f"{view.name}: {note}" for view in content.views for note in view.notes)
    angles = '<p class="note">Angles and distances as used, after calibration where it changed them.</p>'
    read = "<h3>Assumed while reading</h3>" + notes if notes else ""
    listing = "<h3>Files</h3>" + listing if listing else ""
    return section("inputs", "Inputs", table(head, rows, numbers_from=2), angles, listing, read)


def _input_row(view: AngiogramView) -> tuple[str, ...]:
    acquisition = view.acquisition
    row_mm, column_mm = acquisition.pixel_spacing_mm
    pixel = f"{row_mm:g}" if row_mm == column_mm else f"{row_mm:g} \u00d7 {column_mm:g}"
    numbers = (f"{acquisition.sid_mm:g}", f"{acquisition.sod_mm:g}", pixel)
    shape = f"{view.shape[0]} \u00d7 {view.shape[1]}"
    mask = str(int(view.vessel_mask().sum()))
    return escape(view.name), escape(angles_in_words(acquisition)), *numbers, shape, str(view.frame), mask


def pictures(content: ResultFolderContent, folder: Path, problem: str) -> str:
    """Return for each view the overlay and the rendering side by side."""
    swatches = "".join(
        f'<li><span style="background: rgb{colour}"></span>{escape(name)}</li>' for name, colour in LEGEND
    )
    line = '<li><span class="outline"></span>white line: outline of the mask</li>'
    legend = f'<ul class="legend">{swatches}{line}</ul>'
    if problem:
        legend += f'<p class="warn">3D rendering was not possible here: {escape(problem)}</p>'
    parts = [
        _view_pictures(view, fit, folder, i)
        for i, (view, fit) in enumerate(zip(content.views, content.fits, strict=True))
    ]
    return section("views", "Result in each view", legend, *parts)


def _view_pictures(view: AngiogramView, fit: ReprojectionFit, folder: Path, number_of_view: int) -> str:
    angles = angles_in_words(view.acquisition)
    missing = round((1 - fit.coverage) * fit.mask_pixels)
    beyond = round((1 - fit.precision) * fit.reprojected_pixels)
    name = f"<b>{escape(view.name)}</b>, {escape(angles)}"
    counts = f"{missing} px missing, {beyond} px beyond the mask."
    caption = f"{name}. {percent(fit.coverage)} of the mask explained; {counts}"
    shown = figure(folder / f"view{number_of_view}_overlay.png", f"Result drawn over {view.name}", caption)
    render = folder / f"view{number_of_view}_render.png"
    if render.exists():
        caption = f"{name}. The surface, framed as the angiogram; lighter is nearer to the detector."
        shown += figure(render, f"Surface seen as {view.name}", caption)
    return f'<div class="pair">{shown}</div>'


def metrics(content: ResultFolderContent) -> str:
    """Return the reprojection table and every definition."""
    head = "View|Coverage|Precision|Dice|Chamfer (px)|Chamfer (mm)|HD95 (px)|HD95 (mm)|Mask (px)|Result (px)"
    rows = [_fit_row(fit) for fit in content.fits]
    definitions = "<h3>Definitions</h3>" + bullets(DEFINITIONS)
    return section("metrics", "Agreement with the masks", table(head.split("|"), rows), definitions)


def _fit_row(fit: ReprojectionFit) -> tuple[str, ...]:
    shares = percent(fit.coverage), percent(fit.precision), number(fit.dice, 3)
    distances = (fit.chamfer_px, fit.chamfer_mm, fit.hd95_px, fit.hd95_mm)
    counts = str(fit.mask_pixels), str(fit.reprojected_pixels)
    return escape(fit.view_name), *shares, *(number(value) for value in distances), *counts


def method(content: ResultFolderContent) -> str:
    """Return the method's name and all settings; records (the views as given) stay in run.json."""
    name = f"<p>{text(content.method_title)} <code>{text(content.method_name)}</code></p>"
    rest = {
        key: value
        for key, value in content.settings.items()
        if value != content.method_config and not (isinstance(value, (list, tuple)) and len(value))
    }
    run = "<h3>Run</h3>" + facts(rest) if rest else ""
    notes = bullets(note[:1].upper() + note[1:] for note in content.notes)
    return section("method", "Method and settings", name, notes, facts(content.method_config), run)


def provenance(content: ResultFolderContent, files: object) -> str:
    """Return versions, times, device, seed, command and the files of the folder."""
    plain = {key: value for key, value in content.provenance.items() if not isinstance(value, Mapping)}
    command = plain.pop("command", None)
    parts = [facts(plain)]
    for key, value in content.provenance.items():
        if isinstance(value, Mapping):
            parts += [f"<h3>{escape(title_of(key))}</h3>", facts(value, {name: str(name) for name in value})]
    if command:
        words = " ".join(str(word) for word in command) if isinstance(command, (list, tuple)) else str(command)
        parts += ["<h3>Command</h3>", f"<p><code>{escape(words)}</code></p>"]
    if isinstance(files, list):
        parts += [
            "<h3>Files of this result</h3>",
            f"<p><code>{escape(', '.join(str(name) for name in files))}</code></p>",
        ]
    frame = (
        "Surfaces are in patient LPS mm (marked SPACE=LPS), volumes carry the NIfTI RAS affine; "
        "the origin is the C-arm isocentre."
    )
    return section("provenance", "Provenance", *parts, f'<p class="note">{frame} {DISCLAIMER}</p>')
