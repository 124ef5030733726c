"""Views -> what the network is given: backprojection, views as images, and the grid they live on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from ....datatypes import AngiogramView, SparseVolume, VolumeGrid
from ....errors import InputError
from ....geometry import camera_of
from ....geometry.placement import grid_around
from ....projection import MaskCone, backproject_masks
from .published import published_backprojection, published_grid, published_views
from .recipe import Recipe

__all__ = ["NetworkInputs", "network_inputs"]

LOST = 0.01  # less of the backprojection outside the grid is not worth a word


@dataclass(frozen=True, eq=False)
class NetworkInputs:
    """One case as the network sees it.

    Attributes:
        backprojection: (1, 1, N, N, N) in [0, 1].
        views: (1, P, K, K) in [0, 1].
        grid: the (N, N, N) voxels in LPS mm.
        flipped: axes of the network's volumes that run against the grid.
        notes: what the user should know, one sentence each.
    """

    backprojection: Tensor
    views: Tensor
    grid: VolumeGrid
    flipped: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()


def network_inputs(views: Sequence[AngiogramView], recipe: Recipe) -> NetworkInputs:
    """Return the inputs that weights trained as `recipe` says expect.

    All views enter the backprojection (eq. 3; eq. 11 for more than two). The network encodes the first
    ones, as many as it has encoders (sec. 3.2), by falling primary angle, as table 2 orders them; so
    the order of two views does not matter. A view that is not square is squeezed into a square.

    Raises:
        InputError: fewer views than encoders, views without a common space, masks that do not meet.
    """
    size, flipped = recipe.network.size, tuple[int, ...]()
    if len(views) < recipe.network.views:
        raise InputError(f"these weights need {recipe.network.views} views, got {len(views)}")
    encoded = views[: recipe.network.views]
    views = [*sorted(encoded, key=lambda view: -view.acquisition.primary_deg), *views[len(encoded) :]]
    tree_mm = _hull(views, grid_around(views, recipe.spacing_mm, recipe.spacing_mm)).points_lps_mm()
    if recipe.geometry == "published":
        grid, flipped = published_grid(size), (1,)
        backprojection, images = published_backprojection(views, size), published_views(views)
    else:
        middle = (tree_mm.min(axis=0) + tree_mm.max(axis=0)) / 2
        grid = VolumeGrid.centred((size,) * 3, recipe.spacing_mm, middle)
        backprojection = _dense(_hull(views, grid))
        images = [torch.from_numpy(view.vessel_mask().astype(np.float32)) for view in views]
    return NetworkInputs(
        backprojection[None, None],
        torch.cat([_resampled(image, recipe.view_size) for image in images], dim=1),
        grid,
        flipped,
        _notes(tree_mm, grid, recipe.geometry),
    )


def _hull(views: Sequence[AngiogramView], grid: VolumeGrid) -> SparseVolume:
    """Eq. 3 and 11 on `grid`: minimum of the masks' soft backprojections."""
    cones = [MaskCone.of(view.vessel_mask(), camera_of(view)) for view in views]
    hull = backproject_masks(cones, grid)
    if len(hull.indices) == 0:
        raise InputError(
            f"the backprojected masks meet in no voxel of {grid.spacing_mm[0]:.2f} mm; check geometry and views"
        )
    return hull


def _dense(volume: SparseVolume) -> Tensor:
    dense = np.zeros(volume.grid.shape, dtype=np.float32)
    dense[tuple(volume.indices.T)] = volume.values
    return torch.from_numpy(dense)


def _resampled(image: Tensor, size: int) -> Tensor:
    """(rows, columns) -> (1, 1, size, size): area average where it shrinks, bilinear where it grows."""
    given = image[None, None]
    if image.shape == (size, size):
        return given
    if min(image.shape) >= size:
        return interpolate(given, size=(size, size), mode="area")
    return interpolate(given, size=(size, size), mode="bilinear", align_corners=False)


def _notes(tree_mm: NDArray[np.float64], grid: VolumeGrid, geometry: str) -> tuple[str, ...]:
    """What is lost beyond the grid, and what the authors' geometry costs; `tree_mm` (N, 3) are points of the hull."""
    outside = np.any(np.abs(tree_mm - grid.centre_lps_mm) > grid.extent_mm / 2, axis=1).mean()
    notes = []
    if outside > LOST:
        size = f"{grid.extent_mm[0]:.0f} mm"
        notes.append(f"{outside:.0%} of the backprojection lie outside the network's cube of {size} and are lost.")
    if geometry == "published":
        notes.append(
            "These weights use another C-arm rotation than DICOM: the result fits the views only roughly where both "
            "angles of a view are far from 0."
        )
    return tuple(notes)
