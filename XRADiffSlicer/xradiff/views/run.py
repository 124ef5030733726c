"""An XA DICOM file -> a run: frames on demand, their times, geometry and heart phase, and who it belongs to."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray

from ..datatypes import Acquisition, AngiogramView, InputFile
from ..errors import InputError
from ..files import existing_file, identity_of
from .dicom_file import DicomFile, is_dicom, one_line, open_dicom
from .dicom_layout import PixelLayout
from .dicom_pixels import stored_frame
from .ecg import Ecg, ecg_of, heart_phases
from .geometry_json import Facts, acquisition_from, given_facts
from .header_values import number_in, numbers_of, shown, text_in
from .images import grey
from .timing import frame_times_ms
from .xa_facts import facts_of_frames

__all__ = ["AngiogramRun", "read_run", "view_of"]

MODALITIES = ("", "XA", "RF", "DX", "OT")


@dataclass(frozen=True, eq=False)
class AngiogramRun:
    """A cine run of one C-arm view. Frames are decoded when asked for; the run itself is small.

    Attributes:
        name: short name for messages, for example "view 0".
        times_ms: (N,) time of each frame in ms from the first one.
        facts: per frame, the acquisition facts (see `geometry_json.FACTS`) that the file or the user gave.
        ecg: R waves, None where the file has none.
        heart_rate_bpm: heart rate (0018,1088), None where the file has none.
        bits: bits of a pixel.
        relationship: how grey values follow X-ray intensity (0028,1040): "LIN", "LOG", "DISP" or "".
        subtracted: whether a mask frame was subtracted already.
        patient: digest of the patient's identifiers, only to tell two patients apart; "" where the file has none.
        study: digest of the study's identifier; "" where the file has none.
        inverted: whether contrast agent is bright as stored; `frame` turns it.
        files: what it was read from.
        notes: what the reader assumed, one sentence each.
        source: the file's header and where its frames lie.
    """

    name: str
    times_ms: NDArray[np.float64] = field(repr=False)
    facts: tuple[Facts, ...] = field(repr=False)
    ecg: Ecg | None
    heart_rate_bpm: float | None
    bits: int
    relationship: str
    subtracted: bool
    patient: str = field(repr=False)
    study: str = field(repr=False)
    inverted: bool
    files: tuple[InputFile, ...]
    notes: tuple[str, ...]
    source: DicomFile = field(repr=False)

    def __len__(self) -> int:
        return len(self.times_ms)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of a frame."""
        return (self.source.layout.rows, self.source.layout.columns)

    def frame(self, index: int) -> NDArray[np.unsignedinteger]:
        """Return the grey values (rows, columns), 0 to 2^bits - 1, of one frame; contrast agent is dark.

        Raises:
            InputError: no such frame, a coloured picture, or pixels that cannot be decoded.
        """
        self.check_frame(index)
        stored, layout = stored_frame(self.source, index), self.source.layout
        if stored.ndim == 3:
            try:
                stored = grey(stored, self.name)
            except InputError:
                raise InputError(
                    f"{self.name} is a coloured picture (RGB secondary capture), not an X-ray run; "
                    f"export the original XA run: {self.source.path}"
                ) from None
        return _unsigned(stored, layout, self.inverted)

    def check_frame(self, index: int) -> int:
        """Return `index` when there is such a frame.

        Raises:
            InputError: there is not; says which there are.
        """
        if not 0 <= index < len(self):
            raise InputError(f"frame must lie in [0, {len(self) - 1}], got {index}: {self.source.path}")
        return index

    def acquisition(self, index: int) -> Acquisition:
        """Return how a frame was taken.

        Raises:
            InputError: no such frame, or a number is missing (says which) or impossible.
        """
        file = self.source.path.name
        name = self.name if self.name == file else f"{self.name} ({file})"
        return acquisition_from(self.facts[self.check_frame(index)], name)

    def phases(self) -> NDArray[np.float64] | None:
        """Return the share (N,) of the heart cycle since the last R wave, in [0, 1), by ECG; None without one."""
        return None if self.ecg is None else heart_phases(self.times_ms, self.ecg.r_waves_ms, self.heart_rate_bpm)


