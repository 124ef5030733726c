"""Output nodes: chosen or created, filled, shown, and filed beside the input in the subject hierarchy."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import slicer

from .Coloring import LARGEST_SPREAD, SPREAD
from .Contents import Contents, contentsOf
from .Geometry import imageNodeOf
from .NodeConversion import (
    CORONARY_COLOR,
    InputNodeError,
    copied,
    showBetween,
    sparseFromVolume,
    updateModelFromArrays,
    updateSegmentationFromArray,
    updateTableFromFits,
    updateTableFromMeasurements,
    updateVolumeFromArray,
)
from .ResultViews import fillOverlays, fillReport
from .Views import baseNameOf

MEASUREMENTS_ROLE = "XRADiffSlicer.Measurements"  # from a segmentation to its table
UNCERTAINTY_ROLE = "XRADiffSlicer.Uncertainty"  # from a probability volume to its standard deviation
SIDE_ATTRIBUTE = "XRADiffSlicer.Side"  # of a segmentation: what the masks said of the side
TRUTH_ROLE = "XRADiffSlicer.Truth"  # from a synthetic view to the label map volume of its case


@dataclass
class OutputNodes:
    """The nodes of one result. Those that are None when given are created.

    :ivar uncertainty: standard deviation of the probability; None for a method without several samples. Not chosen: it
        belongs to the probability.
    :ivar measurements: table of what is measured on the result in 3D; belongs to the segmentation.
    :ivar overlays: label map of each view: where its mask and the reprojected result agree; see `ResultViews`.
    :ivar folderItem: subject hierarchy folder that holds created nodes, 0 before `fillOutputs`.
    :ivar fits: how the reprojected result fits each view (`xradiff.quantification.ReprojectionFit`).
    :ivar warnings: what the user should look at or mind, one sentence each.
    :ivar notes: what was used and done, one sentence each.
    :ivar side: what the masks say of the coronary side (`likely`, `probability`, `used`), None where not looked for.
    :ivar truthDice: Dice of the segmentation with the truth, on its voxels, where the first view is synthetic.
    """

    segmentation: Any = None
    probability: Any = None
    model: Any = None
    table: Any = None
    uncertainty: Any = None
    measurements: Any = None
    overlays: tuple[Any, ...] = ()
    folderItem: int = 0
    fits: tuple[Any, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    truthDice: float | None = None
    side: Any = None


KINDS = {
    "segmentation": ("vtkMRMLSegmentationNode", "segmentation"),
    "probability": ("vtkMRMLScalarVolumeNode", "probability"),
    "model": ("vtkMRMLModelNode", "surface"),
    "table": ("vtkMRMLTableNode", "reprojection fit"),
}


def fillOutputs(
    result: Any, inputNode: Any, chosen: OutputNodes | None = None, views: Sequence[Any] = ()
) -> OutputNodes:
    """Put a reconstruction into nodes and return them.

    :param result: a `xradiff.pipeline.Reconstruction` or what looks like it, see `Contents.contentsOf`.
    :param inputNode: the first view; names and place in the subject hierarchy come from it.
    :param chosen: nodes to overwrite; those that are None are created.
    :param views: the nodes of the views, in the order of the result; without them there are no overlays.
    """
    filling = Filling(contentsOf(result, truthOf(inputNode)), inputNode, chosen, views)
    for _step in filling.steps():
        pass
    return filling.outputs


class Filling:
    """Nodes that are being filled, in steps so short that an application stays alive between them.

    :param contents: what goes into the nodes.
    :param report: HTML of the report, "" without.

    The other parameters are those of `fillOutputs`.
    """

    def __init__(
        self,
        contents: Contents,
        inputNode: Any,
        chosen: OutputNodes | None = None,
        views: Sequence[Any] = (),
        report: str = "",
    ) -> None:
        self._contents, self._inputNode, self._views, self._report = contents, inputNode, views, report
        self._base = baseNameOf(inputNode)
        there = {field: getattr(chosen, field) for field in KINDS} if chosen is not None else {}
        there = {field: node for field, node in there.items() if slicer.mrmlScene.IsNodePresent(node)}
        created = [field for field in KINDS if field not in there]
        nodes = {field: there.get(field) or _create(field, self._base) for field in KINDS}
        self.outputs = OutputNodes(**nodes, fits=contents.fits, warnings=tuple(contents.facts["warnings"]))
        self.outputs.notes = tuple(contents.facts["notes"])
        self.outputs.truthDice, self.outputs.side = contents.facts["truthDice"], contents.side
        self._created = [nodes[field] for field in created]

    def steps(self) -> Iterator[None]:
        """Fill the nodes one by one; what was created is removed again where the caller stops before the end.

        :raises InputNodeError: a node was deleted between two steps.
        """
        done = False
        try:
            for _step in self._steps():
                yield
                refuseDeleted([getattr(self.outputs, field) for field in KINDS])
            done = True
        finally:
            if not done:
                for node in self._created:
                    slicer.mrmlScene.RemoveNode(node)

    def _steps(self) -> Iterator[None]:
        arrays, outputs = self._contents.arrays, self.outputs
        yield
        updateVolumeFromArray(outputs.probability, arrays["probability"], self._contents.ijkToRas("probability"))
        yield
        outputs.uncertainty = self._fillUncertainty()
        yield
        spread = {SPREAD: arrays["spread"]} if "spread" in arrays else {}
        updateModelFromArrays(outputs.model, arrays["points"], arrays["triangles"], arrays["normals"], **spread)
        yield
        self._fillSegmentation()
        yield
        updateTableFromFits(outputs.table, outputs.fits)
        self._fillMeasurements()
        outputs.overlays = fillOverlays(outputs.segmentation, self._contents, self._views)
        fillReport(outputs.segmentation, self._report)
        outputs.segmentation.SetAttribute(SIDE_ATTRIBUTE, json.dumps(self._contents.facts["side"]))
        _display(outputs)
        yield
        self._file()

    def _fillUncertainty(self) -> Any:
        """Fill the standard deviation that belongs to the probability; remove that of an earlier result."""
        probability = self.outputs.probability
        node = probability.GetNodeReference(UNCERTAINTY_ROLE)
        if "uncertainty" not in self._contents.arrays:
            if node is not None:
                slicer.mrmlScene.RemoveNode(node)
            return None
        if node is None:
            name = slicer.mrmlScene.GenerateUniqueName(f"{probability.GetName()} standard deviation")
            node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
            showBetween(node, 0, LARGEST_SPREAD)
            probability.SetNodeReferenceID(UNCERTAINTY_ROLE, node.GetID())
            self._created.append(node)
        updateVolumeFromArray(node, self._contents.arrays["uncertainty"], self._contents.ijkToRas("uncertainty"))
        return node

    def _fillMeasurements(self) -> None:
        """Fill the table of measurements that belongs to the segmentation."""
        segmentation = self.outputs.segmentation
        node = measurementsOf(segmentation)
        if node is None:
            name = slicer.mrmlScene.GenerateUniqueName(f"{self._base} measurements")
            node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", name)
            segmentation.SetNodeReferenceID(MEASUREMENTS_ROLE, node.GetID())
            self._created.append(node)
        updateTableFromMeasurements(node, self._contents.facts["measurements"])
        self.outputs.measurements = node

    def _fillSegmentation(self) -> None:
        node, model = self.outputs.segmentation, self.outputs.model
        inside, ijkToRas = self._contents.arrays["segmentation"], self._contents.ijkToRas("segmentation")
        updateSegmentationFromArray(node, inside, ijkToRas, copied(model.GetPolyData()))
        node.SetReferenceImageGeometryParameterFromVolumeNode(self.outputs.probability)

    def _file(self) -> None:
        """Put what was created into a folder beside the input."""
        new = [node for node in self._created if slicer.mrmlScene.IsNodePresent(node)]
        name = f"{self._base} XRA-Diff"
        self.outputs.folderItem = fileNodes(besideOf(self._inputNode), name, [*new, *self.outputs.overlays])


def _create(field: str, base: str) -> Any:
    className, suffix = KINDS[field]
    name = slicer.mrmlScene.GenerateUniqueName(f"{base} {suffix}")
    node = slicer.mrmlScene.AddNewNodeByClass(className, name)
    if field == "probability":
        showBetween(node, 0, 1)
    return node


def _display(outputs: OutputNodes) -> None:
    """Show the segmentation in 3D; the surface model stays hidden behind it.

    The segmentation lies in the patient, the angiograms do not: in slice views it would cut across them.
    """
    for node in (outputs.segmentation, outputs.probability, outputs.model):
        if node is not None and node.GetDisplayNode() is None:
            node.CreateDefaultDisplayNodes()
            if node is outputs.model:
                node.GetDisplayNode().SetColor(*CORONARY_COLOR)
                node.GetDisplayNode().SetVisibility(False)
            elif node is outputs.segmentation:
                node.GetDisplayNode().SetVisibility2D(False)
    segmentation = outputs.segmentation
    segmentation.CreateClosedSurfaceRepresentation()
    segmentation.GetDisplayNode().SetVisibility3D(True)
    segmentation.GetDisplayNode().SetPreferredDisplayRepresentationName3D(
        slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
    )


def refuseDeleted(nodes: Sequence[Any]) -> None:
    """Raise where a node is no longer in the scene.

    :raises InputNodeError: it was deleted; says which.
    """
    for node in nodes:
        if not slicer.mrmlScene.IsNodePresent(node):
            raise InputNodeError(f"{node.GetName()} was deleted")


def measurementsOf(segmentation: Any) -> Any:
    """Return the table of measurements of a result, None without."""
    return segmentation.GetNodeReference(MEASUREMENTS_ROLE) if segmentation is not None else None


def sideOf(segmentation: Any) -> SimpleNamespace | None:
    """Return what the masks said of the side when this result was made; see `OutputNodes.side`."""
    found = json.loads(segmentation.GetAttribute(SIDE_ATTRIBUTE) or "null")
    return None if found is None else SimpleNamespace(**found)


def besideOf(inputNode: Any) -> int:
    """Return the subject hierarchy item that holds `inputNode`; the scene where it has no place."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    item = hierarchy.GetItemByDataNode(imageNodeOf(inputNode) or inputNode)
    return int(hierarchy.GetItemParent(item) if item else hierarchy.GetSceneItemID())


def fileNodes(parent: int, name: str, nodes: Sequence[Any]) -> int:
    """Put `nodes` into the folder `name` in the item `parent`; return the folder's item."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    folder = hierarchy.GetItemChildWithName(parent, name) or hierarchy.CreateFolderItem(parent, name)
    for node in nodes:
        own = hierarchy.GetItemByDataNode(node)
        if own:
            hierarchy.SetItemParent(own, folder)
        else:
            hierarchy.CreateItem(folder, node)
    return int(folder)


def truthNodeOf(inputNode: Any) -> Any:
    """Return the label map volume with the truth of a synthetic view, None for any other view."""
    image = imageNodeOf(inputNode)
    return image.GetNodeReference(TRUTH_ROLE) if image is not None else None


def truthOf(inputNode: Any) -> Any:
    """Return the truth of a synthetic view as the core takes it, None for any other view."""
    node = truthNodeOf(inputNode)
    return sparseFromVolume(node) if node is not None else None
