"""Nodes that the user picked -> the views that the core reconstructs from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import slicer

from .Geometry import geometryOf, imageNodeOf
from .Masks import maskOf, maskPixels
from .NodeConversion import InputNodeError, imageFromNode, maskFromSegmentation
from .Runs import frameImage, frameOf, imageOfSequence, sequenceOf

if TYPE_CHECKING:
    from xradiff.datatypes import AngiogramView


def viewsFromNodes(
    nodes: Sequence[Any], geometry: Sequence[Any] | None = None, frames: Sequence[int | None] | None = None
) -> list[AngiogramView]:
    """Return one view for each node.

    :param nodes: volumes, sequences, segmentations, or names of nodes in the scene.
    :param geometry: for each node what `Geometry.geometryOf` accepts; None for what the node knows.
    :param frames: for each node the frame: of its sequence, or the slice of a volume; None for what is shown.
    :raises InputNodeError: a node cannot be used; the message says why.
    """
    if len(nodes) < 2:
        raise InputNodeError(f"two or more views are needed, got {len(nodes)}")
    for what, values in (("geometry", geometry), ("frames", frames)):
        if values is not None and len(values) != len(nodes):
            raise InputNodeError(f"{what} must hold one entry for each of the {len(nodes)} views, got {len(values)}")
    return [
        viewFromNode(_node(node), given, frame)
        for node, given, frame in zip(
            nodes, geometry or [None] * len(nodes), frames or [None] * len(nodes), strict=True
        )
    ]


def viewFromNode(node: Any, geometry: Any = None, frame: int | None = None) -> AngiogramView:
    """Return the view, named after its node, in a volume, sequence or segmentation; see `viewsFromNodes`.

    The mask that was drawn on the frame, if there is one, is the view's mask.
    """
    from xradiff.datatypes import AngiogramView

    name = node.GetName()
    if node.IsA("vtkMRMLSegmentationNode"):
        return AngiogramView(name, maskFromSegmentation(node).astype(np.uint8) * 255, geometryOf(node, geometry))
    image = imageOfSequence(node) if node.IsA("vtkMRMLSequenceNode") else node
    isRun = sequenceOf(image)[1] is not None
    chosen = frame if frame is not None else frameOf(image)
    acquisition = geometryOf(image, geometry, chosen)
    pixels = frameImage(image, chosen) if isRun else imageFromNode(image, frame)
    drawn = maskOf(image, chosen)
    mask = maskPixels(drawn) if drawn is not None else None
    if mask is not None and mask.shape != pixels.shape:
        raise InputNodeError(f"{name} has {pixels.shape} pixels and its mask {mask.shape}; they must be the same")
    return AngiogramView(name, pixels, acquisition, mask=mask, frame=chosen)


def nodesOf(views: Sequence[Any]) -> list[Any]:
    """Return the nodes of views that are given as nodes or by name; of a sequence the volume that shows its frames.

    :raises InputNodeError: there is no node of a name.
    """
    return [_shown(_node(view)) for view in views]


def _shown(node: Any) -> Any:
    if not node.IsA("vtkMRMLSequenceNode"):
        return node
    browser = slicer.modules.sequences.logic().GetFirstBrowserNodeForSequenceNode(node)
    return (browser.GetProxyNode(node) if browser is not None else None) or node


def _node(node: Any) -> Any:
    """The node itself, or the node of that name."""
    found = slicer.mrmlScene.GetFirstNodeByName(node) if isinstance(node, str) else node
    if found is None:
        raise InputNodeError(f"there is no node called {node!r} in the scene" if node else "a view is not chosen")
    return found


def baseNameOf(node: Any) -> str:
    """Return the name from which the names of the results are made."""
    return str(imageNodeOf(node).GetName() if imageNodeOf(node) is not None else node.GetName())
