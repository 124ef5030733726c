"""The ends of one vessel, marked on the frame of a view: that vessel alone is reconstructed.

The marks are the control points of a point list: the start, points on the way where the vessel crosses others, and
the end.
"""

from __future__ import annotations

from typing import Any

import slicer
from slicer.i18n import tr as _

from .EpipolarLine import pixelAt
from .FrameNodes import chooseNode, nodeOf, nodesOf, showNodeOfFrame
from .SliceViews import showOnlyOver

ROLE = "XRADiffSlicer.VesselMarks"
COLOR = (0.0, 0.85, 0.85)
FEWEST = 2


def marksOf(image: Any, frame: int) -> Any:
    """Return the point list on a frame of `image`, None where nothing was marked."""
    return nodeOf(image, frame, ROLE)


def newMarks(image: Any, frame: int) -> Any:
    """Return a new, empty point list for a frame of `image`."""
    marks = slicer.vtkMRMLMarkupsFiducialNode()
    marks.SetName(slicer.mrmlScene.GenerateUniqueName(f"{image.GetName()} vessel"))
    marks = slicer.mrmlScene.AddNode(marks)
    marks.SetControlPointLabelFormat("%d")
    marks.CreateDefaultDisplayNodes()
    display = marks.GetDisplayNode()
    display.SetColor(*COLOR)
    display.SetSelectedColor(*COLOR)
    display.SetVisibility3D(False)
    chooseNode(image, frame, ROLE, marks)
    return marks


def clearMarks(image: Any, frame: int) -> None:
    """Remove the marks on a frame of `image`."""
    if (marks := marksOf(image, frame)) is not None:
        slicer.mrmlScene.RemoveNode(marks)


def markedPixels(image: Any, frame: int) -> list[tuple[float, float]]:
    """Return (row, column) as displayed of the marks on a frame of `image`, from start to end."""
    marks = marksOf(image, frame)
    count = marks.GetNumberOfControlPoints() if marks is not None else 0
    defined = [i for i in range(count) if marks.GetNthControlPointPositionStatus(i) == marks.PositionDefined]
    pixels = []
    for index in defined:
        position = [0.0] * 3
        marks.GetNthControlPointPositionWorld(index, position)
        row, column = pixelAt(image, position)
        pixels.append((float(row), float(column)))
    return pixels


def showMarksOfFrame(image: Any, frame: int) -> None:
    """Show the marks of a frame over its image alone, and hide those of other frames."""
    showNodeOfFrame(image, frame, ROLE)
    for marks in listsOf(image):
        showOnlyOver(marks.GetDisplayNode(), image, overOverlays=True)


def listsOf(image: Any) -> list[Any]:
    """Return the point lists of all frames of `image`."""
    return [node for node, _frame in nodesOf(image, ROLE)]


def describeMarks(count: int) -> str:
    """Return what `count` marks on a frame mean, in words."""
    if count == 0:
        return _("Whole tree")
    return _("Start alone") if count < FEWEST else _("{count} points").format(count=count)
