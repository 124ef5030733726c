"""The image pixel module of a DICOM header: what it declares, held against limits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pydicom

from ..errors import InputError
from .header_values import shown, text_in

__all__ = ["PixelLayout", "layout_of"]

MOST_ROWS, MOST_FRAMES = 8192, 10_000


@dataclass(frozen=True)
class PixelLayout:
    """How the header says that pixels are stored.

    Attributes:
        frames: number of frames.
        rows: rows of a frame.
        columns: columns of a frame.
        samples: 1 (grey) or 3 (colour).
        allocated: bits that a sample takes, 8 or 16.
        stored: bits of it that count.
        signed: whether samples are two's complement.
        photometric: photometric interpretation, for example "MONOCHROME2".
        planar: whether a colour frame is stored plane after plane.
    """

    frames: int
    rows: int
    columns: int
    samples: int
    allocated: int
    stored: int
    signed: bool
    photometric: str
    planar: bool

    @property
    def frame_bytes(self) -> int:
        """Bytes of one decoded frame."""
        return self.rows * self.columns * self.samples * self.allocated // 8


def layout_of(header: pydicom.Dataset, file: Path) -> PixelLayout:
    """Return the image pixel module of `header`.

    Raises:
        InputError: a number is missing or not accepted; says which.
    """

    def whole(keyword: str, usual: int | None, accepted: range | tuple[int, ...]) -> int:
        value = header.get(keyword)
        if value is None and usual is None:
            raise InputError(f"{file} holds no image: {keyword} is missing (is it cut short?)")
        number = int(usual if value is None or value == "" else value)  # type: ignore[arg-type]
        if number not in accepted:
            words = (
                f"{accepted[0]} to {accepted[-1]}" if isinstance(accepted, range) else " or ".join(map(str, accepted))
            )
            raise InputError(f"{keyword} of {file} must be {words}, got {number}")
        return number

    photometric = text_in(header, "PhotometricInterpretation") or "MONOCHROME2"
    if not photometric.startswith(("MONOCHROME", "RGB", "YBR")):
        raise InputError(
            f"{file} is a coloured picture ({shown(photometric)}), not an X-ray run; export the original XA run"
        )
    allocated = whole("BitsAllocated", None, (8, 16))
    return PixelLayout(
        frames=whole("NumberOfFrames", 1, range(1, MOST_FRAMES + 1)),
        rows=whole("Rows", None, range(1, MOST_ROWS + 1)),
        columns=whole("Columns", None, range(1, MOST_ROWS + 1)),
        samples=whole("SamplesPerPixel", 1, (1, 3)),
        allocated=allocated,
        stored=whole("BitsStored", allocated, range(1, allocated + 1)),
        signed=bool(whole("PixelRepresentation", 0, (0, 1))),
        photometric=photometric,
        planar=bool(whole("PlanarConfiguration", 0, (0, 1))),
    )
