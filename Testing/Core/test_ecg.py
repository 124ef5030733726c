"""R waves and heart phases: from a trace, from every place that XA files keep an ECG in."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from xradiff.views import read_run
from xradiff.views.ecg import heart_phases, r_waves_s

sys.path.append(str(Path(__file__).parent))
from xa_files import enhanced, noise, pieces, saved, xa


def trace(rate_hz, r_waves, seconds, rng=None):
    """Return an ECG (M,): P, QRS and T waves with a drift, and noise."""
    time = np.arange(round(rate_hz * seconds)) / rate_hz
    ecg = 0.3 * np.sin(2 * np.pi * 0.3 * time)
    for wave in r_waves:
        for at, height, width in (
            (-0.16, 0.15, 0.03),
            (-0.03, -0.15, 0.01),
            (0, 1, 0.012),
            (0.03, -0.2, 0.01),
            (0.25, 0.35, 0.05),
        ):
            ecg += height * np.exp(-0.5 * ((time - wave - at) / width) ** 2)
    return ecg if rng is None else ecg + rng.normal(scale=0.05, size=len(ecg))


WAVES_S = np.array([0.31, 1.12, 1.9, 2.75, 3.5])


@pytest.mark.parametrize("rate_hz", [100, 400, 1000])
@pytest.mark.parametrize("sign", [1, -1])
def test_r_waves_are_found_in_a_noisy_trace(rate_hz, sign):
    found = r_waves_s(sign * trace(rate_hz, WAVES_S, 4.2, np.random.default_rng(1)), rate_hz)
    np.testing.assert_allclose(found, WAVES_S, atol=0.015)


def test_no_r_waves_in_what_is_no_ecg():
    for nothing in (np.zeros(1000), np.full(1000, np.nan), np.ones(3), np.zeros(0)):
        assert len(r_waves_s(nothing, 400)) == 0
    assert len(r_waves_s(trace(400, WAVES_S, 4), 0)) == 0


def stored(ecg):
    return np.rint(1000 * ecg).astype("<i2").tobytes()


def waveform():
    both = np.stack([trace(400, WAVES_S, 4.2), np.zeros(1680)], axis=1)
    group = pieces(
        SamplingFrequency=400, WaveformSampleInterpretation="SS", NumberOfWaveformChannels=2, WaveformBitsAllocated=16,
        NumberOfWaveformSamples=1680, MultiplexGroupTimeOffset=-100, WaveformData=stored(both),
    )  # fmt: skip
    group["WaveformData"].VR = "OW"
    return pieces(WaveformSequence=[group])


def curve(units, **values):
    dataset = pieces()
    for number, vr, value in (
        (0x0005, "US", 1), (0x0010, "US", 1680), (0x0020, "CS", "ECG"), (0x0030, "SH", units), (0x0103, "US", 1),
        (0x0110, "US", [0, 1]), (0x0112, "US", 0), (0x0114, "US", values.get("step", 1)),
        (0x3000, "OW", stored(trace(400, WAVES_S, 4.2))),
    ):  # fmt: skip
        dataset.add_new((0x5004, number), vr, value)
    return dataset


@pytest.mark.parametrize(
    ("ecg", "source", "expected_ms", "off"),
    [
        (waveform(), "ECG waveform", 1000 * WAVES_S - 100, 5),
        (curve(["DPPS", "NONE"]), "ECG curve", 1000 * WAVES_S, 5),
        (curve(["MSEC", "NONE"], step=5), "ECG curve", 2000 * WAVES_S, 10),
        (pieces(RWavePointer=[6, 23, 38, 56, 70]), "R-wave pointers", 1000 * WAVES_S, 60),
    ],
)
def test_every_kind_of_ecg_gives_the_r_waves(tmp_path, ecg, source, expected_ms, off):
    dataset = xa(noise(84, 2, 2))
    dataset.update(ecg)
    run = read_run(saved(tmp_path / "run.dcm", dataset))
    assert run.ecg.source == source
    np.testing.assert_allclose(run.ecg.r_waves_ms, expected_ms, atol=off)


def test_trigger_delays_of_enhanced_xa_give_the_phase(tmp_path):
    clock = {"FrameAcquisitionDateTime": lambda k: f"20200101120000.{400 * k:03d}000"}
    run = read_run(
        saved(tmp_path / "run.dcm", enhanced(NominalCardiacTriggerDelayTime=lambda k: [500, 900, 400][k], **clock))
    )
    np.testing.assert_allclose(run.ecg.r_waves_ms, [-500, 400])
    np.testing.assert_allclose(run.phases(), [500 / 900, 0, 400 / 900])


def test_phases_grow_from_0_at_each_r_wave_and_beyond_the_last():
    phases = heart_phases(np.array([-100.0, 0, 400, 799, 800, 1200, 1800, 2300]), np.array([0.0, 800, 1800]))
    np.testing.assert_allclose(phases, [8 / 9, 0, 0.5, 799 / 800, 0, 0.4, 0, 5 / 9])
    assert heart_phases(np.arange(3.0), np.array([1.0])) is None
    np.testing.assert_allclose(heart_phases(np.array([500.0]), np.zeros(1), 60.0), [0.5])
