"""One frame of a DICOM file: its bytes -> stored values, plain or compressed.

Compressed frames are decoded one at a time by the codecs of GDCM (BSD) inside SimpleITK, which Slicer ships:
JPEG baseline, extended and lossless, JPEG-LS, JPEG 2000. RLE is decoded by pydicom. So no further package is
needed. A frame goes to GDCM as a small file of its own, made of checked numbers only.
"""

from __future__ import annotations

import os
import re
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels import get_decoder
from pydicom.uid import (
    JPEG2000,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
    SecondaryCaptureImageStorage,
    generate_uid,
)

from ..errors import InputError
from .codestreams import codestream_of
from .dicom_file import DicomFile
from .dicom_layout import PixelLayout
from .header_values import shown

__all__ = ["stored_frame"]

_BY_GDCM = (
    JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1, JPEGLSLossless, JPEGLSNearLossless,
    JPEG2000Lossless, JPEG2000,
)  # fmt: skip
# what libjpeg says on stderr, and no more than that, of a frame that it fills up with grey
_FILLED_UP = re.compile(r"premature end|bad Huffman code|found marker .* instead of RST")
_STDERR = 2


def stored_frame(file: DicomFile, frame: int) -> NDArray[np.generic]:
    """Return the values of one frame as stored: (rows, columns), or (rows, columns, 3) when coloured.

    Raises:
        InputError: a transfer syntax that cannot be read, or pixels that cannot be decoded.
    """
    data, layout = file.frame_bytes(frame), file.layout
    if not file.syntax.is_encapsulated:
        return _native(data, layout, "<" if file.syntax.is_little_endian else ">")
    if file.syntax != RLELossless and file.syntax not in _BY_GDCM:
        raise InputError(
            f"{file.path} is compressed as {shown(file.syntax.name)}; accepted are uncompressed, JPEG, JPEG-LS, "
            "JPEG 2000 and RLE"
        )
    try:
        image = _rle(data, layout) if file.syntax == RLELossless else _by_gdcm(data, file)
        if image.shape != ((layout.rows, layout.columns) if layout.samples == 1 else (layout.rows, layout.columns, 3)):
            raise InputError(f"decoding gives {image.shape}")
    except Exception as error:  # decoders raise many kinds
        reason = " ".join(str(error).split()).rpartition("available plugins: ")[2][:160]
        raise InputError(f"frame {frame} of {file.path} cannot be decoded ({reason})") from None
    return image


def _native(data: bytes, layout: PixelLayout, order: str) -> NDArray[np.generic]:
    values = np.frombuffer(data, np.dtype(f"{order}{'i' if layout.signed else 'u'}{layout.allocated // 8}"))
    values = values.astype(values.dtype.newbyteorder("="))
    if layout.samples == 1:
        return values.reshape(layout.rows, layout.columns)
    if layout.planar:
        return np.moveaxis(values.reshape(3, layout.rows, layout.columns), 0, -1)
    return values.reshape(layout.rows, layout.columns, 3)


def _rle(data: bytes, layout: PixelLayout) -> NDArray[np.generic]:
    single = _single(data, layout)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values, _ = get_decoder(RLELossless).as_array(_with_meta(single, RLELossless), raw=True)
    return values


def _by_gdcm(data: bytes, file: DicomFile) -> NDArray[np.generic]:
    """Decode by GDCM, when what the frame says of itself is what the header says."""
    layout, said = file.layout, codestream_of(data)
    if (said.rows, said.columns, said.samples) != (layout.rows, layout.columns, layout.samples):
        raise InputError(f"it declares {said.rows} x {said.columns} x {said.samples}, unlike the header")
    if said.bits > layout.allocated:
        raise InputError(f"it declares {said.bits} bits, the header {layout.allocated}")
    with tempfile.TemporaryDirectory() as folder:
        single = Path(folder) / "frame.dcm"
        _with_meta(_single(data, layout), file.syntax).save_as(single, enforce_file_format=True)
        reader = sitk.ImageFileReader()
        reader.SetImageIO("GDCMImageIO")
        reader.SetFileName(str(single))
        sitk.ProcessObject.SetGlobalWarningDisplay(False)
        image, said_aloud = _overheard(reader.Execute)
    if image is None or _FILLED_UP.search(said_aloud):
        raise InputError("its compressed data are damaged or cut short")
    values = sitk.GetArrayFromImage(image)
    return values.reshape(values.shape[-2 - (layout.samples > 1) :])


def _overheard(decode: Callable[[], sitk.Image]) -> tuple[sitk.Image | None, str]:
    """Return what `decode` returns (None where it fails) and what the codecs wrote on stderr meanwhile."""
    try:
        usual = os.dup(_STDERR)
    except OSError:  # a program without a console has none
        return _tried(decode), ""
    with tempfile.TemporaryFile() as heard:
        try:
            os.dup2(heard.fileno(), _STDERR)
            image = _tried(decode)
        finally:
            os.dup2(usual, _STDERR)
            os.close(usual)
        heard.seek(0)
        return image, heard.read().decode("utf-8", "replace")


def _tried(decode: Callable[[], sitk.Image]) -> sitk.Image | None:
    try:
        return decode()
    except RuntimeError:  # its message names addresses and lines of the codec, nothing that a user can act on
        return None


def _single(data: bytes, layout: PixelLayout) -> Dataset:
    """Return a data set of one compressed frame and what a decoder must know of it."""
    single = Dataset()
    single.SOPClassUID, single.SOPInstanceUID = SecondaryCaptureImageStorage, generate_uid(entropy_srcs=["frame"])
    single.Rows, single.Columns, single.SamplesPerPixel = layout.rows, layout.columns, layout.samples
    single.PhotometricInterpretation = "MONOCHROME2" if layout.samples == 1 else layout.photometric
    if layout.samples > 1:
        single.PlanarConfiguration = 0
    single.BitsAllocated, single.BitsStored, single.HighBit = layout.allocated, layout.stored, layout.stored - 1
    single.PixelRepresentation = int(layout.signed)
    single.PixelData = encapsulate([data])
    return single


def _with_meta(single: Dataset, syntax: str) -> Dataset:
    single.file_meta = FileMetaDataset()
    single.file_meta.TransferSyntaxUID = syntax
    single.file_meta.MediaStorageSOPClassUID = single.SOPClassUID
    single.file_meta.MediaStorageSOPInstanceUID = single.SOPInstanceUID
    single["PixelData"].VR = "OB"
    return single
