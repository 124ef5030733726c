"""An angiogram run -> a multi-frame X-Ray Angiographic Image DICOM file (PS3.3 A.14)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, XRayAngiographicImageStorage, generate_uid

from ...errors import InputError
from .angiogram import LOG_RANGE, SimulatedRun

__all__ = ["write_xa"]

_UID_ROOT = "1.2.826.0.1.3680043.8.498."  # pydicom's own root
_DATE, _TIME = "20000101", "120000"  # fixed: the same run gives the same bytes
_KV = "80"


def write_xa(run: SimulatedRun, path: str | Path, seed: int, series_number: int = 1) -> Path:
    """Write `run` to `path` and return the path; the same run and seed give the same bytes.

    Runs with the same seed belong to one study of one (synthetic) patient; `series_number` tells them apart.
    A table shift is not written: it stands for a movement that nobody recorded.

    Raises:
        InputError: the detector is rolled (XA DICOM has no place for it), a negative seed or series number,
            or the folder does not exist.
    """
    target = Path(path)
    if run.acquisition.roll_deg:
        raise InputError(f"an XA file cannot hold a detector roll, got {run.acquisition.roll_deg:g} deg")
    if seed < 0 or series_number < 0:
        raise InputError(f"seed and series number must be 0 or more, got {seed} and {series_number}")
    if not target.parent.is_dir():
        raise InputError(f"the folder {target.parent} does not exist")
    dataset = Dataset()
    _identify(dataset, seed, series_number)
    _describe_image(dataset, run)
    _describe_acquisition(dataset, run)
    _describe_timing(dataset, run)
    dataset.file_meta = _file_meta(dataset)
    dataset.save_as(target, enforce_file_format=True)
    return target


def _file_meta(dataset: Dataset) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return meta


def _uid(*words: object) -> str:
    return str(generate_uid(_UID_ROOT, entropy_srcs=["xradiff synthetic", *map(str, words)]))


def _identify(dataset: Dataset, seed: int, series_number: int) -> None:
    """Patient, study, series, equipment and SOP common modules."""
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.SOPClassUID = XRayAngiographicImageStorage
    dataset.SOPInstanceUID = _uid(seed, series_number, "instance")
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = _uid(seed, "study"), _uid(seed, series_number, "series")
    dataset.PatientName, dataset.PatientID = f"SYNTHETIC^CASE {seed}", f"SYNTHETIC-{seed}"
    dataset.PatientBirthDate, dataset.PatientSex = "", "O"
    dataset.PatientComments = "Synthetic angiogram: simulated, no patient"
    dataset.StudyDate = dataset.SeriesDate = dataset.AcquisitionDate = dataset.ContentDate = _DATE
    dataset.StudyTime = dataset.SeriesTime = dataset.AcquisitionTime = dataset.ContentTime = _TIME
    dataset.ReferringPhysicianName, dataset.StudyID, dataset.AccessionNumber = "", str(seed % 10**8), ""
    dataset.StudyDescription = "Synthetic coronary angiography"
    dataset.Modality, dataset.SeriesNumber, dataset.InstanceNumber = "XA", series_number, 1
    dataset.SeriesDescription = "Synthetic coronary run"
    dataset.Manufacturer, dataset.ManufacturerModelName = "XRADiffSlicer", "synthetic angiogram"
    dataset.BodyPartExamined, dataset.PatientOrientation = "HEART", ""


def _describe_image(dataset: Dataset, run: SimulatedRun) -> None:
    """General image, image pixel, multi-frame, window and X-ray image modules."""
    count, rows, columns = run.frames.shape
    stored = run.bits
    kind = np.dtype("<u2") if stored > 8 else np.dtype("u1")
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "SINGLE PLANE"]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = count, rows, columns
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8 * kind.itemsize, stored, stored - 1
    dataset.PixelRepresentation = 0
    dataset.PixelIntensityRelationship = run.relationship
    if run.relationship == "LOG":
        dataset.ModalityLUTSequence = [_intensity_table(stored)]
    dataset.WindowCenter, dataset.WindowWidth = str(2 ** (stored - 1)), str(2**stored)
    dataset.LossyImageCompression, dataset.BurnedInAnnotation = "00", "NO"
    data = run.frames.astype(kind).tobytes()
    dataset.PixelData = data + b"\0" * (len(data) % 2)
    dataset["PixelData"].VR = "OW" if kind.itemsize == 2 else "OB"


def _intensity_table(bits: int) -> Dataset:
    """The modality table from logarithmic pixels back to intensity, which the standard asks for."""
    values = np.exp(LOG_RANGE * (np.arange(2**bits) / (2**bits - 1) - 1)) * 65535
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [2**bits % 65536, 0, 16])  # 0 stands for 65536 entries
    item.LUTExplanation, item.ModalityLUTType = "logarithmic to linear X-ray intensity", "US"
    item.add_new("LUTData", "OW", np.rint(values).astype("<u2").tobytes())
    return item


def _describe_acquisition(dataset: Dataset, run: SimulatedRun) -> None:
    """Contrast, X-ray acquisition, collimator and positioner modules."""
    pose = run.acquisition
    rows, columns = run.frames.shape[1:]
    dataset.ContrastBolusAgent, dataset.ContrastBolusRoute = "Iodinated (simulated)", "INTRA-ARTERIAL"
    dataset.KVP, dataset.RadiationSetting = _KV, "GR"
    dataset.XRayTubeCurrent, dataset.ExposureTime, dataset.Exposure = 600, 6, 4
    dataset.RadiationMode = "PULSED"
    dataset.ImagerPixelSpacing = [_decimal(value) for value in pose.pixel_spacing_mm]
    dataset.DistanceSourceToDetector, dataset.DistanceSourceToPatient = _decimal(pose.sid_mm), _decimal(pose.sod_mm)
    dataset.EstimatedRadiographicMagnificationFactor = _decimal(pose.sid_mm / pose.sod_mm)
    dataset.PositionerMotion, dataset.TableMotion = "STATIC", "STATIC"
    dataset.PositionerPrimaryAngle = _decimal(pose.primary_deg)
    dataset.PositionerSecondaryAngle = _decimal(pose.secondary_deg)
    size = (columns * pose.pixel_spacing_mm[1], rows * pose.pixel_spacing_mm[0])
    dataset.FieldOfViewShape = "RECTANGLE"
    dataset.FieldOfViewDimensions = [str(round(value)) for value in size]
    if any(pose.detector_offset_mm):
        _describe_offset(dataset, run)


def _describe_offset(dataset: Dataset, run: SimulatedRun) -> None:
    """A field of view off the detector's middle: its origin, in detector elements (row, column)."""
    element = run.acquisition.pixel_spacing_mm
    field = [float(value) for value in dataset.FieldOfViewDimensions][::-1]  # (row, column)
    offset = run.acquisition.detector_offset_mm[::-1]
    active = [2 * (size / 2 + abs(shift)) + 20 for size, shift in zip(field, offset, strict=True)]
    origin = [
        (whole / 2 + shift - size / 2) / pitch
        for whole, shift, size, pitch in zip(active, offset, field, element, strict=True)
    ]
    dataset.FieldOfViewOrigin = [_decimal(value) for value in origin]
    dataset.FieldOfViewRotation, dataset.FieldOfViewHorizontalFlip = "0", "NO"
    dataset.DetectorActiveDimensions = [_decimal(value) for value in active]
    dataset.DetectorElementSpacing = [_decimal(value) for value in element]


def _describe_timing(dataset: Dataset, run: SimulatedRun) -> None:
    """Cine module, frame pointer, heart rate and R waves (frame numbers from 1)."""
    rate = 1000 / run.frame_time_ms
    dataset.FrameTime, dataset.FrameIncrementPointer = _decimal(run.frame_time_ms), 0x00181063
    dataset.CineRate = dataset.RecommendedDisplayFrameRate = max(1, round(rate))
    dataset.PreferredPlaybackSequencing = 0
    dataset.HeartRate = round(run.heart_rate_bpm)
    if run.r_wave_frames:
        dataset.RWavePointer = [index + 1 for index in run.r_wave_frames]


def _decimal(value: float) -> str:
    """A DICOM decimal string: at most 16 characters."""
    return f"{value:.9g}"
