"""The epipolar line of the point under the cursor, drawn in the slice views that show the other angiograms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import slicer
import vtk

from .Geometry import geometryOf, imageNodeOf
from .NodeConversion import flipsOf
from .Runs import frameOf, imageProblem
from .SliceViews import compositesBySlice, shows

COLOR = (1.0, 0.75, 0.0)
NAME = "XRADiffSlicer epipolar line"


class EpipolarLine:
    """Follows the cursor of the slice views. The lines are nodes that are not saved and not listed."""

    def __init__(self) -> None:
        self._views: list[Any] = []
        self._lines: dict[str, Any] = {}
        self._crosshair: Any = None
        self._tag: Any = None

    def follow(self, views: Sequence[Any]) -> None:
        """Draw lines for these views from now on; none for fewer than two of them."""
        images = [imageNodeOf(node) for node in views]
        known = [v for v, image in zip(views, images, strict=True) if image is not None and not imageProblem(image)]
        if len(known) < 2:
            self.stop()
            return
        self._views = known
        if self._crosshair is None:
            self._crosshair = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
            if self._crosshair is not None:
                event = slicer.vtkMRMLCrosshairNode.CursorPositionModifiedEvent
                self._tag = self._crosshair.AddObserver(event, self._onCursor)

    def stop(self) -> None:
        """Draw nothing any more."""
        if self._crosshair is not None:
            self._crosshair.RemoveObserver(self._tag)
        self._crosshair = self._tag = None
        for line in self._lines.values():
            if line.GetScene() is not None:
                line.GetScene().RemoveNode(line)
        self._lines, self._views = {}, []

    def _onCursor(self, crosshair: Any, _event: Any) -> None:
        position, display = [0.0] * 3, [0.0] * 3
        inside = crosshair.GetCursorPositionRAS(position)
        sliceNode = crosshair.GetCursorPositionXYZ(display)
        self.draw(sliceNode if inside else None, position)

    def draw(self, sliceNode: Any, ras: Sequence[float]) -> None:
        """Draw the lines of the point `ras` in the slice view of `sliceNode`; None where the cursor is elsewhere."""
        from xradiff.errors import InputError

        composites = compositesBySlice()
        under = composites.get(_idOf(sliceNode))
        source = next((view for view in self._views if shows(under, imageNodeOf(view))), None)
        for target in self._views:
            slices = [name for name, composite in composites.items() if shows(composite, imageNodeOf(target))]
            ends = None
            if source is not None and target is not source and _idOf(sliceNode) not in slices and slices:
                try:
                    ends = epipolarEnds(source, target, ras)
                except InputError:  # the geometry is not known yet
                    ends = None
            self._show(target, ends, slices)

    def _show(self, target: Any, ends: np.ndarray | None, slices: Sequence[str]) -> None:
        line = self._lines.get(target.GetID())
        if line is None or line.GetScene() is None:
            if ends is None:
                return
            line = self._lines[target.GetID()] = _newLine()
        display = line.GetDisplayNode()
        display.SetVisibility(ends is not None)
        if ends is None:
            return
        display.SetViewNodeIDs(list(slices))
        line.SetLineStartPosition(ends[0])
        line.SetLineEndPosition(ends[1])


def epipolarEnds(source: Any, target: Any, ras: Sequence[float]) -> np.ndarray | None:
    """Return both ends (2, 3), in RAS mm of the slice view, of the epipolar line in `target` of a point in `source`.

    :param ras: where the point is in a slice view that shows `source`.
    :returns: None where the point lies outside of its image or the line passes the other one.
    :raises xradiff.errors.InputError: the geometry of a view is not known.
    """
    from xradiff.geometry import epipolar_line, line_in_image
    from xradiff.geometry.camera import camera_from

    images = [imageNodeOf(node) for node in (source, target)]
    shapes = [_shapeOf(image) for image in images]
    pixel = pixelAt(images[0], ras)
    if not all(-0.5 <= position <= size - 0.5 for position, size in zip(pixel, shapes[0], strict=True)):
        return None
    cameras = [
        camera_from(geometryOf(node, frame=frameOf(image)), shape)
        for node, image, shape in zip((source, target), images, shapes, strict=True)
    ]
    ends = line_in_image(epipolar_line(*cameras, pixel), shapes[1])
    return None if ends is None else np.array([positionOf(images[1], end) for end in ends])


def pixelAt(image: Any, ras: Sequence[float]) -> np.ndarray:
    """Return (row, column) as displayed of a position in RAS mm."""
    matrix = vtk.vtkMatrix4x4()
    image.GetRASToIJKMatrix(matrix)
    column, row = matrix.MultiplyPoint((*ras, 1.0))[:2]
    return _flipped(image, np.array([row, column]))


def positionOf(image: Any, pixel: Sequence[float]) -> np.ndarray:
    """Return the RAS position in mm of (row, column) as displayed."""
    row, column = _flipped(image, np.asarray(pixel, dtype=float))
    matrix = vtk.vtkMatrix4x4()
    image.GetIJKToRASMatrix(matrix)
    return np.array(matrix.MultiplyPoint((column, row, 0.0, 1.0))[:3])


def _flipped(image: Any, pixel: np.ndarray) -> np.ndarray:
    """Array position <-> position as displayed."""
    sizes = _shapeOf(image)
    for axis, flip in enumerate(flipsOf(image)):
        if flip.step == -1:
            pixel[axis] = sizes[axis] - 1 - pixel[axis]
    return pixel


def _shapeOf(image: Any) -> tuple[int, int]:
    columns, rows, _slices = image.GetImageData().GetDimensions()
    return rows, columns


def _idOf(node: Any) -> str:
    return "" if node is None else str(node.GetID())


def _newLine() -> Any:
    line = slicer.vtkMRMLMarkupsLineNode()
    line.SetName(NAME)
    line.SetSaveWithScene(False)
    line.SetHideFromEditors(True)
    line.SetSelectable(False)
    line = slicer.mrmlScene.AddNode(line)
    line.CreateDefaultDisplayNodes()
    line.SetLocked(True)
    display = line.GetDisplayNode()
    display.SetSaveWithScene(False)
    display.SetSelectedColor(*COLOR)
    display.SetColor(*COLOR)
    display.SetPropertiesLabelVisibility(False)
    display.SetPointLabelsVisibility(False)
    display.SetGlyphScale(0.1)
    display.SetVisibility3D(False)
    return line
