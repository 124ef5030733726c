"""How well a reconstructed volume, drawn into a view, agrees with that view's vessel mask."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..datatypes import AngiogramView, SparseVolume
from ..errors import InputError
from ..geometry import camera_of
from ..projection.silhouette import silhouette
from .distances import mask_distances
from .overlap import coverage, dice, precision

__all__ = ["ReprojectionFit", "reprojection_fit"]


@dataclass(frozen=True)
class ReprojectionFit:
    """Agreement of one view's mask with the silhouette of the result (XRA-Diff 2.7), no erosion.

    A good fit does not prove a correct tree: a visual hull fits best and is not the best tree.

    Attributes:
        view_name: which view.
        coverage: fraction of the mask's pixels inside the reprojection.
        precision: fraction of the reprojected pixels inside the mask. A voxel's footprint reaches
            beyond thin vessels, which lowers it by what a rim of a pixel takes.
        dice: 2 |both| / (|mask| + |reprojection|).
        chamfer_px: mean distance of the reprojected pixels to the mask plus mean distance of the
            mask's pixels to the reprojection (the SUM), over all pixels of the areas.
        chamfer_mm: the same in mm at the mean depth of the result in this view (not at the detector).
        hd95_px: the larger of the two directed 95th percentiles of these distances.
        hd95_mm: the same in mm at the mean depth of the result.
        mask_pixels: pixels of the mask.
        reprojected_pixels: pixels of the silhouette.
    """

    view_name: str
    coverage: float
    precision: float
    dice: float
    chamfer_px: float
    chamfer_mm: float
    hd95_px: float
    hd95_mm: float
    mask_pixels: int
    reprojected_pixels: int


def reprojection_fit(view: AngiogramView, volume: SparseVolume) -> ReprojectionFit:
    """Return how the silhouette of all voxels of `volume` fits the mask of `view`.

    Distances are infinite where nothing of the volume falls into the image.

    Raises:
        InputError: the view has no mask, or the volume no voxels.
    """
    if len(volume.indices) == 0:
        raise InputError("the result is empty; there is nothing to compare with the views")
    mask, camera = view.vessel_mask(), camera_of(view)
    drawn = silhouette(volume, camera)
    distances = mask_distances(drawn, mask)
    pixel_mm = float(camera.pixel_size_mm(np.mean(camera.depth(volume.points_lps_mm()))))
    return ReprojectionFit(
        view_name=view.name,
        coverage=coverage(drawn, mask),
        precision=precision(drawn, mask),
        dice=dice(drawn, mask),
        chamfer_px=distances.chamfer,
        chamfer_mm=distances.chamfer * pixel_mm,
        hd95_px=distances.hd95,
        hd95_mm=distances.hd95 * pixel_mm,
        mask_pixels=int(np.count_nonzero(mask)),
        reprojected_pixels=int(np.count_nonzero(drawn)),
    )
