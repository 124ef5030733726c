"""Broken and hostile DICOM: an answer or one clear line, in little memory; what fuzzing found is kept below."""

from __future__ import annotations

import struct
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)
from xradiff.errors import InputError
from xradiff.views import opening_of, read_run, view_of
from xradiff.views.codestreams import Codestream, codestream_of
from xradiff.views.dicom_file import _KEYWORDS

sys.path.append(str(Path(__file__).parent))
import xa_files
from xa_files import compressed, encoded, pieces, saved, smooth, xa

STEADY = settings(
    deadline=None, derandomize=True, database=None, max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
FRAMES = np.random.default_rng(0).integers(0, 4096, (3, 12, 10), dtype=np.uint16)


def used(path):
    """Do what a reconstruction does with a file; return whether it could be used."""
    try:
        run = read_run(path)
        run.frame(len(run) - 1)
        run.phases()
        opening_of(run)
        view_of(run, 0)
    except InputError as error:
        assert "\n" not in str(error) and len(str(error)) < 600
        return False
    return True


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    """Return the bytes of small valid files: plain, compressed in every way, Enhanced."""
    folder = tmp_path_factory.mktemp("seeds")
    group = pieces(PositionerPositionSequence=[pieces(PositionerPrimaryAngle=3.0)])
    rle = xa(np.stack([smooth(), smooth()]))
    rle.compress(RLELossless)
    datasets = [
        xa(FRAMES),
        xa(FRAMES, ShutterShape="CIRCULAR", CenterOfCircularShutter=[5, 5], RadiusOfCircularShutter=4),
        xa(FRAMES, PerFrameFunctionalGroupsSequence=[group] * 3, RWavePointer=[1, 2], FrameTimeVector=[0, 20, 30]),
        compressed([xa_files.JPEG_LS_12] * 2, JPEGLSLossless),
        compressed([xa_files.JPEG_8] * 2, JPEGBaseline8Bit, 8, parts=2, has_bot=False),
        compressed([encoded(smooth(), "JPEG2000", folder)] * 2, JPEG2000Lossless),
        compressed([encoded(smooth(), "JPEG", folder)] * 2, JPEGLosslessSV1),
        rle,
    ]
    return [saved(folder / "seed.dcm", dataset).read_bytes() for dataset in datasets]


def test_the_seeds_themselves_can_be_used(seeds, tmp_path):
    for seed in seeds:
        (tmp_path / "run.dcm").write_bytes(seed)
        assert used(tmp_path / "run.dcm")


# Fuzzing

WORDS = [
    b"\xff\xff\xff\xff",
    bytes(4),
    b"\xfe\xff\x00\xe0\xff\xff\xff\xff",
    b"SQ\0\0\xff\xff\xff\xff",
    b"\xff\xff\xff\x7f",
]
changes = st.lists(
    st.tuples(st.integers(132, 3000), st.sampled_from(WORDS) | st.binary(min_size=1, max_size=3), st.booleans()),
    min_size=1, max_size=5,
)  # fmt: skip


@STEADY
@given(number=st.integers(0, 7), changed=changes)
def test_any_change_of_bytes_is_read_or_refused_in_one_line(seeds, tmp_path, number, changed):
    content = bytearray(seeds[number])
    for place, new, inserted in changed:
        at = place % len(content)
        content[at : at if inserted else at + len(new)] = new
    (tmp_path / "run.dcm").write_bytes(content)
    used(tmp_path / "run.dcm")


@STEADY
@given(
    keyword=st.sampled_from([word for word in _KEYWORDS if not word.endswith("Sequence")]),
    kind=st.sampled_from(["DS", "IS", "CS", "US", "FD", "LO", "OB", "SL"]),
    value=st.binary(max_size=12) | st.sampled_from([b"nan", b"-1\\1e309", b"1e-320", b"99999999999", b"RECTANGULAR"]),
)
def test_any_value_of_a_tag_is_read_or_refused_in_one_line(tmp_path, keyword, kind, value):
    path = saved(tmp_path / "run.dcm", xa(FRAMES))
    assert put(path, keyword, kind, value)
    used(path)


def put(path, keyword, kind, value):
    """Write one raw element into the file at its place (explicit little endian); return the bytes."""
    from pydicom.datadict import tag_for_keyword

    tag = tag_for_keyword(keyword)
    value += b" " * (len(value) % 2)
    content, at = path.read_bytes(), 0
    long = kind in ("OB", "OW", "UN", "SQ")
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, kind.encode())
    new = head + (struct.pack("<HL", 0, len(value)) if long else struct.pack("<H", len(value))) + value
    at = 132 + 12 + struct.unpack("<L", content[140:144])[0]
    while at + 8 <= len(content):
        group, number, vr, length = struct.unpack("<HH2sH", content[at : at + 8])
        size = (
            8 + length
            if vr not in (b"OB", b"OW", b"UN", b"SQ")
            else 12 + struct.unpack("<L", content[at + 8 : at + 12])[0]
        )
        if (group << 16 | number) >= tag:
            break
        at += size
    after = at + size if (group << 16 | number) == tag else at
    path.write_bytes(content[:at] + new + content[after:])
    return new


def test_a_file_cut_short_anywhere_is_refused(seeds, tmp_path):
    for seed in seeds:
        for length in np.linspace(1, len(seed) - 12, 30).astype(int):
            (tmp_path / "run.dcm").write_bytes(seed[:length])
            assert not used(tmp_path / "run.dcm")


