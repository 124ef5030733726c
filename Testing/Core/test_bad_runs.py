"""Runs that a hospital's archive may hold and that cannot be used, or only with a word of warning: on the shell."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import JPEGLosslessSV1, RLELossless

sys.path.append(str(Path(__file__).parent))
from test_segmentation import PX, call, changed, write_run
from xa_files import encoded
from xradiff.datatypes import Acquisition
from xradiff.synthetic.acquisition import AngiogramOptions, Bolus, simulate_run, write_xa

QUICK = ["--method", "visual_hull", "--spacing-mm", "2", "--calibrate", "off", "--no-report"]


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return [write_run(folder, number)[0] for number in (0, 1)]


def reconstruct(capsys, out, *paths, options=()):
    words = [word for path in paths for word in ("--view", *(path if isinstance(path, tuple) else (path,)))]
    return call(capsys, "reconstruct", *words, *QUICK, *options, "--out", out)


def refused(capsys, out, *paths, options=()):
    """Return the one line of a refusal; checks that nothing was written."""
    code, _, error = reconstruct(capsys, out, *paths, options=options)
    assert code == 2 and error.count("\n") == 1 and error.startswith("xradiff: "), error
    assert not out.exists()
    return error


@pytest.mark.parametrize(
    ("tag", "lacks", "given"),
    [
        ("PositionerPrimaryAngle", "the primary angle", "primary_deg=40"),
        ("PositionerSecondaryAngle", "the secondary angle", "secondary_deg=0"),
        ("DistanceSourceToDetector", "the SID (source-detector distance)", "sid_mm=1050"),
        ("ImagerPixelSpacing", "the imager pixel spacing", "spacing=0.9"),
    ],
)
def test_a_missing_tag_is_named_and_can_be_given_by_hand(capsys, tmp_path, pair, tag, lacks, given):
    gone = {tag: None} if tag != "ImagerPixelSpacing" else {tag: None, "FieldOfViewDimensions": None}
    bad = changed(pair[1], tmp_path / "x.dcm", **gone)
    out = tmp_path / "out"
    assert f"view 1 (x.dcm) lacks {lacks}" in refused(capsys, out, pair[0], bad)
    code, _, error = reconstruct(capsys, out, pair[0], (bad, given))
    assert code == 0, error


def test_mixed_resolutions_are_used_and_said(capsys, tmp_path, pair):
    from test_segmentation import ANGLES, tree

    settings = AngiogramOptions(frames=12, bolus=Bolus(start_ms=330, duration_ms=900, speed_mm_s=600, rise_ms=100))
    pose = Acquisition(*ANGLES[1], 1050, 750, 0.9 * PX / 96)
    small = write_xa(
        simulate_run(tree(), pose, (96, 96), np.random.default_rng(1), settings), tmp_path / "s.dcm", 1, 1
    )
    code, text, error = reconstruct(capsys, tmp_path / "out", pair[0], small)
    assert code == 0, error
    assert "(128 x 128 and 96 x 96); each is used with its own spacing" in text


def test_spacing_comes_from_the_field_of_view_where_it_is_missing(capsys, tmp_path, pair):
    bad = changed(pair[1], tmp_path / "x.dcm", ImagerPixelSpacing=None)
    code, text, error = reconstruct(capsys, tmp_path / "out", pair[0], bad)
    assert code == 0, error
    assert "was taken from the field of view" in text


def read(out, text):
    """Return what the shell said and what the record holds."""
    return text + (out / "run.json").read_text()


def one_frame(path, target, frame):
    """Write a file of one frame of a run."""
    dataset = pydicom.dcmread(path)
    size = PX * PX * 2
    dataset.PixelData = dataset.PixelData[frame * size : (frame + 1) * size]
    dataset.NumberOfFrames = 1
    for name in ("FrameTimeVector", "RWavePointer"):
        if name in dataset:
            delattr(dataset, name)
    dataset.save_as(target)
    return target


def test_a_run_of_one_frame_is_reconstructed_with_a_warning(capsys, tmp_path, pair):
    one = one_frame(pair[1], tmp_path / "one.dcm", 9)
    code, text, error = reconstruct(capsys, tmp_path / "out", pair[0], one)
    assert code == 0, error
    told = read(tmp_path / "out", text)
    assert "the only frame" in told and "too few frames" in told
    assert "note: view 1: too few frames" in text  # not in the record alone


def test_two_files_of_one_frame_without_contrast_agent_are_told(capsys, tmp_path, pair):
    empty = [one_frame(path, tmp_path / f"{number}.dcm", 0) for number, path in enumerate(pair)]
    code, text, error = reconstruct(capsys, tmp_path / "out", *empty)
    if code == 0:  # whether one frame shows vessels is not known: that is said
        assert "too few frames" in read(tmp_path / "out", text)
    else:
        assert code == 2 and error.count("\n") == 1 and error.startswith("xradiff: "), error


@pytest.mark.parametrize("catheter", [False, True])
def test_no_contrast_is_refused_also_in_the_frame_that_the_user_chose(capsys, tmp_path, pair, catheter):
    empty, _ = write_run(tmp_path, 1, iodine_per_mm=0, frames=8, with_catheter=catheter)
    assert "no frame of view 1 shows contrast agent" in refused(capsys, tmp_path / "out", pair[0], empty)
    code, _, error = reconstruct(capsys, tmp_path / "out", pair[0], empty, options=["--frame", "9", "--frame", "4"])
    assert code == 2 and error.count("\n") == 1
    assert "frame 4 of view 1 shows" in error and "choose a frame with contrast agent" in error


def test_both_runs_without_an_id_are_used_and_said(capsys, tmp_path, pair):
    nameless = [changed(path, tmp_path / f"{number}.dcm", PatientID="") for number, path in enumerate(pair)]
    code, text, error = reconstruct(capsys, tmp_path / "out", *nameless)
    assert code == 0, error
    assert "whether the runs belong to one patient was not checked" in text


def test_corrupt_pixels_are_refused_and_the_frame_is_named(capsys, tmp_path, pair):
    dataset = pydicom.dcmread(pair[1])
    dataset.compress(RLELossless)
    good = tmp_path / "good.dcm"
    dataset.save_as(good)
    code, _, error = reconstruct(capsys, tmp_path / "out", pair[0], good)
    assert code == 0, error
    frames = list(generate_frames(dataset.PixelData, number_of_frames=12))
    frames[7] = frames[7][:64] + b"\x81\x00" * 40
    dataset.PixelData = encapsulate(frames)
    bad = tmp_path / "bad.dcm"
    dataset.save_as(bad)
    message = refused(capsys, tmp_path / "other", pair[0], bad)
    assert "frame 7" in message and "bad.dcm" in message


def test_one_run_alone_and_the_same_run_twice_are_refused(capsys, tmp_path, pair):
    assert "show the same angle" in refused(capsys, tmp_path / "out", pair[0], pair[0])
    assert "needs two or more views, got 1" in refused(capsys, tmp_path / "out", pair[0])


def as_jpeg(path, target, folder, damage=None):
    """Write a run as lossless JPEG; frame 9 goes through `damage`."""
    dataset = pydicom.dcmread(path)
    codes = [encoded(frame, "JPEG", folder) for frame in dataset.pixel_array]
    codes[9] = damage(codes[9]) if damage else codes[9]
    dataset.file_meta.TransferSyntaxUID = JPEGLosslessSV1
    dataset.PixelData = encapsulate(codes)
    dataset["PixelData"].VR = "OB"
    dataset.save_as(target)
    return target


@pytest.mark.parametrize(
    "damage",
    [
        lambda code: code[: len(code) // 2] + b"\xff\xd9",
        lambda code: code[: len(code) // 2],
        lambda code: code[: len(code) // 2] + bytes(range(256)) * 8 + code[len(code) // 2 :],
    ],
    ids=["cut and ended", "cut", "overwritten"],
)
def test_a_frame_that_the_decoder_would_fill_up_with_grey_is_refused_in_one_line(capfd, tmp_path, pair, damage):
    """libjpeg only mutters on stderr; capfd also hears what the codecs write themselves."""
    code, _, error = reconstruct(capfd, tmp_path / "good", pair[0], as_jpeg(pair[1], tmp_path / "g.dcm", tmp_path))
    assert (code, error) == (0, "")
    message = refused(capfd, tmp_path / "out", pair[0], as_jpeg(pair[1], tmp_path / "bad.dcm", tmp_path, damage))
    assert "frame 9" in message and "bad.dcm" in message and "ITK" not in message


def test_what_is_no_image_is_not_asked_for_its_geometry(capsys, tmp_path, pair):
    text = tmp_path / "text.dcm"
    text.write_text("a letter\n" * 40)
    assert "not an image that can be read" in refused(capsys, tmp_path / "out", pair[0], text)
    dataset = pydicom.dcmread(pair[1])
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PlanarConfiguration = 3, "RGB", 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.NumberOfFrames = 8, 8, 7, 1
    dataset.PixelData = bytes(k % 251 for k in range(PX * PX * 3))
    dataset["PixelData"].VR = "OB"
    del dataset.PositionerPrimaryAngle
    dataset.save_as(tmp_path / "colour.dcm")
    code, _, error = call(capsys, "segment", tmp_path / "colour.dcm", "--out", tmp_path / "m.png")
    assert code == 2 and "is a coloured picture" in error and error.count("\n") == 1
    assert not (tmp_path / "m.png").exists()


def test_dicom_without_its_first_bytes_is_called_by_its_name(capsys, tmp_path, pair):
    stored = Path(pair[1]).read_bytes()
    for number, begin in enumerate((128, 132)):  # from the mark on, and from the first element on
        bare = tmp_path / f"{number}.dcm"
        bare.write_bytes(stored[begin:])
        assert "without the 132 bytes" in refused(capsys, tmp_path / "out", pair[0], bare)
    old = pydicom.dcmread(pair[1])
    old.preamble, old.file_meta = None, pydicom.dataset.FileMetaDataset()  # old archives wrote no group 0002
    pydicom.dcmwrite(tmp_path / "old.dcm", old, implicit_vr=True, little_endian=True, enforce_file_format=False)
    assert (tmp_path / "old.dcm").read_bytes()[:2] == b"\x08\0"
    assert "without the 132 bytes" in refused(capsys, tmp_path / "out", pair[0], tmp_path / "old.dcm")


def test_a_file_cut_in_its_first_bytes_is_said_to_be(capsys, tmp_path, pair):
    for length in (134, 200, 900):
        cut = tmp_path / f"{length}.dcm"
        cut.write_bytes(pair[1].read_bytes()[:length])
        assert "is it cut short?" in refused(capsys, tmp_path / "out", pair[0], cut)


def test_segment_names_a_file_once(capsys, tmp_path, pair):
    bad = changed(pair[1], tmp_path / "x.dcm", PositionerPrimaryAngle=None)
    _, _, error = call(capsys, "segment", bad, "--out", tmp_path / "m.png")
    assert error.startswith("xradiff: x.dcm lacks the primary angle")


@pytest.mark.parametrize("spacing", ["90", "0.0009"])
def test_a_slip_in_the_pixel_spacing_takes_neither_memory_nor_ends_in_a_traceback(capsys, tmp_path, pair, spacing):
    """In metres or tenths: the network would work on a field of 8 m, or of one pixel."""
    code, _, error = call(capsys, "segment", pair[1], f"spacing={spacing}", "--out", tmp_path / "m.png")
    assert code == 2 and error.count("\n") == 1 and "must lie in [10, 600] mm" in error
    assert f"imager pixel spacing {spacing} x {spacing} mm" in error
    message = refused(capsys, tmp_path / "out", pair[0], (pair[1], f"spacing={spacing}"))
    assert "view 1 shows of the patient (128 rows" in message
