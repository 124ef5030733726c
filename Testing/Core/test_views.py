"""Readers: the three JSON dialects, by hand, images, XA DICOM; and every refusal in one clear line."""

from __future__ import annotations

import json

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from xradiff.errors import InputError
from xradiff.views import read_view
from xradiff.views.geometry_json import facts_by_hand, read_geometry_json

PUBLISHED = {"sid": 1074, "sod": 749, "spacing": 0.308, "alpha": 39.2, "beta": -7.9}
OWN = {"primary_deg": 39.2, "secondary_deg": -7.9, "sid_mm": 1074, "sod_mm": 749, "pixel_spacing_mm": [0.308, 0.308]}
TAGS = {
    "(0018,1510)": {"value": "39.2"},
    "(0018,1511)": {"value": "-7.9"},
    "(0018,1110)": {"value": "1074"},
    "(0018,1111)": {"value": 749},
    "(0018,1164)": {"value": "[0.308, 0.308]"},
    "(0010,0040)": {"value": "O"},
}
DICOM_JSON = {
    "00181510": {"vr": "DS", "Value": [39.2]},
    "00181511": {"vr": "DS", "Value": [-7.9]},
    "00181110": {"vr": "DS", "Value": [1074]},
    "00181111": {"vr": "DS", "Value": [749]},
    "00181164": {"vr": "DS", "Value": [0.308, 0.308]},
}


@pytest.fixture
def image(tmp_path):
    array = np.zeros((40, 50), np.uint8)
    array[10:20, 5:45] = 255
    path = tmp_path / "mask.png"
    sitk.WriteImage(sitk.GetImageFromArray(array), str(path))
    return path


def geometry_file(tmp_path, content):
    path = tmp_path / "geometry.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.mark.parametrize("dialect", [PUBLISHED, OWN, TAGS, DICOM_JSON])
def test_every_dialect_gives_the_same_acquisition(tmp_path, image, dialect):
    acquisition = read_view(image, geometry_file(tmp_path, dialect)).acquisition
    assert (acquisition.primary_deg, acquisition.secondary_deg) == (39.2, -7.9)
    assert (acquisition.sid_mm, acquisition.sod_mm) == (1074, 749)
    assert acquisition.pixel_spacing_mm == (0.308, 0.308)


def test_geometry_by_hand_and_as_mapping(image):
    by_hand = read_view(image, "alpha=39.2,beta=-7.9,sid=1074,sod=749,spacing=0.308/0.4").acquisition
    assert by_hand.pixel_spacing_mm == (0.308, 0.4)
    assert read_view(image, PUBLISHED).acquisition.pixel_spacing_mm == (0.308, 0.308)


def test_files_are_identified_by_their_sha256(tmp_path, image):
    view = read_view(image, geometry_file(tmp_path, PUBLISHED), name="view 0")
    assert [len(file.sha256) for file in view.files] == [64, 64]
    assert view.shape == (40, 50)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({k: v for k, v in PUBLISHED.items() if k != "alpha"}, "lacks the primary angle; give it by hand"),
        (
            {k: v for k, v in PUBLISHED.items() if k not in ("sid", "spacing")},
            "lacks the SID .* and imager pixel spacing",
        ),
        (PUBLISHED | {"alpha": "left"}, "alpha in .* must be a number, got .*left"),
        (PUBLISHED | {"alpha": True}, "alpha in .* must be a number"),
        (PUBLISHED | {"alpha": 400}, r"primary angle must lie in \[-180, 180\] deg, got 400"),
        (PUBLISHED | {"sod": 1100}, "SOD .* must be smaller than SID"),
        (PUBLISHED | {"angel": 3}, "unknown key 'angel' .* accepted are primary_deg"),
        ('{"sid": NaN, "sod": 749, "spacing": 0.3, "alpha": 1, "beta": 2}', "SID .* got nan"),
        ("[1, 2]", "must hold a JSON object, got list"),
        ("{", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("", "the geometry file is empty"),
    ],
)
def test_bad_geometry_files(tmp_path, image, content, message):
    with pytest.raises(InputError, match=message) as caught:
        read_view(image, geometry_file(tmp_path, content))
    assert "\n" not in str(caught.value)


