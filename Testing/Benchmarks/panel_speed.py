"""How fast the panel answers: opening, Apply, cancelling, the demo case, synthetic cases, memory, held event loops.

python Testing/Benchmarks/panel_speed.py [--out FILE]. The whole panel in real Qt (PySide6, offscreen), real nodes
(slicer-core), real worker processes; the application around them is a stand-in, so Slicer's own work is left out.
Beside the time on the clock stands the processor time, which other programs on the machine do not stretch.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

REPOSITORY = Path(__file__).resolve().parents[2]
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
sys.path[:0] = [str(REPOSITORY / "Testing" / "Slicer"), str(REPOSITORY / "XRADiffSlicer")]
OPENINGS = 3
CANCEL_AFTER_SECONDS = (0.05, 0.8)
CANCEL_AT_PERCENT = (20, 50, 75)
SYNTHETIC_FRAMES = 20
FIGURES = {
    "panel opens": "0.3 s, no torch",
    "Apply to first progress": "2 s",
    "cancel answers (5 moments, longest)": "0.5 s, no process",
    "demo, default method": "20 s",
    "the same the first time, when no module of any package is compiled": "-",
    "memory of this process grows by": "200 MB",
    "Apply holds this thread for": "0.05 s",
    "longest turn while it runs and is taken over": "0.05 s but node updates",
    "Create (two runs of 20 frames) holds this thread for": "0.05 s",
    "longest turn while a synthetic case is made and taken over": "0.05 s but node updates",
}


class Watch:
    """Seconds on the clock and of this thread's processor since it was made."""

    def __init__(self):
        self.wall, self.cpu = time.perf_counter(), time.thread_time()

    def passed(self):
        return time.perf_counter() - self.wall, time.thread_time() - self.cpu


def said(wall, cpu):
    return f"{wall:.3f} s (processor {cpu:.3f} s)"


# ---- opening --------------------------------------------------------------------------------


