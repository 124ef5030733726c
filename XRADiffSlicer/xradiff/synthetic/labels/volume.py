"""A CTA label as its file holds it: binary voxels and the affine that places them in patient LPS mm."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...checks import check_range
from ...errors import InputError
from ...files import existing_file

__all__ = ["LabelVolume", "read_label"]

Array = NDArray[np.float64]
SPACING_MM = (0.1, 3.0)
"""Voxel edges that a coronary label can have; beyond them the header holds no real spacing."""


@dataclass(frozen=True, eq=False)
class LabelVolume:
    """Binary voxels in the order in which their file stores them, with the affine to LPS.

    Attributes:
        inside: (I, J, K) boolean, at least one voxel set.
        spacing_mm: voxel edge along the three array axes.
        direction: (3, 3) orthonormal; column n is the LPS direction of array axis n.
        origin_lps_mm: (3,) centre of voxel (0, 0, 0) in the scanner's LPS frame.

    Raises:
        InputError: no voxel is set, a spacing no label can have, axes that are not orthonormal.
    """

    inside: NDArray[np.bool_]
    spacing_mm: tuple[float, float, float]
    direction: Array
    origin_lps_mm: Array

    def __post_init__(self) -> None:
        if self.inside.ndim != 3 or not self.inside.any():
            raise InputError(f"a label must be 3-D with at least one vessel voxel, got shape {self.inside.shape}")
        for value in self.spacing_mm:
            check_range("label voxel spacing", value, *SPACING_MM, unit="mm")
        if not np.allclose(self.direction.T @ self.direction, np.eye(3), atol=1e-3):
            raise InputError("the label's axes must be perpendicular unit vectors; its affine is degenerate")
        if not np.isfinite(self.origin_lps_mm).all():
            raise InputError(f"the label's origin must be finite, got {self.origin_lps_mm}")

    @property
    def voxel_mm3(self) -> float:
        """Volume of one voxel."""
        return float(np.prod(self.spacing_mm))

    def points_lps_mm(self, indices: ArrayLike) -> Array:
        """Return the LPS positions (N, 3) of (fractional) array indices (N, 3)."""
        return self.origin_lps_mm + (np.asarray(indices) * self.spacing_mm) @ self.direction.T

    def indices(self, points_lps_mm: ArrayLike) -> Array:
        """Return the fractional array indices (N, 3) of LPS positions (N, 3)."""
        return (np.asarray(points_lps_mm) - self.origin_lps_mm) @ self.direction / self.spacing_mm

    def voxels(self) -> NDArray[np.int64]:
        """Return the array indices (N, 3) of the set voxels, in lexicographic order."""
        flat = np.flatnonzero(self.inside)
        return np.stack(np.unravel_index(flat, self.inside.shape), axis=1).astype(np.int64)

    def with_voxels(self, indices: NDArray[np.integer]) -> LabelVolume:
        """Return the label, cropped, that holds only the voxels `indices` (N, 3).

        Raises:
            InputError: `indices` is empty.
        """
        if len(indices) == 0:
            raise InputError("the label has no vessel voxel left")
        first = indices.min(axis=0)
        inside = np.zeros(indices.max(axis=0) - first + 1, dtype=bool)
        inside[tuple((indices - first).T)] = True
        return LabelVolume(inside, self.spacing_mm, self.direction, self.points_lps_mm(first[None])[0])


def read_label(path: str | Path) -> LabelVolume:
    """Read a binary coronary label (NIfTI as ImageCAS has it, or NRRD) and crop it to its voxels.

    The affine alone says where patient left is; the order and direction of the stored axes do not matter.
    Positions stay in the scanner's frame (LPS mm); whoever images the tree moves it to the isocentre.

    Raises:
        InputError: no such file, not an image, not 3-D, empty, not binary, without orientation or spacing.
    """
    file = existing_file(path, "the coronary label")
    image = _read_image(file)
    _check_orientation(image, file)
    values = _binary_values(image, file)
    label = LabelVolume(
        values,
        tuple(float(value) for value in image.GetSpacing()),  # type: ignore[arg-type]
        np.asarray(image.GetDirection()).reshape(3, 3),
        np.asarray(image.GetOrigin()),
    )
    return label.with_voxels(label.voxels())


def _read_image(file: Path) -> Any:
    """Return the 3-D SimpleITK image in `file`."""
    import SimpleITK as sitk

    try:
        image = sitk.ReadImage(str(file))
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise InputError(f"the coronary label {file} cannot be read as an image: {reason}") from None
    if image.GetDimension() == 4 and image.GetSize()[3] == 1:
        image = image[:, :, :, 0]
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise InputError(f"the coronary label {file} must be one 3-D volume, got size {image.GetSize()}")
    return image


def _binary_values(image: Any, file: Path) -> NDArray[np.bool_]:
    """Return which voxels (I, J, K) are set, after checking that there are two values, one of them 0."""
    import SimpleITK as sitk

    array = sitk.GetArrayFromImage(image).transpose(2, 1, 0)  # SimpleITK's arrays are (k, j, i)
    inside: NDArray[np.bool_] = array != 0
    if not inside.any():
        raise InputError(f"the coronary label {file} is empty: every voxel is 0")
    highest = array.max()
    if inside.all() or not np.array_equal(array == highest, inside):
        low, high = float(array.min()), float(highest)
        raise InputError(f"the coronary label {file} must be binary (0 and one other value), got {low:g} to {high:g}")
    return inside


def _check_orientation(image: Any, file: Path) -> None:
    """Refuse a NIfTI whose header has neither qform nor sform: nothing then tells left from right."""
    codes = [image.GetMetaData(key) for key in ("qform_code", "sform_code") if image.HasMetaDataKey(key)]
    if codes and all(float(code) == 0 for code in codes):
        raise InputError(f"the coronary label {file} has no orientation (qform and sform codes are 0)")
    zeros = [key for key in ("pixdim[1]", "pixdim[2]", "pixdim[3]") if _number(image, key) == 0]
    if zeros:
        raise InputError(f"the coronary label {file} has no voxel spacing ({', '.join(zeros)} is 0)")


def _number(image: Any, key: str) -> float | None:
    """Return a header value, None where the header has none."""
    return float(image.GetMetaData(key)) if image.HasMetaDataKey(key) else None
