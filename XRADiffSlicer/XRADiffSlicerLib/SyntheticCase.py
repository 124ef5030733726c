"""Folder of a synthetic case -> nodes: views with their geometry, angiogram runs, and the truth."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import slicer

from .Exchange import sparseFromImage
from .Geometry import FROM_JSON, geometryOf, storeFacts
from .NodeConversion import (
    LPS_TO_RAS,
    SEGMENT_NAME,
    imageNodeFromView,
    updateModelFromCentrelineFile,
    updateModelFromMesh,
    updateSegmentationFromSparse,
    updateVolumeFromSparse,
)
from .Outputs import TRUTH_ROLE, fileNodes
from .SampleData import showInSlices

PHASE_ATTRIBUTE = "XRADiffSlicer.HeartPhase"
TRUTH_COLOR = (0.30, 0.62, 0.35)


@dataclass
class SyntheticNodes:
    """The nodes of one synthetic case.

    :ivar views: mask volume of each view, with its geometry: what a reconstruction takes.
    :ivar angiograms: proxy volume of each angiogram run, empty without runs; `browsers` play them.
    :ivar truth: label map volume of the vessels where the first view saw them.
    :ivar segmentation: the same as a segment.
    :ivar model: the same as a surface.
    :ivar centreline: model with one line a branch and the point array "Radius" (mm).
    :ivar folderItem: subject hierarchy folder of them all but the browsers, which have no place there.
    :ivar parameters: what was drawn, as in case.json.
    """

    views: list[Any]
    angiograms: list[Any]
    browsers: list[Any]
    truth: Any
    segmentation: Any
    model: Any
    centreline: Any
    folderItem: int
    parameters: dict[str, Any]


def caseOptions(
    *,
    side: str = "right",
    poses: str = "clinical",
    motion: str = "none",
    corruption: float = 0.0,
    frames: int = 0,
    views: int = 2,
    imagePx: int = 512,
    thickness: str = "lumen",
    truthSpacingMm: float = 0.5,
) -> dict[str, Any]:
    """Return the core's names for the options of a synthetic case.

    :param poses: where the C-arm stands: "clinical", "xradiff" or "autocar".
    :param motion: between the views: "none", "rigid", "heart" or "image".
    :param corruption: damage of the masks, 0 (exact) to 1.
    :param frames: frames of a raw angiogram run of each view; 0 for none.
    :param imagePx: rows and columns of the images.
    :param thickness: "lumen", "cta_label" or "manual_mask".
    :param truthSpacingMm: voxel of the truth.
    """
    return {
        "side": side,
        "poses": poses,
        "motion": motion,
        "corruption": corruption,
        "frames": frames,
        "views": views,
        "image_px": imagePx,
        "thickness": thickness,
        "truth_spacing_mm": truthSpacingMm,
    }


def loadSyntheticCase(folder: str | Path) -> SyntheticNodes:
    """Make nodes of a case folder that `python -m xradiff synthesize` or `xradiff.dataset.write_case` wrote.

    :raises OSError, KeyError or ValueError: a file is missing or not as it should be.
    """
    case = Path(folder)
    parameters = json.loads((case / "case.json").read_text(encoding="utf-8"))
    words = f"{parameters['side']} {parameters['seed']}/{parameters['number']}"
    name = slicer.mrmlScene.GenerateUniqueName(f"Synthetic case {words}")
    volume = sparseFromImage(case / "truth.nii.gz")
    truth = _truthVolume(volume, f"{name} truth")
    views = [_viewNode(image, f"{name} {image.stem}", truth) for image in sorted(case.glob("view*.png"))]
    runs = [_runNodes(file, f"{name} angiogram{file.stem[4:]}", truth) for file in sorted(case.glob("view*.dcm"))]
    segmentation = _truthSegmentation(volume, truth, f"{name} truth segmentation")
    model = _truthSurface(volume, f"{name} truth surface")
    centreline = _centreline(case / "truth_centreline.vtp", f"{name} truth centreline")
    angiograms, browsers = [run[0] for run in runs], [run[1] for run in runs]
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    nodes = [*views, *angiograms, truth, segmentation, model, centreline]
    item = fileNodes(hierarchy.GetSceneItemID(), name, nodes)
    showInSlices((angiograms or views)[0])
    return SyntheticNodes(views, angiograms, browsers, truth, segmentation, model, centreline, item, parameters)


# ---- views ----------------------------------------------------------------------------------


def _viewNode(image: Path, name: str, truth: Any) -> Any:
    from xradiff.views import read_geometry_json, read_view

    geometry = image.with_suffix(".json")
    node = imageNodeFromView(read_view(image, geometry), name)
    _identify(node, read_geometry_json(geometry), truth)
    return node


def _identify(node: Any, facts: dict[str, Any], truth: Any) -> None:
    """Say how an image was taken and what the truth is; its pixels get their size at the detector."""
    storeFacts(node, facts, FROM_JSON)
    row, column = geometryOf(node).pixel_spacing_mm
    node.SetSpacing(column, row, 1.0)
    if truth is not None:
        node.SetNodeReferenceID(TRUTH_ROLE, truth.GetID())


def _runNodes(file: Path, name: str, truth: Any) -> tuple[Any, Any]:
    """Return the proxy volume and the sequence browser of a run, made as Slicer's DICOM reader makes them."""
    import pydicom
    from xradiff.views import read_geometry_json

    header = pydicom.dcmread(file)
    frames, seconds = header.pixel_array, float(header.FrameTime) / 1000
    facts = read_geometry_json(file.with_suffix(".json"))
    phases = heartPhases(len(frames), seconds, float(header.HeartRate), header.get("RWavePointer"))
    sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", f"{name} sequence")
    sequence.SetIndexName("time")
    sequence.SetIndexUnit("s")
    for index, (frame, phase) in enumerate(zip(frames, phases, strict=True)):
        sequence.SetDataNodeAtValue(_frameNode(frame, phase, facts, name), f"{index * seconds:.3f}")
    browser = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", f"{name} browser")
    browser.SetPlaybackRateFps(1 / seconds)
    browser.AddSynchronizedSequenceNode(sequence)
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
    browser.SetSelectedItemNumber(len(frames) // 2)
    proxy = browser.GetProxyNode(sequence)
    proxy.SetName(name)
    proxy.SetNodeReferenceID(TRUTH_ROLE, truth.GetID())
    proxy.CreateDefaultDisplayNodes()
    return proxy, browser


def _frameNode(frame: np.ndarray, phase: float | None, facts: dict[str, Any], name: str) -> Any:
    """Return a volume outside the scene; what is known of it stands in attributes, which follow into the proxy."""
    node = slicer.vtkMRMLScalarVolumeNode()
    node.SetName(name)
    slicer.util.updateVolumeFromArray(node, np.ascontiguousarray(frame[np.newaxis]))
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(LPS_TO_RAS))
    _identify(node, facts, None)
    if phase is not None:
        node.SetAttribute(PHASE_ATTRIBUTE, f"{phase:.3f}")
    return node


