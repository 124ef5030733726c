"""Folder of a synthetic case -> nodes: views with their geometry, angiogram runs, and the truth."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import slicer

from .Contents import Contents
from .Geometry import FROM_JSON, geometryOf, storeFacts
from .NodeConversion import (
    SEGMENT_NAME,
    copied,
    updateImageFromArray,
    updateModelFromArrays,
    updateModelFromCentrelineFile,
    updateSegmentationFromArray,
    updateVolumeFromArray,
)
from .Outputs import TRUTH_ROLE, fileNodes, refuseDeleted
from .SampleData import showInSlices
from .SyntheticContents import CENTRELINE_FILE, contentsOfCase

FRAMES_A_STEP = 5
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
    filling = CaseFilling(contentsOfCase(Path(folder)), Path(folder))
    for _step in filling.steps():
        pass
    return filling.nodes()


class CaseFilling:
    """Nodes of a synthetic case that are being made, in steps so short that an application stays alive between them.

    :param contents: see `SyntheticContents.contentsOfCase`.
    :param folder: of the case; its centreline is read from there.
    """

    def __init__(self, contents: Contents, folder: Path) -> None:
        self._contents, self._folder = contents, folder
        self._made: list[Any] = []
        self._nodes: SyntheticNodes | None = None

    def nodes(self) -> SyntheticNodes:
        """Return the nodes, after the last step."""
        assert self._nodes is not None, "the steps come first"
        return self._nodes

    def steps(self) -> Iterator[None]:
        """Make the nodes one by one; all are removed again where the caller stops before the end.

        :raises InputNodeError: a node was deleted between two steps.
        """
        try:
            yield
            for _step in self._steps():
                yield
                refuseDeleted(self._made)
        finally:
            if self._nodes is None:
                for node in self._made:
                    slicer.mrmlScene.RemoveNode(node)

    def _steps(self) -> Iterator[None]:
        facts, arrays = self._contents.facts, self._contents.arrays
        case = facts["case"]
        words = f"{case['side']} {case['seed']}/{case['number']}"
        name = slicer.mrmlScene.GenerateUniqueName(f"Synthetic case {words}")
        truth = self._keep("vtkMRMLLabelMapVolumeNode", f"{name} truth")
        updateVolumeFromArray(truth, arrays["truth"], self._contents.ijkToRas("truth"))
        truth.CreateDefaultDisplayNodes()
        yield
        model = self._hidden("vtkMRMLModelNode", f"{name} truth surface")
        updateModelFromArrays(model, arrays["points"], arrays["triangles"], arrays["normals"])
        yield
        segmentation = self._segmentation(truth, model, f"{name} truth segmentation")
        yield
        centreline = self._hidden("vtkMRMLModelNode", f"{name} truth centreline")
        updateModelFromCentrelineFile(centreline, self._folder / CENTRELINE_FILE)
        centreline.SetName(f"{name} truth centreline")
        views = []
        for index, view in enumerate(facts["views"]):
            yield
            views.append(self._view(arrays[f"view{index}"], f"{name} {view['name']}", view["geometry"], truth))
        angiograms, browsers = [], []
        for index, run in enumerate(facts["runs"]):
            proxy, browser = yield from self._run(arrays[f"run{index}"], f"{name} {run['name']}", run, truth)
            angiograms.append(proxy)
            browsers.append(browser)
        yield
        nodes = [*views, *angiograms, truth, segmentation, model, centreline]
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
        item = fileNodes(hierarchy.GetSceneItemID(), name, nodes)
        showInSlices((angiograms or views)[0])
        self._nodes = SyntheticNodes(views, angiograms, browsers, truth, segmentation, model, centreline, item, case)

    # ---- nodes ------------------------------------------------------------------------------

    def _keep(self, className: str, name: str) -> Any:
        node = slicer.mrmlScene.AddNewNodeByClass(className, name)
        self._made.append(node)
        return node

    def _hidden(self, className: str, name: str) -> Any:
        """A model of the truth that is not shown; the segmentation is."""
        node = self._keep(className, name)
        node.CreateDefaultDisplayNodes()
        node.GetDisplayNode().SetColor(*TRUTH_COLOR)
        node.GetDisplayNode().SetVisibility(False)
        return node

    def _segmentation(self, truth: Any, model: Any, name: str) -> Any:
        """The truth in 3D; not in the slice views, where it would lie across the images."""
        node = self._keep("vtkMRMLSegmentationNode", name)
        node.CreateDefaultDisplayNodes()
        inside, ijkToRas = self._contents.arrays["truth"], self._contents.ijkToRas("truth")
        updateSegmentationFromArray(node, inside, ijkToRas, copied(model.GetPolyData()))
        node.SetReferenceImageGeometryParameterFromVolumeNode(truth)
        segmentation = node.GetSegmentation()
        segmentation.GetSegment(segmentation.GetSegmentIdBySegmentName(SEGMENT_NAME)).SetColor(*TRUTH_COLOR)
        node.GetDisplayNode().SetVisibility2D(False)
        node.GetDisplayNode().SetVisibility3D(True)
        return node

    def _view(self, pixels: np.ndarray, name: str, geometry: dict[str, Any], truth: Any) -> Any:
        node = self._keep("vtkMRMLScalarVolumeNode", name)
        updateImageFromArray(node, pixels)
        node.CreateDefaultDisplayNodes()
        _identify(node, geometry)
        node.SetNodeReferenceID(TRUTH_ROLE, truth.GetID())
        return node

    def _run(
        self, frames: np.ndarray, name: str, run: dict[str, Any], truth: Any
    ) -> Generator[None, None, tuple[Any, Any]]:
        """Make a run as Slicer's DICOM reader does; return its proxy volume and its sequence browser."""
        sequence = self._keep("vtkMRMLSequenceNode", f"{name} sequence")
        sequence.SetIndexName("time")
        sequence.SetIndexUnit("s")
        for index, (frame, phase) in enumerate(zip(frames, run["phases"], strict=True)):
            if index % FRAMES_A_STEP == 0:
                yield
            sequence.SetDataNodeAtValue(_frame(frame, phase, run["geometry"], name), f"{index * run['seconds']:.3f}")
        yield
        browser = self._keep("vtkMRMLSequenceBrowserNode", f"{name} browser")
        browser.SetPlaybackRateFps(1 / run["seconds"])
        browser.AddSynchronizedSequenceNode(sequence)
        slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
        browser.SetSelectedItemNumber(len(frames) // 2)
        proxy = browser.GetProxyNode(sequence)
        self._made.append(proxy)
        proxy.SetName(name)
        proxy.SetNodeReferenceID(TRUTH_ROLE, truth.GetID())
        proxy.CreateDefaultDisplayNodes()
        return proxy, browser


def _identify(node: Any, geometry: dict[str, Any]) -> None:
    """Say how an image was taken; its pixels get their size at the detector."""
    storeFacts(node, geometry, FROM_JSON)
    row, column = geometryOf(node).pixel_spacing_mm
    node.SetSpacing(column, row, 1.0)


def _frame(frame: np.ndarray, phase: float | None, geometry: dict[str, Any], name: str) -> Any:
    """Return a volume outside the scene; what is known of it stands in attributes, which follow into the proxy."""
    node = slicer.vtkMRMLScalarVolumeNode()
    node.SetName(name)
    updateImageFromArray(node, np.ascontiguousarray(frame))
    _identify(node, geometry)
    if phase is not None:
        node.SetAttribute(PHASE_ATTRIBUTE, f"{phase:.3f}")
    return node
