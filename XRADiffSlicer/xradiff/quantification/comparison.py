"""A result against the truth: every metric of one case by one function, as training, benchmark and report use it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..datatypes import AngiogramView, SparseVolume
from ..errors import InputError
from ..geometry import camera_of
from ..postprocess.components import component_labels
from ..projection.silhouette import silhouette
from .alignment import RigidAlignment, align_points
from .common_grid import COMMON_SPACING_MM, LEVEL, SamePlace, on_common_grid
from .correspondence import Correspondences, correspondence_scores
from .definitions import ALIGNED, definition_of
from .distances import mask_distances, point_distances, surface_voxels
from .overlap import coverage, dice, precision
from .summary import summarise
from .thinning import skeleton
from .tolerance import dice_after_dilation, dice_after_erosion, overlap_within
from .topology import cldice
from .xradiff_grid import xradiff_scores

__all__ = ["Metric", "compare", "compare_with_views", "view_metrics"]

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Metric:
    """One number of one case; `definition_of(name)` says what it means. Infinite where it is undefined."""

    name: str
    value: float
    unit: str


def compare(
    result: SparseVolume,
    truth: SparseVolume,
    *,
    views: Sequence[AngiogramView] = (),
    held_out: Sequence[AngiogramView] = (),
    correspondences: Correspondences | None = None,
    align: bool = False,
    spacing_mm: float = COMMON_SPACING_MM,
) -> tuple[Metric, ...]:
    """Return every metric of one case.

    3D metrics at `spacing_mm` on a grid through the truth's voxel centres (see `on_common_grid`: the
    border is where values reach 0.5), those of XRA-Diff also on its own grid; a metric of view n has
    the name NAME_viewN, or NAME_held_out_viewN; held-out views count on after `views`.

    Args:
        result: segmentation (ones) or soft field with the border at 0.5.
        truth: the same.
        views: with masks and the geometry that the result was made with.
        held_out: views that the result was not made from.
        correspondences: points of two views that belong together, for AutoCAR's metrics of the skeleton.
        align: also compare after the rigid motion that best lays the skeleton of the result on that of
            the truth (names end in `_rigidly_aligned`): motion between the views hides where the tree
            was, which says nothing about its shape. Skeletons and not surfaces, for those of a vessel that
            came out too thick fit at its side, not in its middle.
        spacing_mm: voxel edge of the comparison.

    Raises:
        InputError: result or truth is empty, or a view has no mask.
    """
    place = on_common_grid(result, truth, spacing_mm)
    if not place.result.any() or not place.truth.any():
        raise InputError(f"nothing of the result or of the truth is left at voxels of {spacing_mm:g} mm")
    skeletons = (skeleton(place.result), skeleton(place.truth))
    found = dict(_volume_metrics(place, skeletons))
    found |= dict(_published_metrics(place))
    found["components"] = float(component_labels(result.where(result.values >= LEVEL)).max() + 1)
    if align:
        found |= dict(_aligned_metrics(result, truth, place, skeletons))
    found |= _of_views(_sparse(place, place.result), views, held_out)
    if correspondences is not None:
        scores = correspondence_scores(_points(place, skeletons[0]), correspondences)
        found["correspondence_coverage"] = scores.coverage
        found["correspondence_epe_mm"] = scores.end_point_error_mm
        found["correspondence_accuracy"] = scores.accuracy
        found["correspondence_followed_epe_mm"] = scores.followed_error_mm
        found["correspondence_followed_accuracy"] = scores.followed_accuracy
    return tuple(Metric(name, value, definition_of(name).unit) for name, value in found.items())


def compare_with_views(
    result: SparseVolume, views: Sequence[AngiogramView], held_out: Sequence[AngiogramView] = ()
) -> tuple[Metric, ...]:
    """Return what can be told of a result whose truth nobody knows: its volume, its parts, its fit to the masks.

    Args:
        result: segmentation (ones) or soft field with the border at 0.5.
        views: with masks and the geometry that the result was made with.
        held_out: views that the result was not made from.

    Raises:
        InputError: the result is empty, or a view has no mask.
    """
    inside = result.where(result.values >= LEVEL)
    size = summarise(inside)
    found = {"volume_ml": size.volume_mm3 / 1000, "components": float(size.components)}
    return tuple(
        Metric(name, value, definition_of(name).unit)
        for name, value in (found | _of_views(inside, views, held_out)).items()
    )


def _of_views(
    inside: SparseVolume, views: Sequence[AngiogramView], held_out: Sequence[AngiogramView]
) -> dict[str, float]:
    """Return the metrics of all views, each name with its view."""
    found: dict[str, float] = {}
    for number, view in enumerate((*views, *held_out)):
        kind = "view" if number < len(views) else "held_out_view"
        found |= {f"{name}_{kind}{number}": value for name, value in view_metrics(view, inside).items()}
    return found


def view_metrics(view: AngiogramView, volume: SparseVolume) -> dict[str, float]:
    """Return how the silhouette of all voxels of `volume` fits the mask of `view` (XRA-Diff 2.7).

    Raises:
        InputError: the view has no mask.
    """
    mask, drawn = view.vessel_mask(), silhouette(volume, camera_of(view))
    return {
        "reprojection_dice": dice(drawn, mask),
        "reprojection_coverage": coverage(drawn, mask),
        "reprojection_dice_eroded": dice_after_erosion(drawn, mask),
        "reprojection_dice_dilated": dice_after_dilation(drawn, mask, reach=1),
        "reprojection_chamfer_px": mask_distances(drawn, mask).chamfer,
    }


def _volume_metrics(place: SamePlace, skeletons: tuple[Mask, Mask]) -> Iterator[tuple[str, float]]:
    """Yield the metrics of two masks of one grid."""
    yield "dice", dice(place.result, place.truth)
    yield "precision", precision(place.result, place.truth)
    yield "coverage", coverage(place.result, place.truth)
    yield "cldice", cldice(place.result, place.truth, skeletons=skeletons).value
    own, other = (_points(place, surface_voxels(mask)) for mask in (place.result, place.truth))
    surfaces = point_distances(own, other)
    yield "chamfer_mm", surfaces.chamfer
    yield "hd95_mm", surfaces.hd95
    own, other = (_points(place, line) for line in skeletons)
    yield "centreline_chamfer_mm", point_distances(own, other).chamfer
    own, other = (_points(place, mask) for mask in (place.result, place.truth))
    for tolerance_mm in (1, 2):
        yield f"overlap_{tolerance_mm}mm", overlap_within(own, other, tolerance_mm)


def _published_metrics(place: SamePlace) -> Iterator[tuple[str, float]]:
    """Yield the metrics on XRA-Diff's grid."""
    scores = xradiff_scores(_sparse(place, place.result), _sparse(place, place.truth))
    yield "xradiff_dice", scores.dice
    yield "xradiff_chamfer_vox", scores.chamfer_vox
    yield "xradiff_overlap_1vox", scores.overlap_1vox
    yield "xradiff_overlap_2vox", scores.overlap_2vox
    yield "psnr_db", scores.psnr_db


