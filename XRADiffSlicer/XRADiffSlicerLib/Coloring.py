"""Colors: of the labels of an overlay, and of a surface that shows how certain it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import slicer

SPREAD = "Uncertainty"  # point values of the surface: standard deviation of the probability
LARGEST_SPREAD = 0.5  # of a value between 0 and 1
SPREAD_COLORS = "XRA-Diff uncertainty"
# Dark blue, grey, yellow: lightness rises evenly, so it can be read with any color vision and in grey.
ANCHORS = ((0, 32, 77), (124, 123, 120), (255, 234, 70))
STEPS = 64


def colorTable(name: str, entries: Sequence[tuple[str, tuple[float, float, float, float]]]) -> Any:
    """Return the color table of that name; it is made with `entries` (name, RGBA 0 to 1) where the scene has none."""
    found = slicer.mrmlScene.GetFirstNodeByName(name)
    if found is not None and found.IsA("vtkMRMLColorTableNode"):
        return found
    table = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLColorTableNode", name)
    table.SetTypeToUser()
    table.SetNumberOfColors(len(entries))
    for index, (word, color) in enumerate(entries):
        table.SetColor(index, word, *color)
    return table


def spreadColors() -> Any:
    """Return the color table of the uncertainty."""
    places = np.linspace(0, 1, STEPS)
    anchors = np.array(ANCHORS) / 255
    colors = [np.interp(places, np.linspace(0, 1, len(anchors)), channel) for channel in anchors.T]
    words = [f"{place * LARGEST_SPREAD:.3f}" for place in places]
    return colorTable(
        SPREAD_COLORS, [(word, (*color, 1.0)) for word, color in zip(words, np.transpose(colors), strict=True)]
    )


def hasSpread(model: Any) -> bool:
    """Return whether the surface knows its uncertainty."""
    return bool(
        model is not None and model.GetPolyData() is not None and model.GetPolyData().GetPointData().HasArray(SPREAD)
    )


def colorSurface(model: Any, segmentation: Any, byUncertainty: bool) -> None:
    """Show the surface in the colors of its uncertainty, or the segmentation in its own in its place."""
    display = model.GetDisplayNode()
    shown = byUncertainty and hasSpread(model)
    if shown:
        display.SetActiveScalar(SPREAD, 0)  # 0: values at the points
        display.SetScalarRangeFlag(display.UseManualScalarRange)
        display.SetScalarRange(0, LARGEST_SPREAD)
        display.SetAndObserveColorNodeID(spreadColors().GetID())
    display.SetScalarVisibility(shown)
    display.SetVisibility(shown)
    segmentation.GetDisplayNode().SetVisibility3D(not shown)
    _legend(model, shown)


def _legend(model: Any, shown: bool) -> None:
    colors = slicer.vtkSlicerColorLogic
    legend = colors.GetColorLegendDisplayNode(model)
    if legend is None and shown:
        legend = colors.AddDefaultColorLegendDisplayNode(model)
        if legend is not None:
            legend.SetTitleText("Standard deviation")
            legend.SetLabelFormat("%.2f")
    if legend is not None:
        legend.SetVisibility(shown)
