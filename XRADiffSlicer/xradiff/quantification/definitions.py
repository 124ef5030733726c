"""Every metric's name, unit and definition; what tables print under themselves."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import InputError

__all__ = ["ALIGNED", "DEFINITIONS", "MetricDefinition", "definition_of", "title_of"]

ALIGNED = "_rigidly_aligned"
"""Ends the name of a metric of a result that was moved rigidly onto the truth before it was compared."""
_VIEW = re.compile(r"_(held_out_)?view(\d+)$")


@dataclass(frozen=True)
class MetricDefinition:
    """What a number means.

    Attributes:
        name: as in records and CSV files.
        title: column heading.
        unit: "" for a ratio.
        better: "higher", "lower", "one" (1 is right) or "" (neither).
        meaning: the definition, with its source and where papers differ.
    """

    name: str
    title: str
    unit: str
    better: str
    meaning: str


DEFINITIONS = (
    MetricDefinition(
        "dice", "Dice", "", "higher", "2 |A and B| / (|A| + |B|) over 0.5 mm voxels (XRA-Diff eq. 7, AutoCAR eq. 17)."
    ),
    MetricDefinition("precision", "Precision", "", "higher", "Fraction of the result's voxels inside the truth."),
    MetricDefinition("coverage", "Recall", "", "higher", "Fraction of the truth's voxels inside the result."),
    MetricDefinition(
        "cldice", "clDice", "", "higher",
        "Harmonic mean of the fractions of each skeleton (3D thinning) inside the other volume (Shit et al. 2021, "
        "AutoCAR eq. 18). Not the Dice of two skeletons that SDF-CAR prints under this name.",
    ),
    MetricDefinition(
        "chamfer_mm", "Chamfer", "mm", "lower",
        "SUM of the two directed mean distances between surface voxels (XRA-Diff eq. 8, AutoCAR eq. 19).",
    ),
    MetricDefinition(
        "hd95_mm", "HD95", "mm", "lower",
        "Larger of the two directed 95th percentiles of the distances between surface voxels (AutoCAR eq. 20).",
    ),
    MetricDefinition(
        "centreline_chamfer_mm", "Centreline Chamfer", "mm", "lower",
        "SUM of the two directed mean distances between the voxels of the skeletons (PPCAR-Net's CD).",
    ),
    MetricDefinition(
        "overlap_1mm", "O(1 mm)", "", "higher",
        "Share of the voxels of both volumes within 1 mm of the other (XRA-Diff eq. 9 as printed, in mm).",
    ),
    MetricDefinition("overlap_2mm", "O(2 mm)", "", "higher", "The same within 2 mm."),
    MetricDefinition(
        "components", "Parts", "", "one",
        "Connected parts of the result on its own grid (26 neighbours); 1 is right.",
    ),
    MetricDefinition(
        "xradiff_dice", "Dice, 1.7 mm", "", "higher",
        "Dice over voxels of 1.707 mm (XRA-Diff's 60^3 grid, centred on the isocentre, not cut), set where they hold "
        "the centre of a set voxel. XRA-Diff heads such fractions with %.",
    ),
    MetricDefinition(
        "xradiff_chamfer_vox", "Chamfer, 1.7 mm", "vox", "lower",
        "HALF the sum of the two directed mean distances between all set voxels of 1.707 mm, in voxels: what "
        "XRA-Diff's code computes and its tables hold (its eq. 8 is the sum).",
    ),
    MetricDefinition(
        "xradiff_overlap_1vox", "O(1)", "", "higher",
        "Dice over voxels of 1.707 mm after both were dilated by a cube of 3^3 voxels, as XRA-Diff's code computes "
        "its eq. 9.",
    ),
    MetricDefinition("xradiff_overlap_2vox", "O(2)", "", "higher", "The same with a cube of 5^3 voxels."),
    MetricDefinition(
        "psnr_db", "PSNR", "dB", "higher",
        "10 log10(max^2 / mean squared error) over 60^3 voxels of 1.707 mm of 0 or 1 around the isocentre (XRA-Diff "
        "eq. 10, which takes soft volumes). It rises with empty space.",
    ),
    MetricDefinition(
        "reprojection_dice", "2D Dice", "", "higher",
        "Dice of the result's silhouette and the view's mask (XRA-Diff 2.7), no erosion. A visual hull fits best "
        "and is not the best tree.",
    ),
    MetricDefinition(
        "reprojection_coverage", "2D coverage", "", "higher",
        "Share of the mask's pixels that the result's silhouette covers. A visual hull covers most, false branches "
        "included.",
    ),
    MetricDefinition(
        "volume_ml", "Volume", "ml", "",
        "Of the result. Of two that cover the masks alike the smaller one has fewer false branches, or is too thin.",
    ),
    MetricDefinition(
        "reprojection_dice_eroded", "2D Dice, eroded", "", "higher",
        "The same after both were eroded by 3 x 3 pixels (XRA-Diff 2.7 as printed).",
    ),
    MetricDefinition(
        "reprojection_dice_dilated", "2D Dice, dilated", "", "higher",
        "The same after both were DILATED by 3 x 3 pixels: what XRA-Diff's code does where its text says erosion.",
    ),
    MetricDefinition(
        "reprojection_chamfer_px", "2D Chamfer", "px", "lower",
        "SUM of the two directed mean distances between all pixels of the silhouette and of the mask; XRA-Diff's "
        "tables 5, 7 and 9 hold HALF of it.",
    ),
    MetricDefinition(
        "correspondence_coverage", "Coverage", "", "higher",
        "Fraction of the truth's centreline points, projected into view A, with a projected skeleton point of the "
        "result within 3 mm at the detector (AutoCAR eq. 22).",
    ),
    MetricDefinition(
        "correspondence_epe_mm", "EPE", "mm", "lower",
        "Mean distance in view B, at the detector, of the same points to the NEAREST projected point of the result "
        "(AutoCAR eq. 23; optimistic: the partner may lie elsewhere in view A).",
    ),
    MetricDefinition(
        "correspondence_accuracy", "Accuracy", "", "higher",
        "Coverage times the fraction of the points with such an error below 3 mm (AutoCAR eq. 24).",
    ),
    MetricDefinition(
        "correspondence_followed_epe_mm", "EPE, followed", "mm", "lower",
        "The error in view B where the partner is the point of the result nearest in view A: EPE without its "
        "optimism, and the one that AutoCAR's table 2 fits (16.4 mm for its visual hull).",
    ),
    MetricDefinition(
        "correspondence_followed_accuracy", "Accuracy, followed", "", "higher",
        "Coverage times the fraction of the points with such an error below 3 mm.",
    ),
    MetricDefinition(
        "alignment_shift_mm", "Shift", "mm", "",
        "How far the alignment moved the middle of the result's skeleton before the aligned metrics were computed.",
    ),
    MetricDefinition("alignment_angle_deg", "Turn", "deg", "", "Rotation of that alignment."),
    MetricDefinition("seconds", "Total time", "s", "lower", "Wall time from views to surface, calibration included."),
    MetricDefinition("method_seconds", "Method time", "s", "lower", "Wall time of the method alone (XRA-Diff's tau)."),
    MetricDefinition(
        "peak_memory_mb", "Memory", "MB", "lower",
        "Most resident memory of the process during the run, sampled every 20 ms; Python, its packages and what "
        "earlier runs of the same worker left behind included.",
    ),
)  # fmt: skip
_BY_NAME = {definition.name: definition for definition in DEFINITIONS}


def definition_of(name: str) -> MetricDefinition:
    """Return the definition of a metric, whatever view or alignment its name ends with.

    Raises:
        InputError: there is no such metric.
    """
    stem = _VIEW.sub("", name.removesuffix(ALIGNED))
    if stem not in _BY_NAME:
        raise InputError(f"unknown metric {name!r}; known are {', '.join(_BY_NAME)}")
    return _BY_NAME[stem]


def title_of(name: str) -> str:
    """Return the column heading of a metric: title, view and unit.

    Raises:
        InputError: there is no such metric.
    """
    definition, view = definition_of(name), _VIEW.search(name.removesuffix(ALIGNED))
    where = "" if view is None else f", {'held-out ' if view[1] else ''}view {view[2]}"
    unit = f" [{definition.unit}]" if definition.unit else ""
    return f"{definition.title}{where}{unit}"