# Declared sizes


def peak_mb(function):
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"Rows": 65535}, "Rows of .* must be 1 to 8192, got 65535"),
        ({"Columns": 0}, "Columns of .* must be 1 to 8192, got 0"),
        ({"NumberOfFrames": 2**31 - 1}, "NumberOfFrames of .* must be 1 to 10000"),
        ({"NumberOfFrames": -3}, "NumberOfFrames of .* must be 1 to 10000, got -3"),
        ({"Rows": 8192, "Columns": 8192, "NumberOfFrames": 10000}, "cut short: 10000 frames of 8192 x 8192 need"),
        ({"BitsAllocated": 32}, "BitsAllocated of .* must be 8 or 16, got 32"),
        ({"BitsStored": 17}, "BitsStored of .* must be 1 to 16, got 17"),
        ({"SamplesPerPixel": 4}, "SamplesPerPixel of .* must be 1 or 3"),
        ({"Rows": None}, "holds no image: Rows is missing"),
        ({"PixelData": None}, "holds no pixel data"),
    ],
)
def test_declared_sizes_are_held_against_limits_and_the_file(tmp_path, values, message):
    path = saved(tmp_path / "run.dcm", xa(FRAMES, **values))

    def refused():
        with pytest.raises(InputError, match=message):
            read_run(path)

    assert peak_mb(refused) < 20


def test_a_small_compressed_frame_that_declares_a_huge_one_takes_no_memory(tmp_path, seeds):
    codes = {
        JPEGLSLossless: xa_files.JPEG_LS_12,
        JPEGBaseline8Bit: xa_files.JPEG_8,
        JPEG2000Lossless: encoded(smooth(), "JPEG2000", tmp_path),
    }
    for syntax, code in codes.items():
        real = codestream_of(code)
        size = struct.pack(">LL", 24, 16) if syntax == JPEG2000Lossless else struct.pack(">HH", 16, 24)
        huge = struct.pack(">LL", 60000, 60000) if syntax == JPEG2000Lossless else struct.pack(">HH", 60000, 60000)
        lie = code.replace(size, huge, 1)
        assert codestream_of(lie) == Codestream(60000, 60000, real.samples, real.bits)
        path = saved(tmp_path / "run.dcm", compressed([lie], syntax, 8 if syntax == JPEGBaseline8Bit else 12))
        with pytest.raises(InputError, match="it declares 60000 x 60000 x 1, unlike the header"):
            read_run(path).frame(0)


def test_a_header_that_declares_more_than_its_frame_holds_is_refused(tmp_path):
    path = saved(tmp_path / "run.dcm", compressed([xa_files.JPEG_LS_12], JPEGLSLossless, Rows=8192, Columns=8192))
    with pytest.raises(InputError, match="declares 16 x 24 x 1, unlike the header"):
        read_run(path).frame(0)
    path = saved(tmp_path / "run.dcm", compressed([xa_files.JPEG_LS_12], JPEGLSLossless, 8))
    with pytest.raises(InputError, match="declares 16 bits, the header 8"):
        read_run(path).frame(0)


def test_an_element_longer_than_the_file_takes_no_memory(tmp_path):
    path = saved(tmp_path / "run.dcm", xa(FRAMES))
    new = put(path, "DerivationDescription", "OB", b"ab")
    content = path.read_bytes()
    path.write_bytes(content.replace(new, new[:8] + b"\xf0\xff\xff\xff" + new[12:]))
    assert peak_mb(lambda: used(path)) < 20


def test_deep_sequences_are_no_trouble(tmp_path):
    path = saved(tmp_path / "run.dcm", xa(FRAMES))
    head = path.read_bytes()[: path.read_bytes().index(b"\x28\x00\x02\x00US")]
    opened = b"\x18\x00\x72\x91SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    closed = b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
    for depth in (3, 5000):
        path.write_bytes(
            head + opened * depth + closed * depth + saved(tmp_path / "b.dcm", xa(FRAMES)).read_bytes()[len(head) :]
        )
        assert used(path) == (depth == 3)


# What fuzzing found


@pytest.mark.parametrize(
    ("keyword", "kind", "value"),
    [
        ("CenterOfCircularShutter", "I\xff".encode("latin1"), b"5\\5 "),  # a VR that there is not, read late
        ("RadiusOfCircularShutter", b"IS", b"\x80 "),  # a value that pydicom warns about
        ("ShutterShape", b"CS", b"\xff\xfe\n\r"),
        ("FrameTimeVector", b"DS", b"0\\nan\\inf "),
    ],
)  # fmt: skip
def test_a_broken_value_counts_as_missing(tmp_path, keyword, kind, value):
    path = saved(tmp_path / "run.dcm", xa(FRAMES))
    new = put(path, keyword, "IS", value)
    path.write_bytes(path.read_bytes().replace(new, new[:4] + kind + new[6:]))
    assert used(path)


def test_text_of_a_file_stays_one_short_line(tmp_path):
    path = saved(tmp_path / "run.dcm", xa(FRAMES))
    put(path, "PhotometricInterpretation", "CS", b"A\nB" * 400)
    with pytest.raises(InputError, match="coloured picture") as caught:
        read_run(path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400
    assert ExplicitVRLittleEndian not in str(caught.value)
