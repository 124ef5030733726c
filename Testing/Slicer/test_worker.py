"""The worker's protocol, with real processes that keep it and break it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from XRADiffSlicerLib import Launchers
from XRADiffSlicerLib import Worker as worker
from XRADiffSlicerLib.Launchers import ThreadLauncher

FAKE = Path(__file__).with_name("fake_worker.py")
pytestmark = pytest.mark.skipif(os.name == "nt", reason="the fake worker uses POSIX signals")


class Run:
    """A worker with everything it reported."""

    def __init__(self, folder, script, grace=0.3):
        self.progress, self.log, self.successes, self.failures = [], [], 0, []
        self.worker = worker.Worker(
            ThreadLauncher(),
            onProgress=lambda fraction, message: self.progress.append((fraction, message)),
            onLog=self.log.append,
            onSuccess=self.success,
            onFailure=lambda message, cancelled: self.failures.append((message, cancelled)),
            graceSeconds=grace,
        )
        self.worker.start([script], folder / "cancel", program=[str(FAKE)])

    def success(self):
        yield
        return self.count

    def count(self):
        self.successes += 1

    def wait(self):
        self.worker.wait(20)
        return self

    def waitForProgress(self):
        end = time.monotonic() + 20
        while not self.progress and time.monotonic() < end:
            self.worker._launcher.pump()
            time.sleep(0.01)
        return self.progress[0][1]


def test_progress_and_result(tmp_path):
    run = Run(tmp_path, "good").wait()
    assert run.progress == [(0.25, "quarter"), (1.0, "too far")]
    assert (run.successes, run.failures, run.worker.state) == (1, [], worker.State.IDLE)


def test_folder_names_with_spaces_and_letters_of_other_languages(tmp_path):
    folder = tmp_path / "Käthe 冠 folder"
    folder.mkdir()
    assert Run(folder, "good").wait().successes == 1


def test_garbage_goes_to_the_log(tmp_path):
    run = Run(tmp_path, "garbage").wait()
    assert run.successes == 1 and run.progress == []
    assert run.log[:3] == ["hello", "{not json", "[1, 2]"]
    assert max(map(len, run.log)) == worker.LONGEST_LINE
    assert "broken text" in run.log[-1]


def test_flood_is_bounded(tmp_path):
    run = Run(tmp_path, "flood").wait()
    assert run.successes == 1
    assert len(run.log) == worker.MOST_LOG_LINES + 1


@pytest.mark.parametrize(
    ("script", "message"),
    [("error", "SOD must be smaller than SID"),
     ("traceback", "the worker failed (exit code 1); see the log"),
     ("crash", "the worker crashed (signal 11); see the log"),
     ("killed", "the worker was ended by the system, most likely for lack of memory; try a larger voxel spacing"),
     ("nothing", "the worker ended without a result; see the log")],
)  # fmt: skip
def test_failure_has_a_readable_reason(tmp_path, script, message):
    run = Run(tmp_path, script).wait()
    assert run.failures == [(message, False)]
    assert run.successes == 0


def test_traceback_is_in_the_log(tmp_path):
    assert any("surprise" in line for line in Run(tmp_path, "traceback").wait().log)


def test_cancel_is_cooperative_first(tmp_path):
    run = Run(tmp_path, "polite", grace=15)
    run.waitForProgress()
    killed = []
    run.worker._kill = lambda: killed.append(True)
    run.worker.cancel()
    assert run.worker.state is worker.State.CANCELLING
    run.wait()
    assert run.failures == [("cancelled", True)]
    assert killed == []


def alive(pid):
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize("withPsutil", [False, True])
@pytest.mark.skipif(not Path("/proc").exists(), reason="looks at /proc")
def test_cancel_ends_a_deaf_worker_and_its_children(tmp_path, monkeypatch, withPsutil):
    if withPsutil:
        pytest.importorskip("psutil")
    else:
        monkeypatch.setitem(__import__("sys").modules, "psutil", None)
    run = Run(tmp_path, "deaf")
    child = int(run.waitForProgress())
    assert alive(child)
    run.worker.cancel()
    run.wait()
    assert run.failures == [("cancelled", True)]
    time.sleep(0.1)
    assert not alive(child)


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks at /proc")
def test_crash_leaves_no_process_behind(tmp_path):
    run = Run(tmp_path, "orphan")
    child = int(run.waitForProgress())
    assert alive(child)
    run.wait()
    assert run.failures == [("the worker crashed (signal 11); see the log", False)]
    time.sleep(0.1)
    assert not alive(child)


def test_steps_after_the_process_can_be_cancelled(tmp_path):
    run, done = Run(tmp_path, "good"), []

    def success():
        try:
            while True:
                done.append("step")
                yield
        finally:
            done.append("closed")

    run.worker._onSuccess = success
    while len(done) < 3:
        assert not run.failures
        run.worker._launcher.pump()
        time.sleep(0.005)
    assert run.worker.running and run.worker.state is worker.State.FINISHING
    run.worker.cancel()
    assert (run.failures, done[-1], run.worker.running) == ([("cancelled", True)], "closed", False)
    count = len(done)
    time.sleep(0.1)
    run.worker._launcher.pump()
    assert len(done) == count


def test_step_that_fails_frees_the_worker(tmp_path):
    run = Run(tmp_path, "good")

    def success():
        yield
        raise LookupError("a bug")

    run.worker._onSuccess = success
    with pytest.raises(LookupError, match="a bug"):
        run.wait()
    assert not run.worker.running
    assert run.failures == [("what the worker made could not be taken over: a bug", False)]


def test_own_process_group_is_never_ended():
    Launchers.killProcessGroup(os.getpgrp())
    Launchers.killProcessGroup(0)
    Launchers.killProcessGroup(-1)


def test_abort_says_nothing_more(tmp_path):
    run = Run(tmp_path, "deaf")
    child = int(run.waitForProgress())
    run.worker.abort()
    time.sleep(0.3)
    run.worker._launcher.pump()
    assert run.failures == [] and not run.worker.running and not alive(child)


def test_second_start_is_refused(tmp_path):
    run = Run(tmp_path, "polite")
    with pytest.raises(RuntimeError, match="running already"):
        run.worker.start([], tmp_path / "cancel")
    run.worker.abort()


def test_interpreter_that_cannot_start(tmp_path, monkeypatch):
    monkeypatch.setattr(worker, "pythonExecutable", lambda: str(tmp_path / "nobody"))
    with pytest.raises(RuntimeError, match="could not be started"):
        Run(tmp_path, "good")


def test_slicer_launcher_uses_slicers_own_call(tmp_path, monkeypatch):
    """Outside the application only the arguments can be checked: non-blocking, in the module folder."""
    import slicer

    called = {}
    monkeypatch.setattr(slicer.util, "launchConsoleProcess", lambda args, **options: called.update(options, args=args))
    Launchers.SlicerLauncher().launch(["python"], {"A": "1"}, tmp_path, print, print)
    assert called["blocking"] is False and called["cwd"] == str(tmp_path)
    assert called["logCallback"] is print and called["completedCallback"] is print
