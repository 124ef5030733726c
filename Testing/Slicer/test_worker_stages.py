"""The real worker program: cancelled at each of its stages, crashed, and in folders with any name."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from pathlib import Path

import mrml_phantoms as phantoms
import pytest
import slicer
from XRADiffSlicerLib.Geometry import BY_HAND, storeFacts
from XRADiffSlicerLib.Launchers import ThreadLauncher
from XRADiffSlicerLib.Logic import ReconstructionLogic
from XRADiffSlicerLib.NodeConversion import imageNodeFromView

pytestmark = pytest.mark.skipif(not Path("/proc").exists(), reason="looks at /proc")
ANSWER_S = 30.0  # a limit against hanging; what is promised to the user is measured in Testing/Benchmarks


@pytest.fixture
def run(mrml, monkeypatch, tmp_path):
    """Start the reconstruction of a sphere with its files in a folder whose name is not plain."""
    folder = tmp_path / "Käthe's 冠 files"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    nodes = []
    for view in phantoms.sphereViews():
        nodes.append(imageNodeFromView(view, view.name))
        taken = view.acquisition
        facts = {name: getattr(taken, name) for name in ("primary_deg", "secondary_deg", "sid_mm", "sod_mm")}
        storeFacts(nodes[-1], {**facts, "pixel_spacing_mm": list(taken.pixel_spacing_mm)}, BY_HAND)
    return Run(nodes, folder)


class Run:
    def __init__(self, nodes, folder):
        self.nodes, self.folder = nodes, folder
        self.logic = ReconstructionLogic(ThreadLauncher())
        self.messages, self.log, self.finished, self.failed = [], [], [], []

    def start(self):
        self.logic.startReconstruction(
            self.nodes,
            method="visual_hull",
            spacingMm=0.5,
            onProgress=lambda fraction, message: self.messages.append(message),
            onLog=self.log.append,
            onFinished=self.finished.append,
            onFailed=lambda message, cancelled: self.failed.append((message, cancelled)),
        )
        return self

    def until(self, words):
        """Wait for a progress message that starts with `words`."""
        end = time.monotonic() + 120
        while not any(message.startswith(words) for message in self.messages):
            self.logic.worker._launcher.pump()
            assert time.monotonic() < end and self.logic.running, (self.messages, self.log, self.failed)
            time.sleep(0.001)

    @property
    def members(self):
        """Processes of the worker's group that are alive."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and self.logic.worker._group:
                try:
                    state, _parent, group = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
                except OSError:
                    continue
                if int(group) == self.logic.worker._group and state != "Z":
                    found.append(int(entry.name))
        return found


STAGES = (
    "loading the software", "checking the views", "backprojecting", "extracting the surface", "writing volumes",
    "drawing the result", "rendering",
)  # fmt: skip


@pytest.mark.parametrize("words", STAGES)
def test_cancel_at_each_stage_leaves_nothing(run, words):
    before = slicer.mrmlScene.GetNumberOfNodes()
    run.start().until(words)
    run.logic.cancel()
    run.logic.worker.wait(ANSWER_S)
    assert run.failed == [("cancelled", True)] and run.finished == []
    time.sleep(0.1)
    assert run.members == [] and list(run.folder.iterdir()) == []
    assert slicer.mrmlScene.GetNumberOfNodes() == before


def test_cancel_before_the_process_says_anything(run):
    run.start().logic.cancel()
    run.logic.worker.wait(ANSWER_S)
    assert run.failed == [("cancelled", True)] and list(run.folder.iterdir()) == []


def test_crash_has_a_reason_a_trace_and_no_leftovers(run):
    run.start().until("checking the views")
    os.kill(run.logic.worker._group, signal.SIGSEGV)
    run.logic.worker.wait(ANSWER_S)
    assert run.failed == [("the worker crashed (signal 11); see the log", False)]
    assert any("Segmentation fault" in line for line in run.log) and any("File" in line for line in run.log)
    assert run.members == [] and list(run.folder.iterdir()) == []


def test_closing_the_scene_in_mid_work_ends_it_without_a_word(run):
    run.start().until("checking the views")
    run.logic.removeTemporaryFiles()
    slicer.mrmlScene.Clear(0)
    time.sleep(0.2)
    run.logic.worker._launcher.pump()
    assert (run.failed, run.finished, run.logic.running) == ([], [], False)
    assert run.members == [] and list(run.folder.iterdir()) == []


def test_view_that_is_deleted_in_mid_work_does_not_stop_the_result(run):
    run.start().until("checking the views")
    slicer.mrmlScene.RemoveNode(run.nodes[1])
    run.logic.worker.wait(120)
    assert run.failed == [] and run.finished[0].segmentation.GetSegmentation().GetNumberOfSegments() == 1


def test_logics_of_two_panels_work_side_by_side(run):
    other = Run(run.nodes, run.folder)
    run.start()
    other.start().until("checking the views")
    other.logic.cancel()
    other.logic.worker.wait(ANSWER_S)
    run.logic.worker.wait(120)
    assert other.failed == [("cancelled", True)] and run.failed == [] and len(run.finished) == 1
