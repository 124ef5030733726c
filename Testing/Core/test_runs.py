"""XA runs: frames of every transfer syntax and polarity, times, geometry, heart phase, openings, runs together."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)
from xradiff.errors import InputError
from xradiff.views import read_run, read_view, view_of
from xradiff.views.dicom_file import open_dicom
from xradiff.views.dicom_pieces import ClampedFile
from xradiff.views.dicom_pixels import stored_frame

sys.path.append(str(Path(__file__).parent))
import xa_files
from xa_files import compressed, encoded, enhanced, noise, saved, smooth, xa


def run_of(tmp_path, dataset, name="view"):
    return read_run(saved(tmp_path / f"{name}.dcm", dataset), name=name)


# Frames


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian])
@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_plain_frames_are_what_was_stored(tmp_path, syntax, bits):
    frames = noise(bits=bits)
    run = run_of(tmp_path, xa(frames, bits, syntax))
    assert (len(run), run.shape, run.bits) == (3, (12, 10), bits)
    for index in (2, 0, 1):
        np.testing.assert_array_equal(run.frame(index), frames[index])


def ramp_frames(bits=12):
    return [np.roll(smooth(bits), shift, axis=1) for shift in (0, 3, 7)]


@pytest.mark.parametrize("has_bot", [True, False])
@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize(("compressor", "syntax"), [("JPEG", JPEGLosslessSV1), ("JPEG2000", JPEG2000Lossless)])
def test_lossless_frames_are_what_was_stored(tmp_path, compressor, syntax, has_bot, parts):
    codes = [encoded(frame, compressor, tmp_path) for frame in ramp_frames()]
    run = run_of(tmp_path, compressed(codes, syntax, has_bot=has_bot, parts=parts))
    for index, frame in enumerate(ramp_frames()):
        np.testing.assert_array_equal(run.frame(index), frame)


def test_extended_offset_table_finds_the_frames(tmp_path):
    codes = [encoded(frame, "JPEG", tmp_path) for frame in ramp_frames()]
    dataset = compressed(codes, JPEGLosslessSV1, has_bot=False, parts=2)
    offsets = np.cumsum([0, *(8 * 2 + len(code) + len(code) % 2 for code in codes)])[:3]
    dataset.ExtendedOffsetTable = offsets.astype("<u8").tobytes()
    dataset.ExtendedOffsetTableLengths = np.array([len(code) for code in codes], "<u8").tobytes()
    np.testing.assert_array_equal(run_of(tmp_path, dataset).frame(2), ramp_frames()[2])


@pytest.mark.parametrize("bits", [8, 12])
def test_rle_frames_are_what_was_stored(tmp_path, bits):
    frames = np.stack(ramp_frames(bits))
    dataset = xa(frames, bits)
    dataset.compress(RLELossless)
    run = run_of(tmp_path, dataset)
    for index, frame in enumerate(frames):
        np.testing.assert_array_equal(run.frame(index), frame)


@pytest.mark.parametrize(
    ("code", "syntax", "bits", "off"),
    [
        (xa_files.JPEG_LS_12, JPEGLSLossless, 12, 0),
        (xa_files.JPEG_LS_8, JPEGLSLossless, 8, 0),
        (xa_files.JPEG_8, JPEGBaseline8Bit, 8, 2),
        (xa_files.JPEG_12, JPEGExtended12Bit, 12, 4),
    ],
)
def test_frames_of_other_encoders_are_read(tmp_path, code, syntax, bits, off):
    run = run_of(tmp_path, compressed([code, code], syntax, bits))
    assert np.abs(run.frame(1).astype(int) - smooth(bits)).max() <= off


def test_only_the_frame_asked_for_is_read(tmp_path, monkeypatch):
    path = saved(tmp_path / "run.dcm", xa(noise(200, 40, 40)))
    taken = []
    read = ClampedFile.read
    monkeypatch.setattr(ClampedFile, "read", lambda self, size=-1: taken.append(len(b := read(self, size))) or b)
    file = open_dicom(path)
    before = sum(taken)
    stored_frame(file, 150)
    assert before < 2000 and sum(taken) - before == 40 * 40 * 2


@pytest.mark.parametrize(
    ("values", "turned"),
    [
        ({}, False),
        ({"PhotometricInterpretation": "MONOCHROME1"}, True),
        ({"PixelIntensityRelationshipSign": 1}, False),
        ({"PixelIntensityRelationshipSign": -1}, True),
        ({"PixelIntensityRelationshipSign": 1, "PhotometricInterpretation": "MONOCHROME1"}, False),
    ],
)
def test_contrast_agent_is_dark_in_every_polarity(tmp_path, values, turned):
    frames = noise()
    expected = 4095 - frames if turned else frames
    np.testing.assert_array_equal(run_of(tmp_path, xa(frames, **values)).frame(1), expected[1])


def test_signed_values_are_lifted_and_overlay_bits_left_out(tmp_path):
    signed = noise().astype(int) - 2048
    run = run_of(tmp_path, xa(signed.astype(np.int16).view(np.uint16), PixelRepresentation=1))
    np.testing.assert_array_equal(run.frame(0), signed[0] + 2048)
    run = run_of(tmp_path, xa(noise() | 0xA000))
    np.testing.assert_array_equal(run.frame(0), noise()[0])


@pytest.mark.parametrize(
    ("values", "subtracted"),
    [
        ({}, False),
        ({"ImageType": ["DERIVED", "PRIMARY", "SINGLE PLANE", "DSA"]}, True),
        ({"DerivationDescription": "mask subtracted"}, True),
        ({"RecommendedViewingMode": "SUB"}, False),
    ],
)
def test_subtracted_runs_are_known(tmp_path, values, subtracted):
    run = run_of(tmp_path, xa(noise(), **values))
    assert run.subtracted == subtracted
    assert bool(run.notes) == ("RecommendedViewingMode" in values)


# Time, geometry, identity


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"FrameTime": 40.0}, [0, 40, 80]),
        ({"FrameTimeVector": [0, 30, 50], "FrameTime": 40.0}, [0, 30, 80]),
        ({"FrameTimeVector": [0, -30, 50]}, [0, 50, 100]),
        ({"FrameTime": None, "CineRate": 25}, [0, 40, 80]),
        ({"FrameTime": 0, "RecommendedDisplayFrameRate": 10}, [0, 100, 200]),
        ({"FrameTime": None}, [0, 1000 / 15, 2000 / 15]),
    ],
)
def test_frame_times_come_from_the_best_tag(tmp_path, values, expected):
    run = run_of(tmp_path, xa(noise(), **values))
    np.testing.assert_allclose(run.times_ms, expected)
    assert any("15 frames/s" in note for note in run.notes) == (values == {"FrameTime": None})


def test_enhanced_xa_has_a_geometry_and_a_clock_for_each_frame(tmp_path):
    run = run_of(tmp_path, enhanced(FrameAcquisitionDateTime=lambda k: f"2020010112000{k}.250"))
    poses = [run.acquisition(k) for k in range(3)]
    assert [pose.primary_deg for pose in poses] == [0, 10, 20]
    assert {(pose.secondary_deg, pose.sid_mm, pose.sod_mm, pose.pixel_spacing_mm) for pose in poses} == {
        (5, 1074, 749, (0.2, 0.3))
    }
    np.testing.assert_allclose(run.times_ms, [0, 1000, 2000])


def test_increments_move_the_c_arm_and_the_table(tmp_path):
    values = {"PositionerPrimaryAngleIncrement": [0, 2, 4], "TableLateralIncrement": [0, 0, 7.5]}
    run = run_of(
        tmp_path, xa(noise(), TableVerticalIncrement=[0, 1, 2], TableLongitudinalIncrement=[0, -3, 0], **values)
    )
    assert [run.acquisition(k).primary_deg for k in range(3)] == [30, 32, 34]
    assert [run.acquisition(k).table_shift_mm for k in range(3)] == [(0, 0, 0), (-3, 1, 0), (0, 2, 7.5)]


def test_a_view_of_a_run_has_its_frames_geometry(tmp_path):
    path = saved(tmp_path / "run.dcm", xa(noise(), PositionerPrimaryAngleIncrement=[0, 2, 4]))
    view = view_of(read_run(path, name="view 1"), 2)
    assert (view.name, view.frame, view.acquisition.primary_deg) == ("view 1", 2, 34)
    np.testing.assert_array_equal(view.pixels, read_view(path, frame=2).pixels)
    assert view.files == read_view(path).files


def test_a_run_without_geometry_still_shows_frames_and_says_what_it_lacks(tmp_path):
    dataset = xa(noise(), PositionerPrimaryAngle=None, ImagerPixelSpacing=None)
    run = run_of(tmp_path, dataset)
    np.testing.assert_array_equal(run.frame(0), noise()[0])
    with pytest.raises(InputError, match="lacks the primary angle and imager pixel spacing; give it by hand"):
        view_of(run, 0)
    assert read_run(run.source.path, "primary_deg=12,spacing=0.4").acquisition(1).primary_deg == 12


def test_nothing_of_the_patient_is_kept_in_clear(tmp_path):
    run = run_of(tmp_path, xa(noise(), PatientBirthDate="19600101"))
    words = repr(run) + repr(vars(run) | {"source": ""})
    assert not any(secret in words for secret in ("P-1", "SECRET", "19600101", "1.2.3"))
    assert "PatientName" not in run.source.header


def test_pictures_that_are_no_runs_are_refused(tmp_path):
    colours = np.random.default_rng(0).integers(0, 255, (12, 10, 3), np.uint8)
    dataset = xa(noise(1), 8, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0)
    dataset.PixelData = colours.tobytes()
    run = run_of(tmp_path, dataset)
    with pytest.raises(InputError, match=r"coloured picture \(RGB secondary capture\).*export the original XA run"):
        run.frame(0)
    dataset.PixelData = np.repeat(colours[..., :1], 3, axis=-1).tobytes()
    np.testing.assert_array_equal(run_of(tmp_path, dataset).frame(0), colours[..., 0])
    with pytest.raises(InputError, match=r"coloured picture \('PALETTE COLOR'\)"):
        run_of(tmp_path, xa(noise(1), PhotometricInterpretation="PALETTE COLOR"))
    with pytest.raises(InputError, match="a run is read from an XA DICOM file"):
        path = tmp_path / "text.dcm"
        path.write_text("text" * 100)
        read_run(path)


def test_pydicom_passes_over_what_is_not_asked_for(tmp_path):
    dataset = xa(noise())
    dataset.add_new(0x00110010, "LO", "PRIVATE")
    dataset.add_new(0x00111001, "OB", bytes(1000))
    header = run_of(tmp_path, dataset).source.header
    assert not any(element.tag.is_private for element in header)
