"""Pixel data in parts: damaged tables and parts, frames that are no codestreams, syntaxes that cannot be read."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import UID, JPEG2000Lossless, JPEGLSLossless
from xradiff.errors import InputError
from xradiff.views import read_run
from xradiff.views.codestreams import codestream_of

sys.path.append(str(Path(__file__).parent))
import xa_files
from xa_files import compressed, encoded, saved, smooth


def parts(*codes, declared=None, table=b""):
    """Return encapsulated pixel data of these parts, the last one declared as long as `declared`."""
    data = b"\xfe\xff\x00\xe0" + struct.pack("<L", len(table)) + table
    for number, code in enumerate(codes):
        length = declared if declared is not None and number == len(codes) - 1 else len(code)
        data += b"\xfe\xff\x00\xe0" + struct.pack("<L", length) + code
    return data + b"\xfe\xff\xdd\xe0\0\0\0\0"


LS = xa_files.JPEG_LS_12 + b"\0" * (len(xa_files.JPEG_LS_12) % 2)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (parts(LS, LS, declared=2**31), "cut short: the last part ends beyond the file"),
        (parts(LS, LS, declared=0xFFFFFFFF), "cannot be decoded"),
        (parts(LS, LS, LS), "2 frames were declared, got 3 parts"),
        (parts(LS), "2 frames were declared, got 1 parts"),
        (parts(), "2 frames were declared, got 0 parts"),
        (parts(LS, LS, table=b"abc\0ab"), "multiple of 4"),
        (parts(b"", b"", b"", LS, table=struct.pack("<LL", 2**31, 5)), "2 frames were declared, got 4 parts"),
        (b"\x00" * 40, "cannot be decoded"),
    ],
)
def test_damaged_parts_are_refused(tmp_path, data, message):
    dataset = compressed([LS, LS], JPEGLSLossless)
    dataset.PixelData = data
    dataset["PixelData"].is_undefined_length = True
    path = tmp_path / "run.dcm"
    raw = saved(path, compressed([b"\1\2\3\4"], JPEGLSLossless, NumberOfFrames=2)).read_bytes()
    at = raw.index(b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff") + 12
    path.write_bytes(raw[:at] + data)
    with pytest.raises(InputError, match=message):
        read_run(path).frame(0)


@pytest.mark.parametrize(
    "code", [b"", b"\xff\xd8", b"\xff\xd8\xff\xff\xff", b"\xff\xd8\xff\xda\0\4", b"\xff\x4f\xff\x51\0\0", b"GIF8"]
)
def test_a_frame_that_is_no_codestream_is_refused(code):
    with pytest.raises(InputError, match="a compressed frame"):
        codestream_of(code)


def test_a_corrupt_frame_is_refused_and_the_others_are_read(tmp_path):
    good = encoded(smooth(), "JPEG2000", tmp_path)
    path = saved(tmp_path / "run.dcm", compressed([good, good[:100], good], JPEG2000Lossless))
    run = read_run(path)
    np.testing.assert_array_equal(run.frame(2), smooth())
    with pytest.raises(InputError, match=r"frame 1 of .* cannot be decoded") as caught:
        run.frame(1)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("syntax", "message"),
    [
        ("1.2.840.10008.1.2.1.99", "deflated DICOM file; accepted are"),
        ("1.2.840.10008.1.2.4.102", "compressed as 'MPEG-4"),
    ],
)
def test_other_transfer_syntaxes_are_named(tmp_path, syntax, message):
    path = saved(tmp_path / "run.dcm", compressed([LS], JPEGLSLossless))
    content = path.read_bytes()
    old = str(JPEGLSLossless).encode() + b"\0" * (len(JPEGLSLossless) % 2)
    new = UID(syntax).encode().ljust(len(old) + 2, b"\0")
    at = content.index(old)
    group = struct.unpack("<L", content[140:144])[0] + 2
    content = content[: at - 2] + struct.pack("<H", len(new)) + new + content[at + len(old) :]
    path.write_bytes(content[:140] + struct.pack("<L", group) + content[144:])
    with pytest.raises(InputError, match=message):
        read_run(path).frame(0)
