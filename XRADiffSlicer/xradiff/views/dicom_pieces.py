"""Where the frames lie in a DICOM file: found by walking over the pixel data, not by reading it."""

from __future__ import annotations

import io
from bisect import bisect_left
from itertools import pairwise
from pathlib import Path

import pydicom
from pydicom.encaps import parse_basic_offsets, parse_fragments
from pydicom.uid import UID

from ..errors import InputError
from .dicom_layout import PixelLayout

__all__ = ["ClampedFile", "Pieces", "pieces_of"]

Pieces = tuple[tuple[tuple[int, int], ...], ...]
_PIXEL_DATA, _UNDEFINED = 0x7FE00010, 0xFFFFFFFF
_STARTS = (b"\xff\xd8", b"\xff\x4f")  # of JPEG and JPEG-LS, of JPEG 2000 codestreams


class ClampedFile(io.FileIO):
    """A file that reads no more than it holds, whatever length a header declares."""

    def __init__(self, file: Path) -> None:
        super().__init__(file, "rb")
        self.size = self.seek(0, io.SEEK_END)
        self.seek(0)

    def read(self, size: int | None = -1, /) -> bytes:
        """Return up to `size` bytes."""
        left = max(self.size - self.tell(), 0)
        return super().read(left if size is None or size < 0 else min(size, left)) or b""

    def read_at(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes from `offset` on."""
        self.seek(offset)
        return self.read(size)


def pieces_of(stream: ClampedFile, header: pydicom.Dataset, syntax: UID, layout: PixelLayout, file: Path) -> Pieces:
    """Return each frame's parts as (offset, bytes); `stream` stands at the pixel data element.

    Raises:
        InputError: no pixel data, or less of it than `layout` declares.
    """
    big = not syntax.is_little_endian
    head = stream.read(8)
    tag = _number(head[:2], big) << 16 | _number(head[2:4], big)
    if tag != _PIXEL_DATA:
        raise InputError(f"{file} holds no pixel data (is it cut short?)")
    raw = head[4:8]
    if not syntax.is_implicit_VR:
        raw = stream.read(4) if head[4:6] in (b"OB", b"OW", b"UN") else head[6:8]
    if syntax.is_encapsulated:
        return _fragments(stream, header, layout, file)
    length, here = _number(raw, big), stream.tell()
    left = stream.size - here
    there = left if length == _UNDEFINED else min(length, left)
    if there < layout.frames * layout.frame_bytes:
        needed = (
            f"{layout.frames} frames of {layout.rows} x {layout.columns} need {layout.frames * layout.frame_bytes}"
        )
        raise InputError(f"the pixels of {file} cannot be decoded, they are cut short: {needed} bytes, got {there}")
    return tuple(((here + k * layout.frame_bytes, layout.frame_bytes),) for k in range(layout.frames))


def _number(raw: bytes, big_endian: bool) -> int:
    return int.from_bytes(raw, "big" if big_endian else "little")


def _fragments(stream: ClampedFile, header: pydicom.Dataset, layout: PixelLayout, file: Path) -> Pieces:
    """Return where the compressed frames lie: by offset table, else one part a frame, else by their first bytes."""
    starts = parse_basic_offsets(stream)
    first = stream.tell()
    if not starts and (table := header.get("ExtendedOffsetTable")):
        starts = [_number(table[k : k + 8], False) for k in range(0, len(table), 8)]
    _, offsets = parse_fragments(stream)
    parts = [(offset + 8, _number(stream.read_at(offset + 4, 4), False)) for offset in offsets]
    if any(offset + length > stream.size for offset, length in parts):
        raise InputError(
            f"the pixels of {file} cannot be decoded, they are cut short: the last part ends beyond the file"
        )
    if len(parts) == layout.frames:
        frames: Pieces = tuple((part,) for part in parts)
    else:
        if len(starts) != layout.frames or starts != sorted(starts):
            known = [o - first for o, (at, _) in zip(offsets, parts, strict=True) if stream.read_at(at, 2) in _STARTS]
            starts = [0] if layout.frames == 1 else known
        cuts = [*(bisect_left(offsets, first + start) for start in starts), len(parts)]
        frames = tuple(tuple(parts[low:high]) for low, high in pairwise(cuts))
    if len(frames) != layout.frames or not all(frames):
        raise InputError(
            f"the pixels of {file} cannot be decoded: {layout.frames} frames were declared, got {len(parts)} parts"
        )
    return frames
