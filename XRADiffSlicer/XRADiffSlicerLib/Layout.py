"""The layout of a result: the 3D view and the virtual C-arm beside one slice view per angiogram."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import slicer

from .Masks import showMaskOfFrame
from .ResultViews import frameOf, viewOf
from .Runs import frameOf as frameShown

FIRST_LAYOUT = 7310  # numbers below 1000 are Slicer's; one layout for each number of views
MOST_VIEWS = 4
VIRTUAL_TAG = "XRADiffVirtual"
THREE_D_TAG = "1"  # Slicer's first 3D view


def viewTag(index: int) -> str:
    """Return the layout name of the slice view of an angiogram."""
    return f"XRADiff{index + 1}"


def layoutOf(count: int) -> int:
    """Return the number of the layout for `count` angiograms (1 to MOST_VIEWS)."""
    return FIRST_LAYOUT + min(max(count, 1), MOST_VIEWS)


def layoutDescription(count: int) -> str:
    """Return the layout for `count` angiograms as Slicer reads it."""
    sizes = 'splitSize="600"', 'splitSize="400"'
    left = _split("vertical", [_threeD(), _slice(VIRTUAL_TAG, "C")], sizes)
    views = [_slice(viewTag(index), str(index + 1)) for index in range(count)]
    columns = [_split("vertical", views[start : start + 2]) for start in range(0, count, 2)]
    return _split("horizontal", [left, *columns])


def _split(direction: str, parts: Sequence[str], sizes: Sequence[str] = ()) -> str:
    items = "".join(f"<item {sizes[index] if sizes else ''}>{part}</item>" for index, part in enumerate(parts))
    return f'<layout type="{direction}" split="true">{items}</layout>'


def _threeD() -> str:
    return f'<view class="vtkMRMLViewNode" singletontag="{THREE_D_TAG}"><property name="viewlabel">1</property></view>'


def _slice(tag: str, label: str) -> str:
    return (
        f'<view class="vtkMRMLSliceNode" singletontag="{tag}"><property name="orientation" action="default">Axial'
        f'</property><property name="viewlabel" action="default">{label}</property>'
        '<property name="viewcolor" action="default">#8C8C8C</property></view>'
    )


def registerLayouts(layoutNode: Any) -> None:
    """Make the layouts known to Slicer; safe to repeat. A saved scene that uses one needs it before it is loaded."""
    for count in range(1, MOST_VIEWS + 1):
        if not layoutNode.IsLayoutDescription(layoutOf(count)):
            layoutNode.AddLayoutDescription(layoutOf(count), layoutDescription(count))


def showInViews(overlays: Sequence[Any], virtual: Any, opacity: float, applicationLogic: Any) -> None:
    """Put each angiogram with its overlay into its slice view, and the virtual C-arm into its own.

    :param opacity: of the overlays, 0 to 1.
    """
    for index, overlay in enumerate(overlays[:MOST_VIEWS]):
        image = viewOf(overlay)
        if image is not None:
            _showFrame(image, frameOf(overlay))
        _show(viewTag(index), image, overlay, opacity, applicationLogic)
        _showMask(image)
    if virtual is not None:
        _show(VIRTUAL_TAG, virtual, None, opacity, applicationLogic)


def setOpacity(overlays: Sequence[Any], opacity: float) -> None:
    """Set how strongly the overlays cover the angiograms."""
    for index, overlay in enumerate(overlays[:MOST_VIEWS]):
        composite = compositeOf(viewTag(index))
        if composite is not None:
            composite.SetLabelOpacity(opacity)
            _showMask(viewOf(overlay))


def _showMask(image: Any) -> None:
    """Let the mask of an angiogram give way to the overlay, or come back where that is not to be seen."""
    if image is not None:
        showMaskOfFrame(image, frameShown(image))


def compositeOf(tag: str) -> Any:
    """Return the node that says what a slice view shows, None where the view does not exist."""
    nodes = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    return next((node for node in nodes if node.GetLayoutName() == tag), None)


def _show(tag: str, background: Any, label: Any, opacity: float, applicationLogic: Any) -> None:
    composite = compositeOf(tag)
    if composite is None:
        return
    composite.SetBackgroundVolumeID(background.GetID() if background is not None else None)
    composite.SetForegroundVolumeID(None)
    composite.SetLabelVolumeID(label.GetID() if label is not None else None)
    composite.SetLabelOpacity(opacity)
    logic = applicationLogic.GetSliceLogicByLayoutName(tag)
    if logic is not None:
        logic.GetSliceNode().SetOrientationToAxial()
        logic.FitSliceToAll()
        logic.SnapSliceOffsetToIJK()


def _showFrame(image: Any, frame: int) -> None:
    """Turn the run behind a proxy volume to the frame that the result was made from."""
    sequences = getattr(slicer.modules, "sequences", None)
    browser = sequences.logic().GetFirstBrowserNodeForProxyNode(image) if sequences is not None else None
    if browser is not None and 0 <= frame < browser.GetNumberOfItems():
        browser.SetSelectedItemNumber(frame)