def test_bad_geometry_by_hand():
    with pytest.raises(InputError, match="must be KEY=NUMBER,KEY=NUMBER,..., got 'beta'"):
        facts_by_hand("alpha=3,beta")


def test_missing_files(tmp_path, image):
    with pytest.raises(InputError, match=r"the image of view does not exist: .*nothing\.png"):
        read_view(tmp_path / "nothing.png", PUBLISHED)
    with pytest.raises(InputError, match="the geometry file does not exist"):
        read_view(image, tmp_path / "nothing.json")
    with pytest.raises(InputError, match="must be a file, got the folder"):
        read_geometry_json(tmp_path)


def test_image_without_geometry_says_what_it_lacks(image):
    with pytest.raises(InputError, match="lacks the primary angle and secondary angle and SID"):
        read_view(image)


def test_not_an_image(tmp_path):
    path = tmp_path / "text.png"
    path.write_text("this is text")
    with pytest.raises(InputError, match="not an image that can be read"):
        read_view(path, PUBLISHED)


def test_colour_is_refused_and_equal_channels_are_not(tmp_path):
    rgb = np.zeros((8, 9, 3), np.uint8)
    rgb[2:4] = 200
    path = tmp_path / "rgb.png"
    sitk.WriteImage(sitk.GetImageFromArray(rgb, isVector=True), str(path))
    assert read_view(path, PUBLISHED).shape == (8, 9)
    rgb[5, 5, 0] = 9
    sitk.WriteImage(sitk.GetImageFromArray(rgb, isVector=True), str(path))
    with pytest.raises(InputError, match="got a colour image"):
        read_view(path, PUBLISHED)


def test_a_volume_is_refused(tmp_path):
    path = tmp_path / "volume.nrrd"
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((3, 8, 9), np.uint8)), str(path))
    with pytest.raises(InputError, match="one slice is needed, got 3"):
        read_view(path, PUBLISHED)


@pytest.mark.parametrize("suffix", ["png", "tif", "nrrd", "nii.gz"])
def test_row_0_stays_row_0_in_every_format(tmp_path, suffix):
    array = np.zeros((20, 30), np.uint8)
    array[2, 25] = 255
    path = tmp_path / f"view.{suffix}"
    sitk.WriteImage(sitk.GetImageFromArray(array), str(path))
    np.testing.assert_array_equal(read_view(path, PUBLISHED).pixels, array)


