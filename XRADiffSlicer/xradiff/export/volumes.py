"""Sparse volume -> NIfTI. SimpleITK takes LPS and writes the RAS affine; nothing here flips an axis."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..datatypes import SparseVolume, VolumeGrid
from ..memory import check_memory

__all__ = ["MARGIN", "shared_box", "write_image", "write_volume"]

MARGIN = 2
"""Empty voxels around the result in the files."""


def shared_box(*volumes: SparseVolume) -> tuple[NDArray[np.int64], tuple[int, int, int]]:
    """Return first index and shape of the box around all voxels of volumes on one grid, with margin."""
    filled = [volume.indices for volume in volumes if len(volume.indices)]
    first = np.min([indices.min(axis=0) for indices in filled], axis=0).astype(np.int64) - MARGIN
    last = np.max([indices.max(axis=0) for indices in filled], axis=0).astype(np.int64) + MARGIN
    x, y, z = (int(count) for count in last - first + 1)
    return first, (x, y, z)


def write_volume(
    path: Path, volume: SparseVolume, first: NDArray[np.int64], shape: tuple[int, int, int], *, binary: bool
) -> None:
    """Write the box (`first`, `shape`) of `volume`: uint8 zeros and ones if `binary`, else float32.

    Raises:
        InputError: the box does not fit into memory.
        OSError: the file cannot be written.
    """
    import SimpleITK as sitk

    grid: VolumeGrid = volume.grid.cropped([int(i) for i in first], shape)
    dtype = np.uint8 if binary else np.float32
    check_memory(2.0 * grid.size * np.dtype(dtype).itemsize, f"writing {path.name}", "choose larger voxels")
    dense = np.zeros(shape[::-1], dtype=dtype)  # SimpleITK's arrays are (z, y, x)
    dense[tuple((volume.indices - first).T[::-1])] = 1 if binary else volume.values
    image = sitk.GetImageFromArray(dense)
    image.SetSpacing(grid.spacing_mm)
    image.SetOrigin(grid.origin_lps_mm)
    write_image(path, image)


def write_image(path: Path, image: Any) -> None:
    """Write a SimpleITK image, compressed.

    Raises:
        OSError: the file cannot be written.
    """
    import SimpleITK as sitk

    try:
        sitk.WriteImage(image, str(path), useCompression=True)
    except RuntimeError as error:
        raise OSError(f"{path.name} could not be written: {str(error).strip().splitlines()[-1]}") from None
