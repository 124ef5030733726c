"""What a compressed frame says of its own size, read before a decoder takes memory for it."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import InputError

__all__ = ["Codestream", "codestream_of"]

_SOC, _SIZ, _SOI, _SOS = b"\xff\x4f", b"\xff\x51", b"\xff\xd8", 0xDA
# start-of-frame markers: JPEG C0 to CF but for the tables C4, C8, CC; F7 is JPEG-LS
_FRAMES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}


@dataclass(frozen=True)
class Codestream:
    """Size declared inside a JPEG, JPEG-LS or JPEG 2000 frame.

    Attributes:
        rows: number of rows.
        columns: number of columns.
        samples: components.
        bits: bits of a sample.
    """

    rows: int
    columns: int
    samples: int
    bits: int


def codestream_of(data: bytes) -> Codestream:
    """Return the size that a compressed frame declares (ITU-T T.81 B.2.2, T.87 C.1, T.800 A.5.1).

    Raises:
        InputError: it is no such frame, or it ends before its size.
    """
    if data[:2] == _SOC:
        return _jpeg_2000(data)
    if data[:2] != _SOI:
        raise InputError("a compressed frame does not begin as JPEG, JPEG-LS or JPEG 2000 do")
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
        elif marker in _FRAMES and at + 10 <= len(data):
            return Codestream(_number(data, at + 5, 2), _number(data, at + 7, 2), data[at + 9], data[at + 4])
        elif marker == _SOS:
            break
        else:
            at += 2 + _number(data, at + 2, 2)
    raise InputError("a compressed frame is damaged: it does not say its size")


def _jpeg_2000(data: bytes) -> Codestream:
    if data[2:4] != _SIZ or len(data) < 41:
        raise InputError("a compressed frame is damaged: it does not say its size")
    right, bottom, left, top = (_number(data, 8 + 4 * k, 4) for k in range(4))
    return Codestream(bottom - top, right - left, _number(data, 40, 2), (data[42] & 0x7F) + 1)


def _number(data: bytes, at: int, count: int) -> int:
    return int.from_bytes(data[at : at + count], "big")
