"""From the bundled case and from grey runs to a result with clicks: real Qt, real MRML, real worker processes."""

from __future__ import annotations

import os

import numpy as np
import pytest
import slicer

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
pytest.importorskip("PySide6.QtWidgets", reason="needs PySide6-Essentials", exc_type=ImportError)

from qt_panel import application, makePanel
from run_phantoms import Database
from XRADiffSlicerLib import Masks, Runs
from XRADiffSlicerLib.Launchers import ThreadLauncher
from XRADiffSlicerLib.Logic import ReconstructionLogic
from XRADiffSlicerLib.Parameters import Parameters


@pytest.fixture
def panel(mrml, monkeypatch):
    monkeypatch.setattr(slicer, "dicomDatabase", Database(None), raising=False)
    app = application()
    node = mrml.AddNewNodeByClass("vtkMRMLScriptedModuleNode")
    panel = makePanel(mrml, ReconstructionLogic(ThreadLauncher()), Parameters(node))
    panel.form.show()
    yield panel
    panel.logic.removeTemporaryFiles()
    panel.setParameters(None)
    panel.form.deleteLater()
    app.processEvents()


def click(panel, button):
    """Click, and wait until the worker that was started, and those after it, have ended."""
    assert button.isEnabled(), panel.ui.statusLabel.text()
    button.click()
    while panel.logic.running:
        panel.logic.worker.wait(300)
    return panel.ui.statusLabel.text()


def useVisualHull(panel):
    panel.ui.methodSelector.setCurrentIndex(panel.ui.methodSelector.findText("Visual hull"))
    panel.ui.spacingSpinBox.setValue(1.0)


def test_bundled_case(panel):
    from XRADiffSlicerLib.SampleData import loadDemo

    nodes = loadDemo()
    for selector, node in zip((panel.ui.viewSelector0, panel.ui.viewSelector1), nodes, strict=True):
        selector.setCurrentNode(node)
    assert panel.ui.maskLabel0.text() == "The image is a mask." and not panel.ui.segmentButton0.isEnabled()
    useVisualHull(panel)
    assert click(panel, panel.ui.applyButton).startswith("Done.")
    assert panel.parameters.outputSegmentation.GetSegmentation().GetNumberOfSegments() == 1


def test_grey_runs_with_an_edited_mask(panel, synthetic):
    from XRADiffSlicerLib.SyntheticCase import loadSyntheticCase

    runs = loadSyntheticCase(synthetic).angiograms
    for selector, image in zip((panel.ui.viewSelector0, panel.ui.viewSelector1), runs, strict=True):
        selector.setCurrentNode(Runs.sequenceOf(image)[1])
    assert "segment it, draw it or load one" in panel.ui.statusLabel.text()
    assert click(panel, panel.ui.proposeFramesButton).startswith("Frames chosen")
    assert panel.ui.curveLabel0.isVisible() and "contrast" in panel.ui.curveLabel0.toolTip()
    assert click(panel, panel.ui.segmentAllButton).startswith("Segmented")

    panel.ui.editMaskButton0.click()
    mask, image = panel.application.edited
    assert image is runs[0] and mask is Masks.maskOf(image, Runs.frameOf(image))
    before = Masks.maskPixels(mask)
    erase(mask, image, np.s_[:, : before.shape[1] // 2])
    panel.refresh()
    kept = before.copy()
    kept[:, : before.shape[1] // 2] = False
    assert panel.ui.maskLabel0.text().endswith(f"{kept.sum()} pixels.") and 0 < kept.sum() < before.sum()

    useVisualHull(panel)
    written = []
    panel.logic.launcher = Spy(written)
    assert click(panel, panel.ui.applyButton).startswith("Done.")
    assert np.array_equal(written[0], kept), "the edited mask is what the worker got"


def erase(mask, image, where):
    """What the eraser of the Segment Editor leaves."""
    name = mask.GetSegmentation().GetNthSegmentID(0)
    labels = slicer.util.arrayFromSegmentBinaryLabelmap(mask, name, image)
    labels[0][where] = 0
    slicer.util.updateSegmentBinaryLabelmapFromArray(labels, mask, name, image)


class Spy(ThreadLauncher):
    """Looks at the images that a worker gets before it is started."""

    def __init__(self, seen):
        super().__init__()
        self.seen = seen

    def launch(self, arguments, *others):
        import SimpleITK as sitk

        for path in (arguments[index + 1] for index, word in enumerate(arguments) if word == "--view"):
            self.seen.append(sitk.GetArrayFromImage(sitk.ReadImage(path)) > 0)
        return super().launch(arguments, *others)


def test_saved_scene_reopens_with_frames_masks_and_geometry(mrml, tmp_path, synthetic):
    from XRADiffSlicerLib.Geometry import BY_HAND, factsOf, storeFacts
    from XRADiffSlicerLib.SyntheticCase import loadSyntheticCase

    image = loadSyntheticCase(synthetic).angiograms[0]
    Runs.showFrame(image, 7)
    vessels = np.zeros((256, 256), bool)
    vessels[100:120, 30:200] = True
    Masks.newMask(image, 7, vessels)
    facts = {**factsOf(image)[0], "sid_mm": 1011.0}
    storeFacts(image, facts, BY_HAND)
    name, path = image.GetName(), str(tmp_path / "Görlitz scene.mrb")
    assert mrml.WriteToMRB(path)
    mrml.Clear()

    cache, io = slicer.vtkCacheManager(), slicer.vtkDataIOManager()
    cache.SetRemoteCacheDirectory(str(tmp_path))
    io.SetCacheManager(cache)
    mrml.SetCacheManager(cache)
    mrml.SetDataIOManager(io)
    assert mrml.ReadFromMRB(path)
    again = mrml.GetFirstNodeByName(name)
    assert (Runs.frameOf(again), Runs.frameCount(again)) == (7, 12)
    assert np.array_equal(Masks.maskPixels(Masks.maskOf(again, 7)), vessels)
    known, origin = factsOf(again)
    assert origin == BY_HAND and known["sid_mm"] == 1011
