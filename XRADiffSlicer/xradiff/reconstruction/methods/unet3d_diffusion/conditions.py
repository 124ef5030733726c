"""Views -> what the network is given: backprojection, views as images, and the grid they live on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from ....datatypes import AngiogramView, VolumeGrid
from ....errors import InputError
from ....geometry import camera_of
from ...backprojection import backprojection_cube
from ...published.geometry import published_backprojection, published_grid, published_views
from .recipe import Recipe

__all__ = ["NetworkInputs", "network_inputs"]

LOST = 0.01  # less of a mask beyond the grid is not worth a word


@dataclass(frozen=True, eq=False)
class NetworkInputs:
    """One case as the network sees it.

    Attributes:
        backprojection: (1, 1, N, N, N) in [0, 1].
        views: (1, P, K, K) in [0, 1].
        grid: the (N, N, N) voxels in LPS mm.
        flipped: axes of the network's volumes that run against the grid.
        warnings: what the user should mind, one sentence each.
    """

    backprojection: Tensor
    views: Tensor
    grid: VolumeGrid
    flipped: tuple[int, ...] = ()
    warnings: tuple[str, ...] = ()


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
    if recipe.geometry == "published":
        grid, flipped = published_grid(size), (1,)
        backprojection, images = published_backprojection(views, size), published_views(views)
    else:
        cube = backprojection_cube(views, size, recipe.spacing_mm)
        grid, backprojection = cube.grid, torch.from_numpy(cube.values)
        images = [torch.from_numpy(view.vessel_mask().astype(np.float32)) for view in views]
    return NetworkInputs(
        backprojection[None, None],
        torch.cat([_resampled(image, recipe.view_size) for image in images], dim=1),
        grid,
        flipped,
        _warnings(views, grid, recipe.geometry),
    )


def _resampled(image: Tensor, size: int) -> Tensor:
    """(rows, columns) -> (1, 1, size, size): area average where it shrinks, bilinear where it grows."""
    given = image[None, None]
    if image.shape == (size, size):
        return given
    if min(image.shape) >= size:
        return interpolate(given, size=(size, size), mode="area")
    return interpolate(given, size=(size, size), mode="bilinear", align_corners=False)


def _warnings(views: Sequence[AngiogramView], grid: VolumeGrid, geometry: str) -> tuple[str, ...]:
    """What the grid cannot hold, and what the authors' geometry costs."""
    beyond = max(_share_beyond(view, grid) for view in views)
    warnings = []
    if beyond > LOST:
        size = f"{grid.extent_mm[0]:.0f} mm"
        warnings.append(f"{beyond:.0%} of a mask are seen beside the network's cube of {size} and are lost.")
    if geometry == "published":
        warnings.append(
            "These weights use another C-arm rotation than DICOM: the result fits the views only roughly where both "
            "angles of a view are far from 0."
        )
    return tuple(warnings)


def _share_beyond(view: AngiogramView, grid: VolumeGrid) -> float:
    """Return the share of the mask's pixels whose rays miss `grid` (slab test)."""
    camera = camera_of(view)
    rays = camera.ray_directions(np.argwhere(view.vessel_mask()).astype(np.float64))
    rays = np.where(rays == 0, np.finfo(float).tiny, rays)
    low = grid.centre_lps_mm - grid.extent_mm / 2 - camera.source
    ends: NDArray[np.float64] = np.stack([low / rays, (low + grid.extent_mm) / rays])
    enters, leaves = ends.min(axis=0).max(axis=1), ends.max(axis=0).min(axis=1)
    return float(np.mean(enters > leaves))
