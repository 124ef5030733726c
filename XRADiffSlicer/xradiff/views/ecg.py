"""R waves of a run: from an ECG trace in the file, from R-wave pointers, or from trigger delays.

Places: waveform sequence (5400,0100), retired curves of type ECG (50xx), R-wave pointer (0028,6040; a frame
number) and, in Enhanced XA, the delay since the R wave (0020,9153). A trace tells the time of an R wave
between two frames; a pointer does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from scipy import ndimage

from .header_values import numbers_of, texts_of, values_in_frames

__all__ = ["Ecg", "ecg_of", "heart_phases", "r_waves_s"]

Array = NDArray[np.float64]
_SHORTEST_RR_S = 0.27  # 220 beats a minute
_WAVEFORM_TYPES = {"SS": "i2", "US": "u2", "SB": "i1", "UB": "u1", "SL": "i4", "UL": "u4"}
_CURVE_TYPES = ("u2", "i2", "f4", "f8", "i4")


@dataclass(frozen=True, eq=False)
class Ecg:
    """R waves on the clock of the run.

    Attributes:
        r_waves_ms: (P,) time of each R wave in ms from the first frame, ascending; may lie outside of the run.
        source: "ECG waveform", "ECG curve", "R-wave pointers" or "trigger delays".
    """

    r_waves_ms: Array
    source: str


def ecg_of(header: pydicom.Dataset, times_ms: Array) -> Ecg | None:
    """Return the R waves of a run whose frames were taken at `times_ms` (N,), or None where the file has none."""
    sources = (
        ("ECG waveform", _from_waveform), ("ECG curve", _from_curve),
        ("R-wave pointers", _from_pointers), ("trigger delays", _from_delays),
    )  # fmt: skip
    for source, find in sources:
        found = find(header, times_ms)
        if len(found):
            return Ecg(np.unique(found), source)
    return None


def heart_phases(times_ms: Array, r_waves_ms: Array, heart_rate_bpm: float | None = None) -> Array | None:
    """Return the share of the heart cycle since the last R wave, in [0, 1), at each of `times_ms` (N,).

    Before the first and after the last R wave the cycle lasts as long as the median one, or as `heart_rate_bpm`
    says where fewer than two R waves are known. None when neither is known.
    """
    cycles = np.diff(r_waves_ms)
    if len(cycles):
        usual = float(np.median(cycles))
    elif len(r_waves_ms) and heart_rate_bpm:
        usual = 60_000 / heart_rate_bpm
    else:
        return None
    last = np.searchsorted(r_waves_ms, times_ms, side="right") - 1
    lasting = np.where((last >= 0) & (last < len(cycles)), np.append(cycles, usual)[last], usual)
    phases: Array = (times_ms - r_waves_ms[np.maximum(last, 0)]) / lasting % 1.0
    return phases


def r_waves_s(trace: Array, rate_hz: float) -> Array:
    """Return the times (P,) in s, from the first sample, of the R waves in an ECG `trace` (M,).

    Energy of the steep part of the QRS complex (5 to 20 Hz, squared slope, mean of 120 ms) above half of its
    usual peak, then the largest deflection near by: after Pan and Tompkins 1985, doi:10.1109/TBME.1985.325532.
    """
    if not 50 <= rate_hz <= 20_000 or len(trace) < rate_hz or not np.isfinite(trace).all() or np.ptp(trace) == 0:
        return np.zeros(0)
    from scipy import signal  # slow to load, and few files hold a trace

    band = signal.butter(2, (5, min(20, 0.4 * rate_hz)), "bandpass", fs=rate_hz, output="sos")
    qrs = signal.sosfiltfilt(band, trace - np.median(trace), padlen=min(len(trace) - 1, int(rate_hz)))
    width = max(1, round(0.12 * rate_hz))
    energy = ndimage.uniform_filter1d(np.gradient(qrs) ** 2, width, mode="constant")
    peaks, _ = signal.find_peaks(np.pad(energy, 1), distance=max(1, round(_SHORTEST_RR_S * rate_hz)))
    peaks = peaks - 1
    if not len(peaks):
        return np.zeros(0)
    usual = float(np.median(np.sort(energy[peaks])[-max(1, round(len(trace) / rate_hz)) :]))
    peaks = peaks[energy[peaks] > 0.4 * usual]
    near = [np.arange(max(0, peak - width), min(len(qrs), peak + width + 1)) for peak in peaks]
    found: Array = np.array([window[np.argmax(np.abs(qrs[window]))] for window in near]) / rate_hz
    return found


def _from_waveform(header: pydicom.Dataset, times_ms: Array) -> Array:
    """R waves of the first group of channels; its offset is that to the first frame's trigger."""
    group = next(iter(header.get("WaveformSequence") or ()), None)
    if group is None:
        return np.zeros(0)
    rate = next(iter(numbers_of(group.get("SamplingFrequency"))), 0.0)
    offset = next(iter(numbers_of(group.get("MultiplexGroupTimeOffset"))), 0.0)
    kind = _WAVEFORM_TYPES.get(str(group.get("WaveformSampleInterpretation")))
    channels = next(iter(numbers_of(group.get("NumberOfWaveformChannels"))), 0)
    samples = _samples(group.get("WaveformData"), kind)
    if channels < 1 or channels > len(samples):
        return np.zeros(0)
    traces = samples[: len(samples) // int(channels) * int(channels)].reshape(-1, int(channels))
    return r_waves_s(traces[:, 0], rate) * 1000 + offset


def _from_curve(header: pydicom.Dataset, times_ms: Array) -> Array:
    """R waves of the first curve of type ECG; without usable axis units it spans the run."""
    for group in range(0x5000, 0x5020, 2):
        element = {name: _curve(header, group, number) for name, number in _CURVE.items()}
        kind = numbers_of(element["representation"])
        if texts_of(element["type"]) != ["ECG"] or not kind or not 0 <= kind[0] < len(_CURVE_TYPES):
            continue
        samples = _samples(element["data"], _CURVE_TYPES[int(kind[0])])
        dimensions = numbers_of(element["dimensions"])
        spaced = 0 in numbers_of(element["descriptor"])[:1]
        if dimensions == [2.0] and not spaced:
            samples = samples[: len(samples) // 2 * 2].reshape(-1, 2)[:, 1]
        if len(samples) < 2:
            continue
        scale = {"SECS": 1.0, "MSEC": 1e-3}.get(next(iter(texts_of(element["units"])), ""))
        step, start = numbers_of(element["step"])[:1], numbers_of(element["start"])[:1] or [0.0]
        if scale and spaced and step and step[0] > 0:
            return (r_waves_s(samples, 1 / (step[0] * scale)) + start[0] * scale) * 1000
        span_s = (times_ms[-1] + np.median(np.diff(times_ms))) / 1000 if len(times_ms) > 1 else 0.0
        if span_s > 0:
            return r_waves_s(samples, len(samples) / span_s) * 1000
    return np.zeros(0)


_CURVE = {
    "dimensions": 0x0005, "type": 0x0020, "units": 0x0030, "representation": 0x0103, "descriptor": 0x0110,
    "start": 0x0112, "step": 0x0114, "data": 0x3000,
}  # fmt: skip


def _curve(header: pydicom.Dataset, group: int, number: int) -> Any:
    element = header.get((group, number))
    return None if element is None else element.value


def _samples(data: Any, kind: str | None) -> Array:
    """Return little-endian samples as numbers."""
    if kind is None or not isinstance(data, bytes):
        return np.zeros(0)
    dtype = np.dtype(f"<{kind}")
    return np.frombuffer(data[: len(data) // dtype.itemsize * dtype.itemsize], dtype).astype(np.float64)


def _from_pointers(header: pydicom.Dataset, times_ms: Array) -> Array:
    """Times of the frames that the R-wave pointer (frame numbers from 1) names.

    A pointer is known to one frame; where all of them fit an even beat, that beat tells them better.
    """
    numbers = np.array(numbers_of(header.get("RWavePointer")))
    waves: Array = np.unique(times_ms[numbers[(numbers >= 1) & (numbers <= len(times_ms))].astype(int) - 1])
    if len(waves) > 2:
        beat = np.arange(len(waves))
        even = np.polyval(np.polyfit(beat, waves, 1), beat)
        if np.abs(even - waves).max() <= np.median(np.diff(times_ms)):
            return np.asarray(even, dtype=np.float64)
    return waves


def _from_delays(header: pydicom.Dataset, times_ms: Array) -> Array:
    """Enhanced XA: each frame says how long after the R wave it was taken."""
    delays = values_in_frames(header, "NominalCardiacTriggerDelayTime", len(times_ms))
    waves = np.array([time - delay for time, delay in zip(times_ms, delays, strict=True) if delay is not None])
    if not len(waves):
        return np.zeros(0)
    first = np.concatenate([[True], np.diff(waves) > _SHORTEST_RR_S * 1000])
    return waves[first]