def read_run(
    path: str | Path,
    geometry: str | Path | Mapping[str, Any] | None = None,
    *,
    name: str = "view",
    inverted: bool | None = None,
) -> AngiogramRun:
    """Read an XA, XRF or Enhanced XA file of one frame or many; no frame is decoded yet.

    Args:
        path: the file; uncompressed, JPEG, JPEG-LS, JPEG 2000 or RLE.
        geometry: what completes or overrides the file's geometry: a geometry JSON file, a mapping with the same keys,
            or text like "primary_deg=30,spacing=0.308". What is missing is asked for by `AngiogramRun.acquisition`.
        name: what messages call the run.
        inverted: whether contrast agent is bright as stored, where the file is wrong about it.

    Raises:
        InputError: missing, not DICOM, not a projection image, or its sizes are wrong; says which.
    """
    file = existing_file(path, f"the run of {name}")
    if not is_dicom(file):
        raise InputError(f"a run is read from an XA DICOM file, got {file}")
    source = open_dicom(file)
    given, files = given_facts(geometry, name)
    with one_line(f"not a readable DICOM file: {file}"):
        run = _run_of(source, name)
    run = run if inverted is None else replace(run, inverted=inverted)
    return replace(run, facts=tuple(own | given for own in run.facts), files=(*run.files, *files))


def view_of(run: AngiogramRun, frame: int) -> AngiogramView:
    """Return one frame of a run with that frame's geometry.

    Raises:
        InputError: no such frame, pixels that cannot be decoded, or missing geometry (says what).
    """
    acquisition = run.acquisition(frame)
    return AngiogramView(run.name, run.frame(frame), acquisition, files=run.files, frame=frame, notes=run.notes)


def _run_of(source: DicomFile, name: str) -> AngiogramRun:
    header, frames, notes = source.header, source.layout.frames, list[str]()
    modality = text_in(header, "Modality")
    if modality not in MODALITIES:
        raise InputError(f"an X-ray angiogram (modality XA) is needed, got modality {shown(modality)}: {source.path}")
    times = frame_times_ms(header, frames, notes)
    rate = next((value for value in numbers_of(header.get("HeartRate")) if 20 <= value <= 300), None)
    return AngiogramRun(
        name=name,
        times_ms=times,
        facts=facts_of_frames(header, frames, notes),
        ecg=ecg_of(header, times),
        heart_rate_bpm=rate,
        bits=source.layout.stored,
        relationship=text_in(header, "PixelIntensityRelationship"),
        subtracted=_is_subtracted(header, notes),
        patient=_digest(header, "PatientID", "IssuerOfPatientID", "PatientBirthDate"),
        study=_digest(header, "StudyInstanceUID"),
        files=(identity_of(source.path),),
        notes=tuple(notes),
        source=source,
        inverted=_is_inverted(header, source.layout),
    )


def _is_inverted(header: pydicom.Dataset, layout: PixelLayout) -> bool:
    """By the sign of the intensity relationship (0028,1041) where there is one, else by what 0 looks like."""
    sign = number_in(header, "PixelIntensityRelationshipSign", 0)
    return sign == -1 if sign in (-1, 1) else layout.photometric == "MONOCHROME1"


def _is_subtracted(header: pydicom.Dataset, notes: list[str]) -> bool:
    said = " ".join(text_in(header, key) for key in ("ImageType", "DerivationDescription", "ImageProcessingApplied"))
    done = "SUBTR" in said.upper() or "DSA" in text_in(header, "ImageType").upper().split("\\")
    if not done and text_in(header, "RecommendedViewingMode") == "SUB":
        notes.append("the file asks for subtraction when it is shown (0028,1090); its frames were used as stored")
    return done


def _digest(header: pydicom.Dataset, *keywords: str) -> str:
    words = [text_in(header, keyword) for keyword in keywords]
    return hashlib.sha256("\n".join(words).encode()).hexdigest() if words[0] else ""


def _unsigned(stored: NDArray[np.generic], layout: PixelLayout, inverted: bool) -> NDArray[np.unsignedinteger]:
    """Return the bits that count, from 0 to 2^stored - 1, with contrast agent dark; other bits hold overlays."""
    kind = np.uint8 if layout.allocated == 8 else np.uint16
    top = 2**layout.stored - 1
    values: NDArray[np.unsignedinteger] = stored.astype(kind)
    values = (values + kind(2 ** (layout.stored - 1) * layout.signed)) & kind(top)
    return kind(top) - values if inverted else values
