"""Image files (PNG, TIFF, NRRD, NIfTI, ...) -> one 2D array of grey values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ..errors import InputError
from ..memory import check_memory

__all__ = ["grey", "read_image"]

ACCEPTED = "PNG, TIFF, JPEG, BMP, NRRD, NIfTI or MetaImage"


def read_image(file: Path) -> NDArray[np.generic]:
    """Return the pixels (rows, columns) of a single 2D image, row 0 as stored first.

    Raises:
        InputError: not an image, more than one slice, or coloured.
    """
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(file))
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        reader.ReadImageInformation()
        check_memory(2.0 * np.prod(reader.GetSize(), dtype=float), f"reading {file.name}", "use a smaller image")
        array = sitk.GetArrayFromImage(reader.Execute())
    except RuntimeError:
        raise InputError(f"not an image that can be read: {file}; accepted are {ACCEPTED}, or XA DICOM") from None
    channels = reader.GetNumberOfComponents()
    slices = array.reshape((-1, *array.shape[-3:]) if channels > 1 else (-1, *array.shape[-2:]))
    if len(slices) != 1:
        raise InputError(f"an image of one slice is needed, got {len(slices)} slices: {file}")
    return grey(slices[0], str(file)) if channels > 1 else slices[0]


def grey(image: NDArray[np.generic], origin: str) -> NDArray[np.generic]:
    """Return the one channel of an (rows, columns, channels) image whose colour channels are all equal.

    An alpha channel is left out.

    Raises:
        InputError: the image has colours.
    """
    colours = image[..., :1] if image.shape[-1] == 2 else image[..., :3]
    if np.any(colours != colours[..., :1]):
        raise InputError(f"a grey image or mask is needed, got a colour image: {origin}")
    return np.ascontiguousarray(colours[..., 0])
