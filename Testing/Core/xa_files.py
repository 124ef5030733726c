"""Small XA files of every kind for the tests: plain, compressed, Enhanced, with ECG; all built here."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import ExplicitVRLittleEndian

ROWS, COLUMNS = 16, 24
# one frame, smooth(16), encoded once by CharLS and libjpeg-turbo (imagecodecs 2026.10.10): no encoder is needed here
JPEG_LS_12 = base64.b64decode(
    "/9j/6AAgU1BJRkYAAgAAAQAAABAAAAAYChAGAQAAASwAAAEs/+gACAAAAAH/2P/3AAsQABAAGAEBEQD/+AANAf//ABIAQwEUAED/2gAIAQEA"
    "AAAADz9J6J3bXM8xfHLJpu4hSRJUkSCdrOVqHT3B8H6wAgLAWAMA4AwCghBaCUDoEgGDwHAEBgBAOAEGIJQ6BkAIHwuDwJgTAKCEQIcQohiC"
    "Q+Fw8C4DwDgFC6HkWQkgCF5GCsHwJgJAqRqhOpBApGRhOEYHgPAKE0uUCHEAQ/G4rD4LgRAqH0bsqmgJOZi8LhcDYBQgihsSVAJLNycRgnAa"
    "BEWShHCwgJWfk4rBeBsBIWjqXpagErn4jh+EYFQBGJdRriCl6Gdj8LwTAEMkE0itACG8tkMbiMDQChEKkpqHIMw5kczFYTAIDAxUJoAhzRxX"
    "CWC8GgDAsNm5uDYZjehj8NwbA4BgMbBcAIdRAhpLI5AyAUakkwmkOoeRCjiYUEFIDwqWoIXQBHlosEUKyDMBEQgmk8zI+lKzVKIlBAeAgtKo"
    "XQCNqxft6SIdgGWoKbCxJpSObyzI0geBJSehNAJxcR6+qtI4HFSEIry+vsKMnhxUCEwSMg1CSAS6kwJ01oYwOEglWV1laWVdNHRFSCsHBlFB"
    "iAkFhQU7GhrACA01MT16ooJTFUIuQXlIGqQhASkpPSSYhvAUAyJ0xYrRVbBJo0gvJQGVBAD/2Q=="
)
JPEG_LS_8 = base64.b64decode(
    "/9j/6AAgU1BJRkYAAgAAAQAAABAAAAAYCggGAQAAASwAAAEs/+gACAAAAAH/2P/3AAsIABAAGAEBEQD/2gAIAQEAAAAAAAAB+ArV7GIU4goo"
    "pzFZFpW8mSlkm2sxcqaaPVzIqm50kpLjmiZFjcpMyXfbJIkZ9fqSb5l1xvW/yT42T839V0994rLe3yT2f/6P/z/6eSepsjiRIOnJpThES9ER"
    "IhEUpkkiJpNhEJITJfUlKZXkkUSWU4qKJSncSZJJ1U1bOWpTSnun281fXqSp4P/Z"
)
JPEG_8 = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAIBAQEBAQIBAQECAgICAgQDAgICAgUEBAMEBgUGBgYFBgYGBwkIBgcJBwYGCAsICQoKCgoKBggL"
    "DAsKDAkKCgr/wAALCAAQABgBAREA/8QAHwAAAQUBAQEBAQEAAAAAAAAAAAECAwQFBgcICQoL/8QAtRAAAgEDAwIEAwUFBAQAAAF9AQIDAAQR"
    "BRIhMUEGE1FhByJxFDKBkaEII0KxwRVS0fAkM2JyggkKFhcYGRolJicoKSo0NTY3ODk6Q0RFRkdISUpTVFVWV1hZWmNkZWZnaGlqc3R1dnd4"
    "eXqDhIWGh4iJipKTlJWWl5iZmqKjpKWmp6ipqrKztLW2t7i5usLDxMXGx8jJytLT1NXW19jZ2uHi4+Tl5ufo6erx8vP09fb3+Pn6/9oACAEB"
    "AAA/AO1+HfjWy0TS1t55ACFxya5P4z6nH4qgdLVg24HpXiWnfDrUINbF00LY356VuePfH134f1NrWGUgBsYBrpvhLqsvjGZEuWLbjzmvX7/4"
    "X2Nto/2wQDO3PSv/2Q=="
)
JPEG_12 = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAIBAQEBAQIBAQECAgICAgQDAgICAgUEBAMEBgUGBgYFBgYGBwkIBgcJBwYGCAsICQoKCgoKBggL"
    "DAsKDAkKCgr/wQALDAAQABgBAREA/8QAFgABAQEAAAAAAAAAAAAAAAAACgsJ/8QAJhAAAAQFBQACAwAAAAAAAAAAAQIDBQQGBwgJAAoLERIT"
    "MTJCcf/aAAgBAQAAPwBtXHcb1yzPCLi1ly3qtNRWltcIGXUoZRKLiiEMBgTAOuhHRQeZyyT053TFDp2lG2F4Qe1XaDiCJFblAUERMA9fjqJr"
    "jp467INQ/NVDXWPVJ3xNrTmwIwVzwSgF8/L67761t1vvN/HdlgAyQzBbJSSp7m1QLc/KwhEYWLMQoAVQS/QDpMfEw5VZ93gNY5Qku4l8Xf03"
    "mKQTULHqCoA+hAP2/uq9d+PGAWN2/YjIi8dooyzpOScsDHBEFgCAb18XrvvrX//Z"
)


def smooth(bits=12):
    """Return a smooth frame (16, 24) of 12 or 8 bits."""
    row, column = np.mgrid[:ROWS, :COLUMNS]
    frame = (2000 + 600 * np.sin(column / 4) * np.cos(row / 5)).astype(np.uint16)
    return frame if bits == 12 else (frame // 16).astype(np.uint8)


def pieces(**values):
    """Return a data set with these values."""
    dataset = Dataset()
    for name, value in values.items():
        setattr(dataset, name, value)
    return dataset


def xa(frames, bits=12, syntax=ExplicitVRLittleEndian, **values):
    """Return an XA data set of `frames` (N, rows, columns); a value of None takes an element away."""
    frames = np.asarray(frames)
    kind = np.uint8 if bits == 8 else np.uint16
    dataset = pieces(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.12.1", SOPInstanceUID="1.2.3.4", Modality="XA", PatientID="P-1",
        PatientName="SECRET^NAME", StudyInstanceUID="1.2.3", PhotometricInterpretation="MONOCHROME2",
        SamplesPerPixel=1, Rows=frames.shape[1], Columns=frames.shape[2], NumberOfFrames=len(frames),
        BitsAllocated=8 * kind().itemsize, BitsStored=bits, HighBit=bits - 1, PixelRepresentation=0, FrameTime=50.0,
        PositionerPrimaryAngle=30.0, PositionerSecondaryAngle=-10.0, DistanceSourceToDetector=1050.0,
        DistanceSourceToPatient=750.0, ImagerPixelSpacing=[0.3, 0.3],
    )  # fmt: skip
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    if not syntax.is_encapsulated:
        dataset.PixelData = frames.astype(
            np.dtype(kind).newbyteorder("<" if syntax.is_little_endian else ">")
        ).tobytes()
        dataset["PixelData"].VR = "OB" if bits == 8 else "OW"
    for name, value in values.items():
        if value is None:
            delattr(dataset, name)
        else:
            setattr(dataset, name, value)
    return dataset


def compressed(codes, syntax, bits=12, has_bot=True, parts=1, **values):
    """Return an XA data set whose frames (16, 24) are the codestreams `codes`, each cut into `parts`."""
    dataset = xa(np.zeros((len(codes), ROWS, COLUMNS)), bits, syntax, **values)
    dataset.PixelData = encapsulate(list(codes), fragments_per_frame=parts, has_bot=has_bot)
    dataset["PixelData"].VR = "OB"
    return dataset


def saved(path, dataset) -> Path:
    """Write `dataset` to `path` and return the path."""
    dataset.save_as(path, enforce_file_format=True)
    return path


def encoded(frame, compressor, folder):
    """Return the codestream that GDCM makes of a frame: compressor "JPEG" (lossless) or "JPEG2000"."""
    writer = sitk.ImageFileWriter()
    writer.SetImageIO("GDCMImageIO")
    writer.SetFileName(str(folder / "one.dcm"))
    writer.UseCompressionOn()
    writer.SetCompressor(compressor)
    writer.Execute(sitk.GetImageFromArray(frame[None]))
    return next(generate_frames(pydicom.dcmread(folder / "one.dcm").PixelData, number_of_frames=1))


def noise(count=3, rows=12, columns=10, bits=12, seed=0):
    """Return random frames (N, rows, columns)."""
    return np.random.default_rng(seed).integers(0, 2**bits, (count, rows, columns), dtype=np.uint16)


def enhanced(**per_frame):
    """Return an Enhanced XA file of three frames whose groups hold per_frame(k)."""
    shared = pieces(
        XRayGeometrySequence=[pieces(DistanceSourceToDetector=1074.0, DistanceSourceToIsocenter=749.0)],
        FramePixelDataPropertiesSequence=[pieces(ImagerPixelSpacing=[0.2, 0.3])],
    )
    groups = []
    for k in range(3):
        position = pieces(PositionerPrimaryAngle=10.0 * k, PositionerSecondaryAngle=5.0)
        content = pieces(**{name: value(k) for name, value in per_frame.items()})
        groups.append(pieces(PositionerPositionSequence=[position], FrameContentSequence=[content]))
    names = ("PositionerPrimaryAngle", "PositionerSecondaryAngle", "DistanceSourceToDetector")
    gone = dict.fromkeys((*names, "DistanceSourceToPatient", "ImagerPixelSpacing", "FrameTime"))
    return xa(noise(), SharedFunctionalGroupsSequence=[shared], PerFrameFunctionalGroupsSequence=groups, **gone)