def xa(frames=1, enhanced=False, **tags):
    """An XA dataset whose frame k has the value k + 1 in its first pixel."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    uid = "1.2.840.10008.5.1.4.1.1.12.1" + (".1" if enhanced else "")
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = uid
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid()
    dataset.Modality, dataset.PhotometricInterpretation = "XA", "MONOCHROME2"
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = 6, 8, 1
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    pixels = np.zeros((frames, 6, 8), np.uint8)
    pixels[:, 0, 0] = np.arange(frames) + 1
    if frames > 1 or enhanced:
        dataset.NumberOfFrames = frames
    dataset.PixelData = pixels.tobytes()
    if not enhanced:
        dataset.PositionerPrimaryAngle, dataset.PositionerSecondaryAngle = 39.2, -7.9
        dataset.DistanceSourceToDetector, dataset.DistanceSourceToPatient = 1074, 749
        dataset.ImagerPixelSpacing = [0.308, 0.31]
    for name, value in tags.items():
        if value is None:
            delattr(dataset, name)
        else:
            setattr(dataset, name, value)
    return dataset


def item(**tags):
    dataset = Dataset()
    for name, value in tags.items():
        setattr(dataset, name, value)
    return dataset


def saved(tmp_path, dataset):
    path = tmp_path / "run.dcm"
    dataset.save_as(path, enforce_file_format=True)
    return path


def test_xa_single_frame(tmp_path):
    view = read_view(saved(tmp_path, xa()))
    assert view.acquisition.pixel_spacing_mm == (0.308, 0.31)
    assert (view.acquisition.primary_deg, view.acquisition.sod_mm) == (39.2, 749)
    assert view.pixels[0, 0] == 1


def test_xa_run_gives_the_frame_asked_for_or_says_which(tmp_path):
    path = saved(tmp_path, xa(frames=5))
    assert read_view(path, frame=4).pixels[0, 0] == 5
    middle = read_view(path)
    assert (middle.frame, middle.pixels[0, 0]) == (2, 3)
    assert "frame 2 of 5" in middle.notes[0]
    with pytest.raises(InputError, match=r"frame must lie in \[0, 4\], got 5"):
        read_view(path, frame=5)


def test_rotational_run_adds_the_frames_increment(tmp_path):
    path = saved(tmp_path, xa(frames=3, PositionerPrimaryAngleIncrement=[0.0, 1.5, 3.0]))
    assert read_view(path, frame=2).acquisition.primary_deg == pytest.approx(42.2)


def test_enhanced_xa_reads_the_functional_groups_of_its_frame(tmp_path):
    shared = item(
        XRayGeometrySequence=[item(DistanceSourceToDetector=1074.0, DistanceSourceToIsocenter=749.0)],
        FramePixelDataPropertiesSequence=[item(ImagerPixelSpacing=[0.308, 0.308])],
    )
    per_frame = [
        item(PositionerPositionSequence=[item(PositionerPrimaryAngle=10.0 * k, PositionerSecondaryAngle=5.0)])
        for k in range(3)
    ]
    dataset = xa(3, True, SharedFunctionalGroupsSequence=[shared], PerFrameFunctionalGroupsSequence=per_frame)
    acquisition = read_view(saved(tmp_path, dataset), frame=2).acquisition
    assert (acquisition.primary_deg, acquisition.secondary_deg) == (20, 5)
    assert (acquisition.sid_mm, acquisition.sod_mm, acquisition.pixel_spacing_mm) == (1074, 749, (0.308, 0.308))


@pytest.mark.parametrize(
    ("tag", "words", "by_hand"),
    [
        ("PositionerPrimaryAngle", "primary angle", "primary_deg=39.2"),
        ("DistanceSourceToDetector", "SID", "sid=1074"),
        ("DistanceSourceToPatient", "SOD", "sod=749"),
        ("ImagerPixelSpacing", "imager pixel spacing", "spacing=0.308"),
    ],
)
def test_xa_that_lacks_a_number_is_refused_and_accepted_by_hand(tmp_path, tag, words, by_hand):
    path = saved(tmp_path, xa(**{tag: None}))
    with pytest.raises(InputError, match=f"lacks the {words}.*give it by hand"):
        read_view(path)
    assert read_view(path, by_hand).acquisition.sid_mm == 1074


def test_fallbacks_are_used_and_said(tmp_path):
    path = saved(tmp_path, xa(ImagerPixelSpacing=None, FieldOfViewDimensions=[160, 120]))
    view = read_view(path)
    assert view.acquisition.pixel_spacing_mm == (20, 20)
    assert "field of view" in view.notes[0]
    path = saved(tmp_path, xa(DistanceSourceToPatient=None, EstimatedRadiographicMagnificationFactor=1.5))
    assert read_view(path).acquisition.sod_mm == pytest.approx(716)


def test_field_of_view_off_the_detectors_middle(tmp_path):
    tags = {
        "FieldOfViewOrigin": [100, 200],
        "FieldOfViewDimensions": [150, 120],
        "DetectorActiveDimensions": [200, 300],
        "DetectorElementSpacing": [0.2, 0.2],
    }
    offset = read_view(saved(tmp_path, xa(**tags))).acquisition.detector_offset_mm
    assert offset == pytest.approx((200 * 0.2 + 75 - 150, 100 * 0.2 + 60 - 100))


def test_inverted_polarity_is_turned_bright_is_high(tmp_path):
    view = read_view(saved(tmp_path, xa(PhotometricInterpretation="MONOCHROME1")))
    assert view.pixels[0, 0] == 254
    assert view.pixels[1, 1] == 255


def test_other_modalities_and_broken_files_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"modality XA.*got modality 'CT'"):
        read_view(saved(tmp_path, xa(Modality="CT")))
    path = saved(tmp_path, xa())
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"cannot be decoded|not a readable"):
        read_view(path)
    path.write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 40)
    with pytest.raises(InputError) as caught:
        read_view(path)
    assert "\n" not in str(caught.value)


def test_pydicom_is_the_version_slicer_ships():
    assert pydicom.__version__.startswith("3.")
