"""Trees -> a CTA-like label file: the way back of `read_label`, for tests and for users without CTA data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...centreline_tree import CentrelineTree
from ...checks import check_finite_vector, check_range
from ...datatypes import VolumeGrid
from ...errors import InputError
from ...memory import check_memory
from ..tubes import TubeTree, occupancy, tubes_of
from .volume import SPACING_MM

__all__ = ["write_label"]

Array = NDArray[np.float64]
_MARGIN = 3  # empty voxels around the trees


def write_label(
    path: str | Path,
    trees: Sequence[CentrelineTree],
    spacing_mm: Sequence[float] = (0.35, 0.35, 0.5),
    direction: ArrayLike = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
) -> None:
    """Write the voxels whose centres lie in `trees` as one binary image (uint8, NIfTI or NRRD).

    Args:
        path: file to write; ".nii.gz" as ImageCAS has it.
        trees: one or more trees in one LPS frame.
        spacing_mm: voxel edges along the three stored axes.
        direction: (3, 3) orthonormal; column n is the LPS direction of stored axis n. Flips and oblique axes
            are accepted; a NIfTI file then holds the same facts as a RAS affine.

    Raises:
        InputError: no tree, a tree without open vessel, a spacing no label can have, axes that are not orthonormal.
        OSError: the file cannot be written.
    """
    spacing = check_finite_vector("label spacing", spacing_mm, 3)
    for value in spacing:
        check_range("label spacing", value, *SPACING_MM, unit="mm")
    axes = np.asarray(direction, dtype=float)
    if axes.shape != (3, 3) or not np.allclose(axes.T @ axes, np.eye(3), atol=1e-6):
        raise InputError(f"label axes must be a (3, 3) orthonormal matrix, got {axes.tolist()}")
    if not trees:
        raise InputError("a label needs at least one tree, got none")
    turned = [tubes_of(tree).transform(axes.T) for tree in trees]  # into the label's own axes
    grid = _grid(turned, spacing)
    dense = np.zeros(grid.shape, dtype=np.uint8)
    for tubes in turned:
        dense[tuple(occupancy(tubes, grid).indices.T)] = 1
    _write(Path(path), dense, grid, axes)


def _grid(trees: Sequence[TubeTree], spacing: tuple[float, ...]) -> VolumeGrid:
    """Return the grid, along the label's axes, that holds all trees."""
    tubes = [tube for tree in trees for tube in tree.tubes]
    low = np.min([(tube.points_lps_mm - tube.radii_mm[:, None]).min(axis=0) for tube in tubes], axis=0)
    high = np.max([(tube.points_lps_mm + tube.radii_mm[:, None]).max(axis=0) for tube in tubes], axis=0)
    first = np.floor(low / spacing) - _MARGIN
    x, y, z = (int(count) for count in np.ceil(high / spacing) + _MARGIN - first + 1)
    check_memory(2.0 * x * y * z, "writing the label", "choose larger voxels")
    origin = first * spacing
    return VolumeGrid((x, y, z), spacing, (float(origin[0]), float(origin[1]), float(origin[2])))  # type: ignore[arg-type]


def _write(path: Path, dense: NDArray[np.uint8], grid: VolumeGrid, axes: Array) -> None:
    """Write voxels (I, J, K) along `axes`."""
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(dense.transpose(2, 1, 0))  # SimpleITK's arrays are (k, j, i)
    image.SetSpacing(grid.spacing_mm)
    image.SetDirection(axes.ravel().tolist())
    image.SetOrigin((axes @ np.asarray(grid.origin_lps_mm)).tolist())
    try:
        sitk.WriteImage(image, str(path), useCompression=True)
    except RuntimeError as error:
        raise OSError(f"{path.name} could not be written: {str(error).strip().splitlines()[-1]}") from None
