"""Output nodes: chosen or created, filled, shown, and filed beside the input in the subject hierarchy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import slicer

from .Geometry import imageNodeOf
from .NodeConversion import (
    CORONARY_COLOR,
    sparseFromVolume,
    updateModelFromMesh,
    updateSegmentationFromSparse,
    updateTableFromFits,
    updateVolumeFromSparse,
)
from .Views import baseNameOf

UNCERTAINTY_ROLE = "XRADiffSlicer.Uncertainty"  # from a probability volume to its standard deviation
TRUTH_ROLE = "XRADiffSlicer.Truth"  # from a synthetic view to the label map volume of its case


@dataclass
class OutputNodes:
    """The nodes of one result. Those that are None when given are created.

    :ivar uncertainty: standard deviation of the probability; None for a method without several samples. Not chosen: it
        belongs to the probability.
    :ivar folderItem: subject hierarchy folder that holds created nodes, 0 before `fillOutputs`.
    :ivar fits: how the reprojected result fits each view (`xradiff.quantification.ReprojectionFit`).
    :ivar warnings: what the user should know, one sentence each.
    :ivar truthDice: Dice of the segmentation with the truth, on its voxels, where the first view is synthetic.
    """

    segmentation: Any = None
    probability: Any = None
    model: Any = None
    table: Any = None
    uncertainty: Any = None
    folderItem: int = 0
    fits: tuple[Any, ...] = ()
    warnings: tuple[str, ...] = ()
    truthDice: float | None = None


KINDS = {
    "segmentation": ("vtkMRMLSegmentationNode", "segmentation"),
    "probability": ("vtkMRMLScalarVolumeNode", "probability"),
    "model": ("vtkMRMLModelNode", "surface"),
    "table": ("vtkMRMLTableNode", "reprojection fit"),
}


def fillOutputs(result: Any, inputNode: Any, chosen: OutputNodes | None = None) -> OutputNodes:
    """Put a reconstruction into nodes and return them.

    :param result: what has `probability`, `uncertainty`, `segmentation`, `surface`, `fits` and `warnings` of the core.
    :param inputNode: the first view; names and place in the subject hierarchy come from it.
    :param chosen: nodes to overwrite; those that are None are created.
    """
    chosen = chosen or OutputNodes()
    base = baseNameOf(inputNode)
    created = [field for field in KINDS if getattr(chosen, field) is None]
    nodes = {field: getattr(chosen, field) or _create(field, base) for field in KINDS}
    outputs = OutputNodes(**nodes, fits=tuple(result.fits), warnings=tuple(result.warnings))
    outputs.truthDice = diceWithTruth(inputNode, result.segmentation)

    updateVolumeFromSparse(outputs.probability, result.probability)
    outputs.uncertainty = _fillUncertainty(result.uncertainty, outputs.probability)
    updateSegmentationFromSparse(outputs.segmentation, result.segmentation)
    outputs.segmentation.SetReferenceImageGeometryParameterFromVolumeNode(outputs.probability)
    updateModelFromMesh(outputs.model, result.surface)
    updateTableFromFits(outputs.table, outputs.fits)
    _display(outputs)
    filed = [nodes[field] for field in created] + [node for node in (outputs.uncertainty,) if node is not None]
    outputs.folderItem = fileNodes(besideOf(inputNode), f"{base} XRA-Diff", filed)
    return outputs


def _fillUncertainty(uncertainty: Any, probability: Any) -> Any:
    """Fill the volume of the standard deviation that belongs to `probability`; remove that of an earlier result."""
    node = probability.GetNodeReference(UNCERTAINTY_ROLE)
    if uncertainty is None:
        if node is not None:
            slicer.mrmlScene.RemoveNode(node)
        return None
    if node is None:
        name = slicer.mrmlScene.GenerateUniqueName(f"{probability.GetName()} standard deviation")
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
        probability.SetNodeReferenceID(UNCERTAINTY_ROLE, node.GetID())
    updateVolumeFromSparse(node, uncertainty)
    return node


def _create(field: str, base: str) -> Any:
    className, suffix = KINDS[field]
    name = slicer.mrmlScene.GenerateUniqueName(f"{base} {suffix}")
    return slicer.mrmlScene.AddNewNodeByClass(className, name)


def _display(outputs: OutputNodes) -> None:
    """Show the segmentation in 3D; the surface model stays hidden behind it."""
    for node in (outputs.segmentation, outputs.probability, outputs.uncertainty, outputs.model):
        if node is not None and node.GetDisplayNode() is None:
            node.CreateDefaultDisplayNodes()
            if node is outputs.model:
                node.GetDisplayNode().SetColor(*CORONARY_COLOR)
                node.GetDisplayNode().SetVisibility(False)
    segmentation = outputs.segmentation
    segmentation.CreateClosedSurfaceRepresentation()
    segmentation.GetDisplayNode().SetVisibility3D(True)
    segmentation.GetDisplayNode().SetPreferredDisplayRepresentationName3D(
        slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
    )


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


def diceWithTruth(inputNode: Any, segmentation: Any) -> float | None:
    """Return the Dice of a sparse volume with the truth of a synthetic view, None for any other view."""
    from xradiff.quantification import dice, on_common_grid

    image = imageNodeOf(inputNode)
    truth = image.GetNodeReference(TRUTH_ROLE) if image is not None else None
    if truth is None:
        return None
    place = on_common_grid(segmentation, sparseFromVolume(truth))
    return dice(place.result, place.truth)
