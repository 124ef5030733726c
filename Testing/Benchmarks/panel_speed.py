"""How fast the panel answers: opening, first progress, cancelling, the demo case, memory, and held event loops.

python Testing/Benchmarks/panel_speed.py [--out FILE]. Real forms in real Qt (PySide6, offscreen), real nodes
(slicer-core), real worker processes; the application around them is a stand-in, so Slicer's own work is left out.
Beside the time on the clock stands the processor time, which other programs on the machine do not stretch.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
sys.path[:0] = [str(REPOSITORY / "Testing" / "Slicer"), str(REPOSITORY / "XRADiffSlicer")]
MOST_MEGABYTES = 200
RESULTS = REPOSITORY / "Testing" / "Benchmarks" / "results"


def openPanel():
    """Return the time from the module's own imports to the finished panel, and the panel."""
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
    return watch.words(), panel


class Watch:
    """Seconds on the clock and of this thread's processor since it was made."""

    def __init__(self):
        self.wall, self.cpu = time.perf_counter(), time.thread_time()

    def passed(self):
        return time.perf_counter() - self.wall, time.thread_time() - self.cpu

    def words(self):
        return said(*self.passed())


def said(wall, cpu):
    return f"{wall:.2f} s (processor {cpu:.2f} s)"


class Run:
    """A reconstruction of the bundled case, with the time of everything that happens on this thread."""

    def __init__(self, logic, views, **options):
        self.first, self.ended, self.failed, self.outputs, self.turns = None, None, [], None, []
        self.start = time.perf_counter()
        watch = Watch()
        logic.startReconstruction(
            views, onProgress=self._progress, onLog=print, onFinished=self._finished, onFailed=self._failed, **options
        )
        self.held = watch.passed()
        self.logic = logic

    def _progress(self, _fraction, _message):
        self.first = self.first or time.perf_counter()

    def _finished(self, outputs):
        self.outputs, self.ended = outputs, time.perf_counter()

    def _failed(self, message, cancelled):
        self.failed.append((message, cancelled))
        self.ended = time.perf_counter()

    def turn(self):
        """One turn of the event loop."""
        watch = Watch()
        self.logic.worker._launcher.pump()
        self.turns.append(watch.passed())
        time.sleep(0.005)

    def until(self, seconds=None):
        """Turn until it ends, or for some time."""
        while self.ended is None and (seconds is None or time.perf_counter() - self.start < seconds):
            self.turn()
        return self


def cancelTimes(logic, views, moments):
    """Return the seconds from Cancel to the answer, for cancels at `moments` (seconds after Apply)."""
    import psutil

    answers = []
    for moment in moments:
        run = Run(logic, views).until(moment)
        begun = time.perf_counter()
        logic.cancel()
        run.until()
        answers.append(run.ended - begun)
        if run.failed != [("cancelled", True)] or psutil.Process().children(recursive=True):
            raise SystemExit(
                f"cancel after {moment} s: {run.failed}, left {psutil.Process().children(recursive=True)}"
            )
    return answers


def measure() -> list[tuple[str, str, str]]:
    """Return rows of what, measured, limit."""
    import psutil

    opened, panel = openPanel()
    heavy = sorted({"torch", "odl", "diffusers"} & set(sys.modules))
    from XRADiffSlicerLib.SampleData import loadDemo

    views = loadDemo()
    before = psutil.Process().memory_info().rss
    run, peak = Run(panel.logic, views), before
    while run.ended is None:
        run.turn()
        peak = max(peak, psutil.Process().memory_info().rss)
    if run.outputs is None:
        raise SystemExit(run.failed)
    total, spent = run.ended - run.start, os.times()
    answers = cancelTimes(panel.logic, views, (0.05, 0.8, 2.0, 4.0, 0.7 * total))
    return [
        ("panel opens", f"{opened}, loads {', '.join(heavy) or 'no torch'}", "0.3 s, no torch"),
        ("Apply to first progress", f"{run.first - run.start:.2f} s", "2 s"),
        ("cancel answers (5 moments, longest)", f"{max(answers):.2f} s, no process left", "0.5 s, no process"),
        ("demo, default method", said(total, spent.children_user + spent.children_system), "20 s"),
        ("memory of this process grows by", f"{(peak - before) / 1e6:.0f} MB", f"{MOST_MEGABYTES} MB"),
        ("Apply holds this thread for", said(*run.held), "0.05 s"),
        ("longest turn while it runs and is filled in", said(*max(run.turns)), "0.05 s but node updates"),
    ]


def main() -> None:
    """Print the table, or write it to a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--out", type=Path, default=REPOSITORY / "Testing" / "Benchmarks" / "results" / "panel_speed.md"
    )
    options = parser.parse_args()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    lines = ["# How fast the panel answers", "", "`python Testing/Benchmarks/panel_speed.py`", ""]
    lines += ["| what | measured | figure |", "|---|---|---|"]
    lines += [f"| {what} | {found} | {limit} |" for what, found, limit in measure()]
    revision = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout
    lines += [
        "",
        f"{os.cpu_count()} CPU cores, load {load:.1f} at the start; revision {revision.strip() or 'unknown'}.",
    ]
    options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
