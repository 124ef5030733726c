"""Angiogram runs as Slicer holds them: a sequence of frames, its browser and proxy volume, and its DICOM file.

A run that was loaded through Slicer's image sequence reader is a sequence node; the browser shows one frame of it in
the proxy volume, whose attributes are replaced at every frame. What belongs to a run is therefore kept on the
sequence, which is the `homeOf` the proxy.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import slicer

from .NodeConversion import InputNodeError, imageFromNode
from .RunFiles import saveFrames

if TYPE_CHECKING:
    from xradiff.views import AngiogramRun

INSTANCES = "DICOM.instanceUIDs"
USUAL_FRAMES_PER_SECOND = 15
SECONDS_OF_UNIT = {"s": 1.0, "ms": 0.001}


def sequenceOf(node: Any) -> tuple[Any, Any]:
    """Return the browser that drives the volume `node` and the sequence behind it, or two times None."""
    sequences = getattr(slicer.modules, "sequences", None)
    if sequences is None or node is None or node.GetScene() is None:
        return None, None
    browser = sequences.logic().GetFirstBrowserNodeForProxyNode(node)
    return (browser, browser.GetSequenceNode(node)) if browser is not None else (None, None)


def imageOfSequence(sequence: Any) -> Any:
    """Return the proxy volume that shows a frame of `sequence`; a browser is made where there is none.

    :raises InputNodeError: the sequence is empty or holds no images.
    """
    if sequence.GetNumberOfDataNodes() == 0 or not sequence.GetNthDataNode(0).IsA("vtkMRMLVolumeNode"):
        raise InputNodeError(f"{sequence.GetName()} is not a sequence of images")
    logic = slicer.modules.sequences.logic()
    browser = logic.GetFirstBrowserNodeForSequenceNode(sequence)
    if browser is None:
        browser = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", f"{sequence.GetName()} browser")
        browser.AddSynchronizedSequenceNode(sequence)
    if browser.GetProxyNode(sequence) is None:
        logic.UpdateProxyNodesFromSequences(browser)
    return browser.GetProxyNode(sequence)


def homeOf(image: Any) -> Any:
    """Return the node that keeps what is known of `image`: the sequence behind a proxy volume, else the image."""
    _browser, sequence = sequenceOf(image)
    return image if sequence is None else sequence


def frameCount(image: Any) -> int:
    """Return how many frames `image` has; 1 for a volume outside sequences, 0 for None."""
    _browser, sequence = sequenceOf(image)
    return (1 if image is not None else 0) if sequence is None else int(sequence.GetNumberOfDataNodes())


def frameOf(image: Any) -> int:
    """Return the index of the frame that is shown."""
    browser, sequence = sequenceOf(image)
    return 0 if sequence is None else max(0, int(browser.GetSelectedItemNumber()))


def showFrame(image: Any, frame: int) -> None:
    """Show another frame of a run.

    :raises InputNodeError: there is no such frame.
    """
    browser, sequence = sequenceOf(image)
    if not 0 <= frame < frameCount(image):
        raise InputNodeError(f"{image.GetName()} has frames 0 to {frameCount(image) - 1}, got {frame}")
    if sequence is not None and frame != frameOf(image):
        browser.SetSelectedItemNumber(frame)
        slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)


def frameImage(image: Any, frame: int) -> np.ndarray:
    """Return a frame (rows, columns) of a run as displayed, or the one image of a volume.

    :raises InputNodeError: there is no such frame, or it is not one grey image.
    """
    if not 0 <= frame < frameCount(image):
        raise InputNodeError(f"{image.GetName()} has frames 0 to {frameCount(image) - 1}, got {frame}")
    _browser, sequence = sequenceOf(image)
    shown = sequence is None or frame == frameOf(image)
    return imageFromNode(image if shown else sequence.GetNthDataNode(frame))


def imageProblem(image: Any) -> str:
    """Return one sentence on why the shown frame of `image` is not one grey image, "" if it is."""
    data = image.GetImageData()
    if data is None:
        return f"{image.GetName()} holds no image; load it again."
    if data.GetDimensions()[2] > 1:
        return f"{image.GetName()} has {data.GetDimensions()[2]} slices; a view is one image or a run of frames."
    return _imageProblem(image.GetID(), frameOf(image), data.GetMTime())


@functools.lru_cache(maxsize=64)
def _imageProblem(identifier: str, frame: int, _modified: int) -> str:
    try:
        frameImage(slicer.mrmlScene.GetNodeByID(identifier), frame)
    except InputNodeError as error:
        return f"{error}."
    return ""


def frameTimesMs(image: Any) -> np.ndarray:
    """Return the time (frames,) of each frame in ms: from the sequence's index, the DICOM file, else 15 frames/s."""
    _browser, sequence = sequenceOf(image)
    count = frameCount(image)
    unit = SECONDS_OF_UNIT.get(sequence.GetIndexUnit() or "") if sequence is not None else None
    if unit is not None:
        try:
            values = np.array([float(sequence.GetNthIndexValue(index)) for index in range(count)])
        except ValueError:
            values = np.zeros(0)
        if len(values) and np.all(np.diff(values) > 0):
            return (values - values[0]) * unit * 1000
    run = headerOf(image)
    if run is not None and len(run) == count:
        return np.asarray(run.times_ms)
    return np.arange(count) * (1000.0 / USUAL_FRAMES_PER_SECOND)


# ---- DICOM ----------------------------------------------------------------------------------


def dicomFileOf(image: Any) -> str:
    """Return the file of the image's DICOM instance in Slicer's database, "" if it is not known there."""
    _browser, sequence = sequenceOf(image)
    nodes = [image, sequence] + ([sequence.GetNthDataNode(0)] if frameCount(image) and sequence is not None else [])
    texts = [node.GetAttribute(INSTANCES) for node in nodes if node is not None]
    identifiers = next((text.split() for text in texts if text), [])
    database = getattr(slicer, "dicomDatabase", None)
    return str(database.fileForInstance(identifiers[0]) or "") if identifiers and database is not None else ""


def headerOf(image: Any) -> AngiogramRun | None:
    """Return what the image's DICOM file says of the run; None without a file that the core can read."""
    path = Path(dicomFileOf(image) or "/")
    return _header(str(path), path.stat().st_mtime_ns) if path.is_file() else None


@functools.lru_cache(maxsize=16)
def _header(path: str, _modified: int) -> AngiogramRun | None:
    """Only the header is read, no frame is decoded."""
    from xradiff.errors import InputError
    from xradiff.views import read_run

    try:
        return read_run(path, name=Path(path).name)
    except InputError:
        return None


def runFile(image: Any, path: Path) -> Path:
    """Return an XA file with the frames of `image` for the core: its own, or `path`, which the worker makes.

    For that the frames and their times are left beside it, see `RunFiles`. The file holds them alone; geometry goes
    beside it, and nothing in it names a patient.

    :raises InputNodeError: a frame is not one grey image, or frames differ in size.
    """
    run = headerOf(image)
    if run is not None and len(run) == frameCount(image):
        return Path(dicomFileOf(image))
    frames = [frameImage(image, index) for index in range(frameCount(image))]
    if len({frame.shape for frame in frames}) > 1:
        raise InputNodeError(f"the frames of {image.GetName()} differ in size")
    saveFrames(frames, frameTimesMs(image), path)
    return path
