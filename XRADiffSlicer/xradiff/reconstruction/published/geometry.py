"""Geometry and preprocessing that the authors' weights were trained with; nothing else may use it.

The authors' frame has axes (left, anterior, superior), mm, origin at the isocentre. It differs from
DICOM in two ways: the source turns first about the superior axis by the primary angle, then about the
*left* axis by the secondary angle; and the detector follows the shortest rotation that takes the
source there, which rolls it. Both vanish where one of the angles is 0. Here the result is turned into
a `Camera` in patient LPS axes, so that the projection code needs no second convention.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from ...datatypes import Acquisition, AngiogramView, VolumeGrid
from ...errors import InputError
from ...geometry import Camera
from ...projection.joseph import backproject
from . import PUBLISHED_EDGE_MM

__all__ = ["published_backprojection", "published_camera", "published_grid", "published_views"]

Array = NDArray[np.float64]
GRID = VolumeGrid.centred((128, 128, 128), PUBLISHED_EDGE_MM / 128)
TO_LPS = np.array([1.0, -1.0, 1.0])
ALMOST_ZERO = 1e-8


def published_camera(acquisition: Acquisition, shape: tuple[int, int]) -> Camera:
    """Return the authors' camera, in LPS, of an image of `shape` (rows, columns).

    A patient shift and a detector offset, which the authors do not have, act as they do in
    `geometry.camera_from`.

    Raises:
        InputError: a detector roll, or a view from behind the patient.
    """
    if acquisition.roll_deg:
        raise InputError(f"the authors' geometry has no detector roll, got {acquisition.roll_deg:g} deg")
    rotation = _rotation(acquisition)
    u, d, up = (TO_LPS * column for column in rotation.T)
    offset_u, offset_v = acquisition.detector_offset_mm
    row_mm, column_mm = acquisition.pixel_spacing_mm
    foot = ((shape[0] - 1) / 2 - offset_v / row_mm, (shape[1] - 1) / 2 - offset_u / column_mm)
    source = -acquisition.sod_mm * d - np.asarray(acquisition.table_shift_mm)
    return Camera(source, u, -up, d, acquisition.sid_mm, acquisition.pixel_spacing_mm, foot, shape)


def _to_source(acquisition: Acquisition) -> Array:
    """Unit vector (3,) from the isocentre to the source in (left, anterior, superior)."""
    a, b = np.deg2rad([acquisition.primary_deg, acquisition.secondary_deg])
    return np.array([-np.sin(a), -np.cos(a) * np.cos(b), -np.cos(a) * np.sin(b)])


def _rotation(acquisition: Acquisition) -> Array:
    """The shortest rotation (3, 3) that takes (0, -1, 0) to the source (Rodrigues' formula)."""
    start, end = np.array([0.0, -1.0, 0.0]), _to_source(acquisition)
    axis, cosine = np.cross(start, end), float(start @ end)
    if cosine < -1 + ALMOST_ZERO:
        raise InputError("the authors' geometry does not define a view from behind the patient (180 deg)")
    across = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.asarray(np.eye(3) + across + across @ across / (1 + cosine))


def _adjoint_weight(acquisition: Acquisition) -> float:
    """What ODL multiplies the transpose with, as far as it differs between views.

    The measure of the projection space: the pixel's area times the cell of the angle partition, which
    is twice the rotation angle. It decides which view wins the minimum.
    """
    cosine = float(-_to_source(acquisition)[1])
    angle = float(np.arccos(np.clip(cosine, -1, 1)))
    if angle < ALMOST_ZERO:
        raise InputError("the authors' geometry does not define the view with both angles 0; turn one by 0.1 deg")
    row_mm, column_mm = acquisition.pixel_spacing_mm
    return 2 * angle * row_mm * column_mm


def published_backprojection(views: Sequence[AngiogramView], size: int) -> Tensor:
    """Return their backprojection (size, size, size) in [0, 1], axes (left, anterior, superior).

    ODL's adjoint of each mask on 128^3 voxels of 0.8 mm around the isocentre, minimum over the views
    (eq. 3, 11), scaled to 0..1, trilinear to `size`.

    Raises:
        InputError: a view that their geometry does not define, or masks whose backprojections do not meet.
    """
    volumes = []
    for view in views:
        mask = torch.from_numpy(view.vessel_mask().astype(np.float32))
        camera = published_camera(view.acquisition, view.shape)
        volumes.append(backproject(mask, GRID, camera) * _adjoint_weight(view.acquisition))
    least = torch.stack(volumes).amin(dim=0).flip(1)  # (x, y, z) in LPS -> (left, anterior, superior)
    if not least.max() > 0:
        raise InputError("the backprojected masks do not meet in the authors' grid of 102 mm around the isocentre")
    scaled = (least - least.min()) / (least.max() - least.min() + ALMOST_ZERO)
    return interpolate(scaled[None, None], size=(size,) * 3, mode="trilinear", align_corners=False)[0, 0]


def published_views(views: Sequence[AngiogramView]) -> list[Tensor]:
    """Return their images, (columns, rows) each: transposed, first row at the bottom, 0 or 1."""
    masks = [view.vessel_mask().astype(np.float32) for view in views]
    return [torch.from_numpy(np.ascontiguousarray(mask[::-1].T)) for mask in masks]


def published_grid(size: int) -> VolumeGrid:
    """Return the grid, in LPS, of their volumes; an array of theirs is flipped along axis 1 to fit it."""
    return VolumeGrid.centred((size,) * 3, PUBLISHED_EDGE_MM / size)