def heartPhases(count: int, seconds: float, beatsPerMinute: float, waves: Any) -> list[float | None]:
    """Return the share of the heart cycle since the last R wave of each frame, in [0, 1).

    :param seconds: time from frame to frame.
    :param waves: frames (from 1) at which the header notes an R wave, one or several; without one, and so
      without a known phase, None for every frame. The header rounds to a frame, so do the phases.
    """
    if waves is None or not beatsPerMinute:
        return [None] * count
    beats = sorted(int(wave) - 1 for wave in (waves if isinstance(waves, Sequence) else [waves]))
    last = [max((beat for beat in beats if beat <= index), default=beats[0]) for index in range(count)]
    return [(index - beat) * seconds * beatsPerMinute / 60 % 1.0 for index, beat in enumerate(last)]


# ---- truth ----------------------------------------------------------------------------------


def _truthVolume(volume: Any, name: str) -> Any:
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", name)
    updateVolumeFromSparse(node, volume)
    slicer.util.updateVolumeFromArray(node, slicer.util.arrayFromVolume(node).astype(np.uint8))
    node.CreateDefaultDisplayNodes()
    return node


def _truthSegmentation(volume: Any, truth: Any, name: str) -> Any:
    """The truth in 3D; not in the slice views, where it would lie across the images."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    node.CreateDefaultDisplayNodes()
    updateSegmentationFromSparse(node, volume)
    node.SetReferenceImageGeometryParameterFromVolumeNode(truth)
    segmentation = node.GetSegmentation()
    segmentation.GetSegment(segmentation.GetSegmentIdBySegmentName(SEGMENT_NAME)).SetColor(*TRUTH_COLOR)
    node.CreateClosedSurfaceRepresentation()
    node.GetDisplayNode().SetVisibility2D(False)
    node.GetDisplayNode().SetVisibility3D(True)
    return node


def _truthSurface(volume: Any, name: str) -> Any:
    from xradiff.surface import surface_of

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode", name)
    updateModelFromMesh(node, surface_of(volume))
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetColor(*TRUTH_COLOR)
    node.GetDisplayNode().SetVisibility(False)
    return node


def _centreline(path: Path, name: str) -> Any:
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode", name)
    updateModelFromCentrelineFile(node, path)
    node.SetName(name)
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetVisibility(False)
    return node
