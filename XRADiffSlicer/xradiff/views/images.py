"""Image files (PNG, TIFF, NRRD, NIfTI, ...) -> one 2D array of grey values."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ..errors import InputError
from ..memory import check_memory

__all__ = ["grey", "read_image"]

ACCEPTED = "PNG, TIFF, JPEG, BMP, PGM, NRRD, NIfTI or MetaImage"
_PGM = re.compile(rb"P([25])" + 3 * rb"(?:\s|#[^\n]*\n)+(\d{1,9})" + rb"\s")


def read_image(file: Path) -> NDArray[np.generic]:
    """Return the pixels (rows, columns) of a single 2D image, row 0 as stored first.

    Raises:
        InputError: not an image, more than one slice, or coloured.
    """
    if file.suffix.lower() == ".pgm":
        return _read_pgm(file)
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


def _read_pgm(file: Path) -> NDArray[np.generic]:
    """Return the pixels of a portable grey map (SimpleITK reads none)."""
    raw = file.read_bytes()
    head = _PGM.match(raw)
    columns, rows, top = (int(word) for word in head.groups()[1:]) if head else (0, 0, 0)
    kind = np.dtype(">u2" if top > 255 else "u1")
    try:
        if head is None or not 0 < top < 65536:
            raise ValueError
        if head[1] == b"2":
            return np.array(raw[head.end() :].split(), dtype=np.uint16).reshape(rows, columns)
        return (
            np.frombuffer(raw, kind, rows * columns, head.end()).reshape(rows, columns).astype(kind.newbyteorder("="))
        )
    except (ValueError, OverflowError):
        raise InputError(f"not a PGM image that can be read: {file}") from None


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
