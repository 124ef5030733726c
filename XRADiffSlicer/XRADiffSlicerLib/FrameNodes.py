"""Nodes that belong to one frame of an image: its mask, the marks on it.

The image (of a run its sequence) refers to them under a role, and each notes the frame that it was drawn on, so that a
frame finds its own again when it is shown, also in a saved scene.
"""

from __future__ import annotations

from typing import Any

from .Runs import homeOf

FRAME = "XRADiffSlicer.Frame"


def nodesOf(image: Any, role: str) -> list[tuple[Any, int]]:
    """Return the nodes of `image` in a role, each with its frame, the oldest first."""
    home = homeOf(image)
    nodes = [home.GetNthNodeReference(role, index) for index in range(home.GetNumberOfNodeReferences(role))]
    return [(node, int(node.GetAttribute(FRAME) or 0)) for node in nodes if node is not None]


def nodeOf(image: Any, frame: int, role: str) -> Any:
    """Return the node that was last chosen for a frame of `image`, None if it has none."""
    return next((node for node, shown in reversed(nodesOf(image, role)) if shown == frame), None)


def chooseNode(image: Any, frame: int, role: str, node: Any) -> None:
    """Make `node` (None for no node) that of a frame of `image`."""
    home = homeOf(image)
    others = [(other, shown) for other, shown in nodesOf(image, role) if other is not node]
    kept = [other for other, shown in others if node is not None or shown != frame]
    home.RemoveNodeReferenceIDs(role)
    for other in kept:
        home.AddNodeReferenceID(role, other.GetID())
    if node is not None:
        node.SetAttribute(FRAME, str(frame))
        home.AddNodeReferenceID(role, node.GetID())


def showNodeOfFrame(image: Any, frame: int, role: str) -> None:
    """Show the node of a frame, where it is not a volume, and hide those of other frames."""
    chosen = nodeOf(image, frame, role)
    for node, _shown in nodesOf(image, role):
        if node.GetDisplayNode() is not None and not node.IsA("vtkMRMLVolumeNode"):
            node.GetDisplayNode().SetVisibility(node is chosen)
