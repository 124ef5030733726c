"""Which slice view shows which image. All angiograms lie in the same plane; only their views tell them apart."""

from __future__ import annotations

from typing import Any

import slicer

THREE_D = "vtkMRMLViewNode1"


def compositesBySlice() -> dict[str, Any]:
    """Return the composite node of each slice view by the slice node's ID."""
    composites = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    sliceNodes = [slicer.mrmlScene.GetNodeByID(f"vtkMRMLSliceNode{one.GetLayoutName()}") for one in composites]
    return {node.GetID(): one for node, one in zip(sliceNodes, composites, strict=True) if node is not None}


def shows(composite: Any, image: Any) -> bool:
    """Return whether the slice view of a composite node shows `image`; no composite node shows nothing."""
    return composite is not None and image is not None and composite.GetBackgroundVolumeID() == image.GetID()


def isOverlaid(composite: Any) -> bool:
    """Return whether the overlay of a result covers the image in the slice view of a composite node."""
    return composite.GetLabelVolumeID() is not None and composite.GetLabelOpacity() > 0


def showOnlyOver(display: Any, image: Any, overOverlays: bool) -> None:
    """Show what has this display node only in the slice views that show `image`; in all where none does.

    :param overOverlays: also where the overlay of a result lies on the image.
    """
    showing = {name: composite for name, composite in compositesBySlice().items() if shows(composite, image)}
    views = [name for name, composite in showing.items() if overOverlays or not isOverlaid(composite)]
    if showing and not views:
        views = [THREE_D]  # no view would mean all
    if list(display.GetViewNodeIDs()) != views:
        display.SetViewNodeIDs(views)
