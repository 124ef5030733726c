"""A DICOM file on disk -> its header and where each frame's bytes lie, without reading the frames.

Files come from outside: everything declared is compared with what the file really holds before memory is taken
for it, private and unknown elements are passed over unread, and whatever is wrong becomes one line.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
from pydicom.filereader import data_element_generator
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from ..errors import InputError
from .dicom_layout import PixelLayout, layout_of
from .dicom_pieces import ClampedFile, Pieces, pieces_of

__all__ = ["DicomFile", "is_dicom", "one_line", "open_dicom"]

# everything that is read; all other elements are passed over
_KEYWORDS = (
    "SOPClassUID", "ImageType", "Modality", "DerivationDescription", "PatientID", "IssuerOfPatientID",
    "PatientBirthDate", "StudyInstanceUID", "SeriesInstanceUID", "CineRate", "FrameTime", "FrameTimeVector",
    "HeartRate", "RecommendedDisplayFrameRate",
    "DistanceSourceToDetector", "DistanceSourceToPatient", "DistanceSourceToIsocenter", "ImagerPixelSpacing",
    "EstimatedRadiographicMagnificationFactor", "FieldOfViewDimensions", "FieldOfViewOrigin",
    "FieldOfViewRotation", "FieldOfViewHorizontalFlip", "DetectorActiveDimensions", "DetectorElementSpacing",
    "PositionerPrimaryAngle", "PositionerSecondaryAngle", "PositionerPrimaryAngleIncrement",
    "PositionerSecondaryAngleIncrement", "PositionerIsocenterPrimaryAngle", "PositionerIsocenterSecondaryAngle",
    "TableVerticalIncrement", "TableLateralIncrement", "TableLongitudinalIncrement",
    "ShutterShape", "ShutterLeftVerticalEdge", "ShutterRightVerticalEdge", "ShutterUpperHorizontalEdge",
    "ShutterLowerHorizontalEdge", "CenterOfCircularShutter", "RadiusOfCircularShutter",
    "VerticesOfThePolygonalShutter", "CollimatorShape", "CollimatorLeftVerticalEdge",
    "CollimatorRightVerticalEdge", "CollimatorUpperHorizontalEdge", "CollimatorLowerHorizontalEdge",
    "CenterOfCircularCollimator", "RadiusOfCircularCollimator", "VerticesOfThePolygonalCollimator",
    "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames", "Rows", "Columns",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelIntensityRelationship",
    "PixelIntensityRelationshipSign", "RecommendedViewingMode", "RWavePointer", "WaveformSequence",
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
)  # fmt: skip
_CURVE_ELEMENTS = (0x0005, 0x0010, 0x0020, 0x0030, 0x0103, 0x0110, 0x0112, 0x0114, 0x3000)
_CURVES = [0x50000000 + 0x20000 * group + element for group in range(16) for element in _CURVE_ELEMENTS]
_BARE = (b"DICM", b"\x02\0\0\0UL", b"\x08\0\0\0", b"\x08\0\x05\0", b"\x08\0\x08\0")
"""First bytes of files that lack the preamble: the mark alone, or elements (0002,0000), (0008,0000), -0005, -0008."""
_TAGS: list[Any] = [*_KEYWORDS, *_CURVES]


@dataclass(frozen=True, eq=False)
class DicomFile:
    """An image file whose declared sizes fit what it holds.

    Attributes:
        path: the file.
        header: the elements that are used, without pixels.
        syntax: transfer syntax.
        layout: how pixels are stored.
        pieces: a frame's parts as (offset, bytes) in the file, frame after frame.
    """

    path: Path
    header: pydicom.Dataset
    syntax: UID
    layout: PixelLayout
    pieces: Pieces

    def frame_bytes(self, frame: int) -> bytes:
        """Return the bytes of one frame as they lie in the file (a compressed frame's parts joined).

        Raises:
            InputError: the file cannot be read any more.
        """
        try:
            with ClampedFile(self.path) as stream:
                return b"".join(stream.read_at(*piece) for piece in self.pieces[frame])
        except OSError as error:
            raise InputError(f"{self.path} cannot be read ({error.strerror})") from None


def is_dicom(file: Path) -> bool:
    """Return whether the file begins as DICOM Part 10 does ("DICM" at byte 128).

    Raises:
        InputError: it begins with the elements of DICOM at once, as old archives wrote them.
    """
    with file.open("rb") as stream:
        begin = stream.read(132)
    if begin.startswith(_BARE):
        raise InputError(
            f"{file} is DICOM without the 132 bytes that begin a file (PS3.10); write it again with them, for example "
            "with dcmconv of DCMTK"
        )
    return begin[128:] == b"DICM"


def open_dicom(file: Path) -> DicomFile:
    """Return the header of an image file and where its frames lie; no pixel is read.

    Raises:
        InputError: not readable, no image, a size that is not accepted or that the file does not hold.
    """
    with one_line(f"not a readable DICOM file: {file}"), ClampedFile(file) as stream:
        if _is_deflated(stream):
            raise InputError(
                f"{file} is a deflated DICOM file; accepted are uncompressed, JPEG, JPEG-LS, JPEG 2000 and RLE"
            )
        header = pydicom.dcmread(stream, stop_before_pixels=True, specific_tags=_TAGS)
        _settle(header)
        if "TransferSyntaxUID" not in header.file_meta:
            raise InputError(f"not a readable DICOM file: {file} (it names no transfer syntax; is it cut short?)")
        syntax = UID(header.file_meta.TransferSyntaxUID)
        layout = layout_of(header, file)
        with one_line(f"the pixels of {file} cannot be decoded"):
            return DicomFile(file, header, syntax, layout, pieces_of(stream, header, syntax, layout, file))


@contextmanager
def one_line(what: str) -> Iterator[None]:
    """Turn whatever a broken file causes (pydicom raises many kinds) into one line that begins with `what`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # oddities of a header are no news to a user
            yield
    except InputError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise InputError(f"{what} ({reason})") from None


def _is_deflated(stream: ClampedFile) -> bool:
    """Return whether pydicom would inflate the file, to whatever size; leaves the stream at its beginning."""
    stream.seek(132)
    meta = data_element_generator(stream, False, True, lambda tag, vr, length: tag.group != 2)
    syntaxes = [element.value for element in meta if element.tag == 0x00020010]
    stream.seek(0)
    return any(str(DeflatedExplicitVRLittleEndian).encode() in (value or b"") for value in syntaxes)


def _settle(dataset: pydicom.Dataset) -> None:
    """Convert every value now, where a broken one does no harm: it is left out, as if it were missing."""
    for tag in list(dataset.keys()):
        try:
            element = dataset[tag]
            for item in element.value if element.VR == "SQ" else ():
                _settle(item)
        except Exception:  # pydicom raises many kinds
            del dataset[tag]
