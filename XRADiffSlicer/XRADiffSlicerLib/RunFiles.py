"""Frames of a run as the application leaves them, and the XA file that the worker makes of them.

Making it takes long, so it is not done where it would hold the application. Imports nothing of Slicer.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

FRAMES, TIMES = ".frames.npy", ".times.npy"


def saveFrames(frames: Sequence[np.ndarray], timesMs: np.ndarray, path: Path) -> None:
    """Leave frames (rows, columns) of one size and their times in ms for the XA file `path`."""
    kind = np.result_type(*frames)
    kept = np.lib.format.open_memmap(
        path.with_suffix(FRAMES), mode="w+", dtype=kind, shape=(len(frames), *frames[0].shape)
    )
    for index, frame in enumerate(frames):
        kept[index] = frame
    np.save(path.with_suffix(TIMES), timesMs)


def writeRuns(folder: Path) -> None:
    """Make the XA files whose frames were left in `folder`."""
    for file in sorted(folder.glob(f"*{FRAMES}")):
        path = file.with_name(file.name.removesuffix(FRAMES) + ".dcm")
        _writeRun(_storable(np.load(file)), np.load(path.with_suffix(TIMES)), path)


def _storable(frames: np.ndarray) -> np.ndarray:
    """Return whole numbers from 0 that fit into 16 bits; others are scaled to 12 bits."""
    low, high = float(frames.min()), float(frames.max())
    if frames.dtype.kind in "ui" and low >= 0 and high < 2**16:
        return frames.astype(np.uint8 if frames.dtype.itemsize == 1 else np.uint16)
    scale = 4095 / (high - low) if high > low else 0.0
    return np.rint((frames.astype(np.float64) - low) * scale).astype(np.uint16)


def _writeRun(frames: np.ndarray, timesMs: np.ndarray, path: Path) -> None:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, XRayAngiographicImageStorage, generate_uid

    data = Dataset()
    data.SOPClassUID, data.SOPInstanceUID, data.Modality = XRayAngiographicImageStorage, generate_uid(), "XA"
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PixelRepresentation = 1, "MONOCHROME2", 0
    data.NumberOfFrames, data.Rows, data.Columns = frames.shape
    bits = 8 if frames.dtype.itemsize == 1 else max(9, int(frames.max()).bit_length())
    data.BitsAllocated, data.BitsStored, data.HighBit = 8 * frames.dtype.itemsize, bits, bits - 1
    if len(timesMs) > 1:
        data.FrameTimeVector = [f"{step:.9g}" for step in np.diff(timesMs, prepend=timesMs[0])]
    pixels = frames.tobytes()
    data.PixelData = pixels + b"\0" * (len(pixels) % 2)
    data["PixelData"].VR = "OB" if bits == 8 else "OW"
    data.file_meta = FileMetaDataset()
    data.file_meta.MediaStorageSOPClassUID, data.file_meta.MediaStorageSOPInstanceUID = (
        data.SOPClassUID, data.SOPInstanceUID
    )  # fmt: skip
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.save_as(path, enforce_file_format=True)
