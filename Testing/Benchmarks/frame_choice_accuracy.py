"""How well frames of two runs are paired at the same heart phase, with an ECG and without one.

    python Testing/Benchmarks/frame_choice_accuracy.py --cases 24

Each case: a generated tree on a beating heart, seen by two runs of 48 frames (or `--frames`) at 15 frames/s with
their own heart rate and breathing, written as XA DICOM and read again. "R-wave pointers" are frame numbers, "ECG
waveform" is a trace of 400 samples/s put into the file, "motion in the images" is a file without either; "contrast
alone" takes the best filled frame of each run, without pairing. Mismatch is the difference of the true heart phases
of the two chosen frames, in frames at the mean heart rate; distance from end-diastole is that of a chosen frame's
true phase from the R wave; filled is the vessel area with visible contrast agent, against the frame with most of it.
Pairs in which no beat was found in a run count with the frames of most contrast.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "XRADiffSlicer"))

from bench_tools import write_table
from xradiff.masks import FrameChoice, choose_frames
from xradiff.synthetic.acquisition import SimulatedRun, write_xa
from xradiff.synthetic.case import CaseOptions, draw_case
from xradiff.views import AngiogramRun, read_run

REFERENCE = "contrast alone (for comparison)"
SOURCES = ("ECG waveform", "R-wave pointers", "motion in the images")
RATE_HZ = 400.0
FRAMES = 48
COLUMNS = (
    "phase from",
    "cases",
    "mismatch in frames: median",
    "largest",
    "within one frame",
    "pairs without a phase",
    "distance from end-diastole (share of the cycle): mean",
    "filled: mean (least)",
    "seconds a run: median",
)


def put_waveform(path: Path, run: SimulatedRun) -> None:
    """Add an ECG trace (Q, R, S and T waves) whose R waves are the true ones."""
    cycle_s = 60 / run.heart_rate_bpm
    time_s = np.arange(round(len(run.phases) * run.frame_time_ms / 1000 * RATE_HZ)) / RATE_HZ
    phase = (run.phases[0] + time_s / cycle_s + 0.5) % 1 - 0.5
    waves = ((-0.03, -0.15, 0.01), (0.0, 1.0, 0.012), (0.03, -0.2, 0.01), (0.25, 0.35, 0.05))
    trace = sum(h * np.exp(-0.5 * ((phase * cycle_s - at) / width) ** 2) for at, h, width in waves)
    group = pydicom.Dataset()
    group.SamplingFrequency, group.WaveformSampleInterpretation, group.NumberOfWaveformChannels = RATE_HZ, "SS", 1
    group.NumberOfWaveformSamples, group.WaveformBitsAllocated = len(time_s), 16
    group.add_new("WaveformData", "OW", np.rint(1000 * np.asarray(trace)).astype("<i2").tobytes())
    dataset = pydicom.dcmread(path)
    dataset.WaveformSequence = [group]
    dataset.save_as(path)


def runs_of(case: Sequence[SimulatedRun], source: str, folder: Path) -> list[AngiogramRun]:
    """Return the runs as a reader sees them when their phase comes from `source`."""
    found = []
    for number, simulated in enumerate(case):
        path = write_xa(simulated, folder / f"{number}.dcm", 0, number)
        if source == "ECG waveform":
            put_waveform(path, simulated)
        run = read_run(path, name=f"view {number}")
        found.append(dataclasses.replace(run, ecg=None) if source == "motion in the images" else run)
    return found


def scores(choices: Sequence[FrameChoice], case: Sequence[SimulatedRun]) -> tuple[float, list[float], list[float]]:
    """Return the mismatch in frames, and of each frame the distance from end-diastole and the filled share."""
    phases = np.array([run.phases[choice.frame] for choice, run in zip(choices, case, strict=True)])
    cycle_ms = 60_000 / np.mean([run.heart_rate_bpm for run in case])
    apart = abs((phases[0] - phases[1] + 0.5) % 1 - 0.5) * cycle_ms / case[0].frame_time_ms
    areas = [run.masks.sum(axis=(1, 2)) for run in case]
    filled = [float(area[choice.frame] / area.max()) for choice, area in zip(choices, areas, strict=True)]
    return float(apart), np.abs((phases + 0.5) % 1 - 0.5).tolist(), filled


@dataclasses.dataclass
class Row:
    """What was measured with one source of the phases."""

    source: str
    apart: list[float] = dataclasses.field(default_factory=list)
    late: list[float] = dataclasses.field(default_factory=list)
    filled: list[float] = dataclasses.field(default_factory=list)
    seconds: list[float] = dataclasses.field(default_factory=list)
    without: int = 0  # pairs of which a run's phase was not found

    def add(self, choices: Sequence[FrameChoice], case: Sequence[SimulatedRun], seconds: float) -> None:
        """Take in one pair of runs."""
        apart, late, filled = scores(choices, case)
        self.apart.append(apart)
        self.late += late
        self.filled += filled
        self.seconds.append(seconds / len(case))

    def cells(self) -> tuple[str, ...]:
        """Return one line of the table."""
        values: NDArray[np.float64] = np.array(self.apart)
        return (
            self.source,
            str(len(values)),
            f"{np.median(values):.2f}",
            f"{values.max():.2f}",
            f"{np.mean(values <= 1):.0%}",
            f"{self.without}",
            f"{np.mean(self.late):.3f}",
            f"{np.mean(self.filled):.2f} ({min(self.filled):.2f})",
            f"{np.median(self.seconds):.2f}",
        )


def add_case(rows: dict[str, Row], case: Sequence[SimulatedRun]) -> None:
    """Choose the frames of a pair of runs by every source."""
    with tempfile.TemporaryDirectory() as folder:
        for source in SOURCES:
            runs = runs_of(case, source, Path(folder))
            start = time.perf_counter()
            choices = choose_frames(runs)
            seconds = time.perf_counter() - start
            rows[source].add(choices, case, seconds)
            rows[source].without += any(choice.phase_source != source for choice in choices)
    best = [dataclasses.replace(choice, frame=int(np.argmax(choice.curve))) for choice in choices]
    rows[REFERENCE].add(best, case, seconds)


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=24)
    parser.add_argument("--image-px", type=int, default=256)
    parser.add_argument("--seed", type=int, default=77)
    parser.add_argument("--frames", type=int, default=FRAMES, help="of each run; other than 48 has a table of its own")
    given = parser.parse_args()
    options = CaseOptions(frames=given.frames, image_px=given.image_px, motion="heart", poses="clinical")
    rows = {source: Row(source) for source in (*SOURCES, REFERENCE)}
    for number in range(given.cases):
        add_case(rows, draw_case(options, given.seed, number).runs)
    write_table(
        "frame_choice_accuracy" + ("" if given.frames == FRAMES else f"_{given.frames}"),
        f"{given.frames} frames: the same heart phase in two runs, {given.image_px} x {given.image_px}, 15 frames/s",
        COLUMNS,
        [row.cells() for row in rows.values()],
        script=f"frame_choice_accuracy.py --cases {given.cases} --image-px {given.image_px} --seed {given.seed}"
        + ("" if given.frames == FRAMES else f" --frames {given.frames}"),
    )


if __name__ == "__main__":
    main()