def _aligned_metrics(
    result: SparseVolume, truth: SparseVolume, place: SamePlace, skeletons: tuple[Mask, Mask]
) -> Iterator[tuple[str, float]]:
    """Yield the 3D metrics after the result was moved onto the truth, and the motion."""
    own, other = (_points(place, line) for line in skeletons)
    motion = align_points(own, other) if min(len(own), len(other)) >= 3 else RigidAlignment.none()
    middle = own.mean(axis=0)
    yield "alignment_shift_mm", float(np.linalg.norm(motion.apply(middle[None])[0] - middle))
    yield "alignment_angle_deg", motion.angle_deg
    moved = on_common_grid(result, truth, place.grid.spacing_mm[0], motion)
    if not moved.result.any():
        raise InputError("nothing of the result is left after the rigid alignment; it is thinner than a voxel")
    lines = (skeleton(moved.result), skeleton(moved.truth))
    for name, value in [*_volume_metrics(moved, lines), *_published_metrics(moved)]:
        yield name + ALIGNED, value


def _points(place: SamePlace, mask: Mask) -> NDArray[np.float64]:
    """Return the centres (N, 3) in LPS mm of the set voxels."""
    return place.grid.centres(np.argwhere(mask))


def _sparse(place: SamePlace, mask: Mask) -> SparseVolume:
    return SparseVolume.from_dense(mask, place.grid)