def openPanel():
    """Return the panel, what its opening took from the module's own imports on, and the heavy packages it loads."""
    from qt_panel import application, makePanel, newScene  # with numpy and vtk, which Slicer has loaded

    app, scene = application(), newScene()
    watch = Watch()
    from XRADiffSlicerLib.Launchers import ThreadLauncher
    from XRADiffSlicerLib.Logic import ReconstructionLogic
    from XRADiffSlicerLib.Parameters import Parameters

    parameters = Parameters(scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode"))
    panel = makePanel(scene, ReconstructionLogic(ThreadLauncher()), parameters)
    panel.form.show()
    app.processEvents()
    taken = watch.passed()
    return panel, taken, sorted({"torch", "odl", "diffusers", "SimpleITK"} & set(sys.modules))


def openings():
    """Return clock and processor seconds of openings in new processes, whose bytecode is there as in Slicer."""
    command = [sys.executable, __file__, "--open"]
    found = [json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
             for _ in range(1 + OPENINGS)]  # fmt: skip
    return found[1:]


# ---- work -----------------------------------------------------------------------------------


class Work:
    """What a click starts, with the time of everything that happens on this thread."""

    def __init__(self, panel, button):
        import psutil

        self.panel, self.turns, self.first, self.end = panel, [], None, None
        self.process = psutil.Process()
        self.before = self.peak = self.process.memory_info().rss
        onProgress = panel.onProgress
        panel.onProgress = lambda *given: (self._heard(), onProgress(*given))
        self.start, watch = time.perf_counter(), Watch()
        button.click()
        self.held, self.first = watch.passed(), None  # "Starting..." is not the worker's
        if not panel.logic.running:
            raise SystemExit(panel.ui.statusLabel.text())

    def _heard(self):
        self.first = self.first or time.perf_counter()

    def turn(self):
        """One turn of the event loop."""
        watch = Watch()
        self.panel.logic.worker._launcher.pump()
        self.turns.append(watch.passed())
        self.peak = max(self.peak, self.process.memory_info().rss)
        time.sleep(0.005)

    def until(self, seconds=None, percent=101):
        """Turn until it ends, for some time, or until the progress bar says so much."""
        bar = self.panel.ui.progressBar
        while self.panel.logic.running and (seconds is None or time.perf_counter() - self.start < seconds):
            if self.first is not None and bar.value() >= percent:
                break
            self.turn()
        self.end = time.perf_counter()
        return self

    @property
    def longest(self):
        """The longest turn by the clock, and the longest by the processor."""
        return max(wall for wall, _cpu in self.turns), max(cpu for _wall, cpu in self.turns)


def cancelSeconds(panel, **moment):
    """Return the seconds from Cancel, at a `moment` after Apply, to the answer."""
    work = Work(panel, panel.ui.applyButton).until(**moment)
    begun = time.perf_counter()
    panel.ui.applyButton.click()
    work.until()
    left = work.process.children(recursive=True)
    if panel.ui.statusLabel.text() != "Cancelled; nothing was changed." or left:
        raise SystemExit(f"cancel at {moment}: {panel.ui.statusLabel.text()}, left {left}")
    return work.end - begun


def demo(panel):
    """Return the finished run of the demo case, and what it took by the clock and of the worker's processor."""
    before = os.times()
    run = Work(panel, panel.ui.applyButton).until()
    if not panel.ui.statusLabel.text().startswith("Done."):
        raise SystemExit(panel.ui.statusLabel.text())
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return run, f"{run.end - run.start:.2f} s (processor {spent:.2f} s)"


def measure() -> dict[str, str]:
    """Return what was measured for each of FIGURES."""
    from XRADiffSlicerLib.SampleData import loadDemo

    opened = openings()
    panel, _taken, _heavy = openPanel()
    panel.parameters.view0, panel.parameters.view1 = loadDemo()
    first, cold = demo(panel)
    _again, warm = demo(panel)
    answers = [cancelSeconds(panel, seconds=moment) for moment in CANCEL_AFTER_SECONDS]
    answers += [cancelSeconds(panel, percent=percent) for percent in CANCEL_AT_PERCENT]
    panel.parameters.syntheticFrames = SYNTHETIC_FRAMES
    made = Work(panel, panel.ui.createButton).until()
    heavy = ", ".join(opened[0]["heavy"]) or "no torch"
    values = [
        f"{said(*(median(one[kind] for one in opened) for kind in ('wall', 'cpu')))}, loads {heavy}",
        f"{first.first - first.start:.2f} s",
        f"{max(answers):.2f} s, no process left",
        warm,
        cold,
        f"{(first.peak - first.before) / 1e6:.0f} MB",
        said(*first.held),
        said(*first.longest),
        said(*made.held),
        said(*made.longest),
    ]
    return dict(zip(FIGURES, values, strict=True))


def write(path):
    """Measure, and write the table."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    lines = ["# How fast the panel answers", "", "`python Testing/Benchmarks/panel_speed.py`", ""]
    lines += ["| what | measured | figure |", "|---|---|---|"]
    lines += [f"| {what} | {found} | {FIGURES[what]} |" for what, found in measure().items()]
    command = ["git", "rev-parse", "--short", "HEAD"]
    revision = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "unknown"
    opening = f"Opening: median of {OPENINGS} new processes; Qt's and the stand-ins' work is part of it. "
    turns = "Turns: the longest by the clock, and the longest by the processor."
    machine = f"{os.cpu_count()} CPU cores, load {load:.1f} at the start; revision {revision}."
    lines += ["", opening + turns, machine]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


def main() -> None:
    """Write the table to a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--out", type=Path, default=REPOSITORY / "Testing" / "Benchmarks" / "results" / "panel_speed.md"
    )
    parser.add_argument("--open", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.open:
        _panel, (wall, cpu), heavy = openPanel()
        print(json.dumps({"wall": wall, "cpu": cpu, "heavy": heavy}))
        return
    with tempfile.TemporaryDirectory() as folder:  # as in Slicer, where modules are compiled once
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = folder
        write(options.out)


if __name__ == "__main__":
    main()
