"""Runs as sequences, masks on their frames, and the worker that chooses frames and segments them."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import slicer
from run_phantoms import FACTS, Database, drawVessel, runNode
from XRADiffSlicerLib import Geometry, Masks, Runs, Views
from XRADiffSlicerLib.Launchers import ThreadLauncher
from XRADiffSlicerLib.Logic import ReconstructionLogic
from XRADiffSlicerLib.NodeConversion import SEGMENT_NAME, InputNodeError, imageFromNode
from XRADiffSlicerLib.RunFiles import writeRuns

# ---- runs -----------------------------------------------------------------------------------


def test_run_shows_its_frames_and_keeps_their_times(mrml):
    image = runNode("run", 5, seconds=0.08)
    assert (Runs.frameCount(image), Runs.frameOf(image)) == (5, 0)
    assert Runs.frameTimesMs(image) == pytest.approx([0, 80, 160, 240, 320])
    Runs.showFrame(image, 3)
    assert Runs.frameOf(image) == 3
    assert np.array_equal(imageFromNode(image), Runs.frameImage(image, 3))
    assert not np.array_equal(Runs.frameImage(image, 1), Runs.frameImage(image, 3))
    with pytest.raises(InputNodeError, match="frames 0 to 4, got 5"):
        Runs.showFrame(image, 5)


def test_sequence_without_a_browser_gets_one(mrml):
    sequence = mrml.AddNewNodeByClass("vtkMRMLSequenceNode", "run")
    with pytest.raises(InputNodeError, match="not a sequence of images"):
        Runs.imageOfSequence(sequence)
    known = runNode("run", 3)
    _browser, sequence = Runs.sequenceOf(known)
    assert Runs.imageOfSequence(sequence) is known
    mrml.RemoveNode(Runs.sequenceOf(known)[0])
    image = Runs.imageOfSequence(sequence)
    assert Runs.sequenceOf(image)[1] is sequence and Runs.frameCount(image) == 3


def test_frames_without_times_count_as_usual(mrml):
    image = runNode("run", 3)
    sequence = Runs.sequenceOf(image)[1]
    sequence.SetIndexUnit("")
    assert Runs.frameTimesMs(image) == pytest.approx([0, 1000 / 15, 2000 / 15])


def test_what_is_known_of_a_run_stays_when_another_frame_is_shown(mrml):
    image = runNode("run", 3)
    for index in range(3):  # as the frames of a synthetic case have it
        Geometry.storeFacts(Runs.sequenceOf(image)[1].GetNthDataNode(index), FACTS, Geometry.FROM_JSON)
    Runs.showFrame(image, 1)
    assert Geometry.factsOf(image) == (FACTS, Geometry.FROM_JSON)
    Geometry.storeFacts(image, {**FACTS, "sid_mm": 1100.0}, Geometry.BY_HAND)
    Runs.showFrame(image, 2)
    assert Geometry.factsOf(image) == ({**FACTS, "sid_mm": 1100.0}, Geometry.BY_HAND)


# ---- DICOM ----------------------------------------------------------------------------------


def test_header_in_the_database_gives_geometry_times_and_file(mrml, monkeypatch, synthetic):
    file = synthetic / "view0.dcm"
    monkeypatch.setattr(slicer, "dicomDatabase", Database(file), raising=False)
    image = runNode("run", 3, uid="1.2.3")
    assert Runs.dicomFileOf(image) == str(file)
    facts, origin = Geometry.factsOf(image)
    assert set(facts) >= set(FACTS) and origin == Geometry.FROM_DICOM
    Geometry.rememberHeader(image)
    monkeypatch.setattr(slicer, "dicomDatabase", Database(None))
    Runs.showFrame(image, 1)
    again, origin = Geometry.factsOf(image)
    for name in FACTS:
        assert again[name] == pytest.approx(facts[name])
    assert set(Geometry.originsOf(image).values()) == {Geometry.FROM_DICOM} == {origin}


def test_geometry_of_a_moving_arm_is_that_of_the_frame(mrml):
    import json

    image = runNode("run", 3)
    frames = [{**FACTS, "primary_deg": 10.0 * index} for index in range(3)]
    stored = {"facts": frames[0], "origins": dict.fromkeys(FACTS, Geometry.FROM_DICOM), "frames": frames}
    Runs.homeOf(image).SetAttribute(Geometry.ATTRIBUTE, json.dumps(stored))
    assert Geometry.geometryOf(image, frame=2).primary_deg == 20
    origins = {**Geometry.originsOf(image), "primary_deg": Geometry.BY_HAND}
    Geometry.storeFacts(image, {**FACTS, "primary_deg": 33.0}, origins)
    assert Geometry.geometryOf(image, frame=2).primary_deg == 33, "what the user entered holds for every frame"


def writtenRun(image, folder):
    """The XA file of a run, as the worker makes it of what is left for it."""
    path = Runs.runFile(image, folder / "run.dcm")
    assert not path.exists()
    writeRuns(folder)
    return path


def test_written_run_is_what_the_sequence_holds(mrml, tmp_path):
    from xradiff.views import read_run

    image = runNode("run", 4, seconds=0.05, shape=(17, 23))
    run = read_run(writtenRun(image, tmp_path), FACTS)
    assert len(run) == 4 and run.times_ms == pytest.approx([0, 50, 100, 150])
    for index in range(4):
        assert np.array_equal(run.frame(index), Runs.frameImage(image, index))
    assert run.patient == "" and run.acquisition(0).sid_mm == FACTS["sid_mm"]


@pytest.mark.parametrize("kind", [np.uint16, np.int16, np.float32])
def test_written_run_of_other_numbers_keeps_their_order(mrml, tmp_path, kind):
    from xradiff.views import read_run

    image = runNode("run", 2, kind=kind, offset=-700 if kind != np.uint16 else 0)
    run = read_run(writtenRun(image, tmp_path))
    own = np.stack([Runs.frameImage(image, index) for index in (0, 1)]).astype(float).ravel()
    written = np.stack([run.frame(index) for index in (0, 1)]).ravel()
    order = np.argsort(own, kind="stable")
    assert np.all(np.diff(written[order].astype(int)) >= 0) and len(np.unique(written)) == len(np.unique(own))


# ---- masks ----------------------------------------------------------------------------------


def test_mask_returns_as_it_was_given_and_belongs_to_its_frame(mrml):
    image = runNode("run", 3, shape=(30, 40))
    vessels = drawVessel((30, 40))
    Runs.showFrame(image, 1)
    mask = Masks.newMask(image, 1, vessels)
    assert np.array_equal(Masks.maskPixels(mask), vessels)
    assert Masks.maskOf(image, 1) is mask and Masks.maskOf(image, 0) is None
    assert mask.GetSegmentation().GetSegmentIdBySegmentName(SEGMENT_NAME)
    Runs.showFrame(image, 2)
    assert Masks.maskOf(image, 1) is mask, "the reference outlives a change of frame"


def test_mask_of_an_image_that_is_stored_upside_down(mrml):
    image = mrml.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "upside down")
    slicer.util.updateVolumeFromArray(image, np.zeros((1, 30, 40), np.uint8))
    vessels = drawVessel((30, 40))
    assert np.array_equal(Masks.maskPixels(Masks.newMask(image, 0, vessels)), vessels)


def test_edited_mask_is_the_one_that_is_reconstructed(mrml):
    image = runNode("run", 3, shape=(30, 40))
    Geometry.storeFacts(image, FACTS, Geometry.BY_HAND)
    Runs.showFrame(image, 2)
    mask = Masks.newMask(image, 2, drawVessel((30, 40)))
    name = mask.GetSegmentation().GetNthSegmentID(0)
    labels = slicer.util.arrayFromSegmentBinaryLabelmap(mask, name, image)
    labels[0, 20:24, 5:9] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(labels, mask, name, image)
    view = Views.viewFromNode(image)
    assert view.frame == 2 and view.mask[20:24, 5:9].all()
    assert view.mask.sum() == drawVessel((30, 40)).sum() + 16
    assert np.array_equal(view.pixels, Runs.frameImage(image, 2))


def test_export_writes_the_mask_where_there_is_one(mrml, tmp_path):
    import SimpleITK as sitk
    from XRADiffSlicerLib.Exchange import exportViews

    image = runNode("run", 2, shape=(30, 40))
    Geometry.storeFacts(image, FACTS, Geometry.BY_HAND)
    Masks.newMask(image, 0, drawVessel((30, 40)))
    ((path, _geometry),) = exportViews([Views.viewFromNode(image)], tmp_path)
    assert np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(path))) > 0, drawVessel((30, 40)))


def test_masks_of_other_frames_are_hidden(mrml):
    image = runNode("run", 3, shape=(30, 40))
    first, second = (Masks.newMask(image, frame, drawVessel((30, 40))) for frame in (0, 2))
    Masks.showMaskOfFrame(image, 2)
    assert (first.GetDisplayNode().GetVisibility(), second.GetDisplayNode().GetVisibility()) == (0, 1)
    Masks.showMaskOfFrame(image, 0)
    assert (first.GetDisplayNode().GetVisibility(), second.GetDisplayNode().GetVisibility()) == (1, 0)


def test_an_earlier_mask_can_be_chosen_again_or_none(mrml):
    image = runNode("run", 2, shape=(30, 40))
    first, second = (Masks.newMask(image, 0, drawVessel((30, 40))) for _ in range(2))
    assert Masks.maskOf(image, 0) is second and first.GetName() != second.GetName()
    Masks.chooseMask(image, 0, first)
    assert Masks.maskOf(image, 0) is first
    Masks.chooseMask(image, 0, None)
    assert Masks.maskOf(image, 0) is None


def test_state_of_a_view_in_words(mrml):
    image = runNode("run", 3, shape=(30, 40))
    assert Masks.describeMask(image) == ("No mask of frame 0 yet: segment it, draw it or load one.", False)
    mask = Masks.newMask(image, 1)
    assert Masks.describeMask(image)[0].endswith("There are masks of frame 1.")
    Runs.showFrame(image, 1)
    assert Masks.describeMask(image) == ("The mask of frame 1 is empty.", False)
    Masks.chooseMask(image, 1, Masks.newMask(image, 1, drawVessel((30, 40))))
    assert Masks.describeMask(image) == (f"Mask of frame 1: {drawVessel((30, 40)).sum()} pixels.", True)
    assert Masks.describeMask(mask) == ("The segmentation is the mask.", True)


def test_mask_from_a_file(mrml, tmp_path):
    import SimpleITK as sitk

    image = runNode("run", 2, shape=(30, 40))
    path = tmp_path / "Görlitz mask.png"
    sitk.WriteImage(sitk.GetImageFromArray(drawVessel((30, 40)).astype(np.uint8) * 255), str(path))
    assert np.array_equal(Masks.maskPixels(Masks.loadMask(image, 1, path)), drawVessel((30, 40)))
    sitk.WriteImage(sitk.GetImageFromArray(drawVessel((20, 40)).astype(np.uint8) * 255), str(path))
    with pytest.raises(InputNodeError, match="20 x 40 pixels, run has 30 x 40"):
        Masks.loadMask(image, 1, path)
    path.write_text("no image")
    with pytest.raises(InputNodeError, match="not an image"):
        Masks.loadMask(image, 1, path)


# ---- worker ---------------------------------------------------------------------------------


class Said:
    """What a worker reported."""

    def __init__(self):
        self.result, self.failure, self.lines, self.fractions = None, None, [], []

    def options(self):
        return {
            "onProgress": lambda fraction, _message: self.fractions.append(fraction),
            "onLog": self.lines.append,
            "onFinished": lambda result: setattr(self, "result", result),
            "onFailed": lambda message, cancelled: setattr(self, "failure", (message, cancelled)),
        }


@pytest.fixture
def runs(mrml, synthetic, monkeypatch):
    """Both runs of a synthetic case, not in any database."""
    from XRADiffSlicerLib.SyntheticCase import loadSyntheticCase

    monkeypatch.setattr(slicer, "dicomDatabase", Database(None), raising=False)
    return loadSyntheticCase(synthetic)


def test_worker_proposes_frames_and_segments_them(runs, synthetic, tmp_path, monkeypatch):
    logic, said = ReconstructionLogic(ThreadLauncher()), Said()
    logic.startFrameChoice(runs.angiograms, **said.options()).wait(120)
    assert said.failure is None, said.failure
    first, second = said.result
    assert len(first.curve) == len(first.phases or first.curve) == Runs.frameCount(runs.angiograms[0])
    assert max(first.curve) == 1 and "contrast" in first.reason
    fixed = Said()
    logic.startFrameChoice(runs.angiograms, [2, None], **fixed.options()).wait(120)
    assert fixed.result[0].frame == 2 and fixed.result[0].reason == "chosen by the user"

    image = runs.angiograms[1]
    Runs.showFrame(image, second.frame)
    cut = Said()
    logic.startSegmentation(image, second.frame, **cut.options()).wait(120)
    assert cut.failure is None, cut.failure
    assert Masks.maskOf(image, second.frame) is cut.result
    found = Masks.maskPixels(cut.result)
    truth = drawn(synthetic / "view1_masks.nrrd", second.frame)
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.5
    assert cut.fractions[-1] == 1 and not list(tmp_path.iterdir())


def drawn(path, frame):
    import SimpleITK as sitk

    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))[frame] > 0


def test_run_in_the_database_is_read_from_its_file(runs, synthetic, monkeypatch):
    """The file holds the ECG, which the frames do not."""
    copy = synthetic / "in database.dcm"
    shutil.copy(synthetic / "view0.dcm", copy)
    monkeypatch.setattr(slicer, "dicomDatabase", Database(copy))
    sequence = Runs.sequenceOf(runs.angiograms[0])[1]
    sequence.GetNthDataNode(0).SetAttribute(Runs.INSTANCES, "1.2.3")
    said = Said()
    ReconstructionLogic(ThreadLauncher()).startFrameChoice(runs.angiograms[:1], **said.options()).wait(120)
    assert said.failure is None and "R-wave" in said.result[0].reason


def test_run_without_geometry_says_what_is_missing(mrml, monkeypatch):
    monkeypatch.setattr(slicer, "dicomDatabase", Database(None), raising=False)
    said, image = Said(), runNode("run", 3, shape=(64, 64))
    ReconstructionLogic(ThreadLauncher()).startSegmentation(image, 1, **said.options()).wait(120)
    assert "lacks" in said.failure[0] and not said.failure[1]
    assert Masks.masksOf(image) == []


def test_run_that_is_deleted_while_it_is_segmented_is_told(runs):
    said, image = Said(), runs.angiograms[0]
    worker = ReconstructionLogic(ThreadLauncher()).startSegmentation(image, 6, **said.options())
    slicer.mrmlScene.RemoveNode(image)
    worker.wait(120)
    assert said.failure == (f"the mask could not be loaded: {image.GetName()} was deleted", False)
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 1  # the truth's


def test_work_on_a_run_can_be_cancelled_and_leaves_no_files(runs, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    logic, said = ReconstructionLogic(ThreadLauncher()), Said()
    logic.startFrameChoice(runs.angiograms, **said.options())
    with pytest.raises(RuntimeError, match="running already"):
        logic.startSegmentation(runs.angiograms[0], 0, **said.options())
    logic.cancel()
    logic.worker.wait(60)
    assert said.failure == ("cancelled", True) and not list(tmp_path.iterdir())
