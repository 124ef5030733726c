"""MRML nodes <-> the core's data types. The only place that crosses between LPS and RAS.

The core holds patient LPS millimetres and volumes indexed (x, y, z); MRML holds RAS and numpy
arrays indexed (k, j, i). An output volume gets one IJKToRAS matrix that says both: index (i, j, k)
is voxel (x, y, z) of the grid, and its position is the grid's LPS position with x and y negated.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray, vtk_to_numpy

from .Contents import LPS_TO_RAS, sparseFromArray

if TYPE_CHECKING:
    from xradiff.datatypes import AngiogramView, SparseVolume, SurfaceMesh

SEGMENT_NAME = "Coronary arteries"
CORONARY_ARTERY_TERMINOLOGY = (
    "Segmentation category and type - DICOM master list"
    "~SCT^123037004^Anatomical Structure~SCT^41801008^Coronary artery~^^"
    "~Anatomic codes - DICOM master list~^^~^^"
)
CORONARY_COLOR = (0.85, 0.25, 0.22)


class InputNodeError(ValueError):
    """A node cannot be used as a view; the message is one line for the user."""


# ---- images ---------------------------------------------------------------------------------


def imageFromNode(node: Any, sliceIndex: int | None = None) -> np.ndarray:
    """Return a copy of the image (rows, columns) in `node`, row 0 on top as Slicer displays it.

    A volume whose first axis points to the patient's right or whose second axis points to anterior
    is shown by Slicer mirrored or upside down with respect to its array; the image returned here is
    the one on the screen. Equal colour channels become one grey channel.

    :param node: scalar, label map or vector volume of one slice (the proxy volume of a sequence
      browser holds the frame on the screen), or of several slices if `sliceIndex` chooses one.
    :raises InputNodeError: no image, several slices and no choice, or a coloured image.
    """
    if node is None or node.GetImageData() is None or 0 in node.GetImageData().GetDimensions():
        raise InputNodeError(f"{_nameOf(node)} holds no image")
    array = np.asarray(slicer.util.arrayFromVolume(node))
    if sliceIndex is None and array.shape[0] != 1:
        raise InputNodeError(
            f"{node.GetName()} has {array.shape[0]} slices; one image is needed (choose a frame with frames=[...])"
        )
    index = 0 if sliceIndex is None or array.shape[0] == 1 else sliceIndex
    if not 0 <= index < array.shape[0]:
        raise InputNodeError(f"{node.GetName()} has frames 0 to {array.shape[0] - 1}, got frame {index}")
    return asDisplayed(_grey(array[index], node.GetName()), node).copy()


def maskFromSegmentation(node: Any) -> np.ndarray:
    """Return the union (rows, columns) of all segments on the image that they were drawn on.

    :raises InputNodeError: no segment, or the segmentation does not know its image.
    """
    reference = node.GetNodeReference(slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole())
    if reference is None:
        raise InputNodeError(f"{node.GetName()} has no source volume; set one in the Segmentations module")
    segmentation = node.GetSegmentation()
    identifiers = [segmentation.GetNthSegmentID(index) for index in range(segmentation.GetNumberOfSegments())]
    if not identifiers:
        raise InputNodeError(f"{node.GetName()} has no segment; draw the vessels first")
    segments = [slicer.util.arrayFromSegmentBinaryLabelmap(node, name, reference) for name in identifiers]
    union = np.any([segment > 0 for segment in segments], axis=0)
    if union.ndim != 3 or union.shape[0] != 1:
        raise InputNodeError(f"{node.GetName()} is not drawn on a single image, its shape is {union.shape}")
    return asDisplayed(union[0], reference).copy()


def updateImageFromArray(node: Any, pixels: np.ndarray) -> None:
    """Put `pixels` (rows, columns), row 0 on top, into a one-slice volume as Slicer's readers do.

    Columns go to the patient's left and rows to posterior, so that an axial view shows the image
    upright. The node's geometry is not that of the C-arm.
    """
    slicer.util.updateVolumeFromArray(node, pixels[np.newaxis])
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(LPS_TO_RAS))


def imageNodeFromView(view: AngiogramView, name: str) -> Any:
    """Add a scalar volume node that shows the pixels of `view`."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    updateImageFromArray(node, np.asarray(view.pixels))
    node.CreateDefaultDisplayNodes()
    return node


def _grey(image: np.ndarray, name: str) -> np.ndarray:
    """One channel of an image whose colour channels are equal; alpha is left out."""
    if image.ndim == 2:
        return image
    colors = image[..., :1] if image.shape[-1] == 2 else image[..., :3]
    if np.any(colors != colors[..., :1]):
        raise InputNodeError(f"{name} is a color image; a grey image or a mask is needed")
    return colors[..., 0]


def flipsOf(node: Any) -> tuple[slice, slice]:
    """Return what turns the array of an image into what an axial slice view shows (left is patient right, top is
    anterior), and back."""
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    columnsToRight = matrix.GetElement(0, 0) > 0
    rowsToAnterior = matrix.GetElement(1, 1) > 0
    return slice(None, None, -1 if rowsToAnterior else 1), slice(None, None, -1 if columnsToRight else 1)


def asDisplayed(image: np.ndarray, node: Any) -> np.ndarray:
    """Flip the array so that it reads as a slice view shows it; what is displayed, flipped so, is the array again."""
    return image[flipsOf(node)]


def _nameOf(node: Any) -> str:
    return "the view" if node is None else str(node.GetName())


# ---- volumes --------------------------------------------------------------------------------


def updateVolumeFromArray(node: Any, array: np.ndarray, ijkToRas: np.ndarray) -> None:
    """Put an array (z, y, x) and its place into the volume `node`."""
    slicer.util.updateVolumeFromArray(node, array)
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(ijkToRas))


def showBetween(node: Any, low: float, high: float) -> None:
    """Show the values of a volume without image yet from black at `low` to white at `high`.

    Beforehand, because Slicer looks for a window of its own in the histogram of the image, which takes long.
    """
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetAutoWindowLevel(False)
    node.GetDisplayNode().SetWindowLevelMinMax(low, high)


def sparseFromVolume(node: Any) -> SparseVolume:
    """Return the non-zero voxels of a volume node whose axes are parallel to the patient's.

    :raises InputNodeError: the volume is oblique.
    """
    try:
        return sparseFromArray(slicer.util.arrayFromVolume(node), ijkToRasOf(node))
    except ValueError:
        raise InputNodeError(f"{node.GetName()} is oblique; its axes must be parallel to the patient's") from None


def ijkToRasOf(node: Any) -> np.ndarray:
    """Return the 4x4 matrix from voxel index to RAS millimetres of a volume node."""
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


# ---- segmentation ---------------------------------------------------------------------------


def updateSegmentationFromArray(node: Any, inside: np.ndarray, ijkToRas: np.ndarray, surface: Any = None) -> None:
    """Make the voxels that are `inside` (z, y, x) the coronary segment of `node`; its other segments stay.

    :param surface: vtkPolyData in RAS that is shown in 3D for it; by default Slicer makes one of the voxels.
    """
    labelmap = slicer.vtkOrientedImageData()
    labelmap.SetDimensions(*inside.shape[::-1])
    labelmap.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    vtk_to_numpy(labelmap.GetPointData().GetScalars())[:] = np.asarray(inside, dtype=np.uint8).ravel()
    labelmap.SetGeometryFromImageToWorldMatrix(slicer.util.vtkMatrixFromArray(ijkToRas))
    setCoronarySegment(node, labelmap, surface)


def setCoronarySegment(node: Any, labelmap: Any, surface: Any = None) -> None:
    """Make `labelmap` (with its `surface`, if given) the coronary segment of `node`; its other segments stay."""
    segmentation = node.GetSegmentation()
    old = segmentation.GetSegmentIdBySegmentName(SEGMENT_NAME)
    if old:
        segmentation.RemoveSegment(old)
    segment = slicer.vtkSegment()
    segment.SetName(SEGMENT_NAME)
    segment.SetColor(*CORONARY_COLOR)
    segment.SetTag(segment.GetTerminologyEntryTagName(), CORONARY_ARTERY_TERMINOLOGY)
    converter = slicer.vtkSegmentationConverter
    name = converter.GetSegmentationBinaryLabelmapRepresentationName()
    segment.AddRepresentation(name, labelmap)
    if surface is not None:
        segment.AddRepresentation(converter.GetSegmentationClosedSurfaceRepresentationName(), surface)
    if segmentation.GetNumberOfSegments() == 0:
        segmentation.SetSourceRepresentationName(name)
    segmentation.AddSegment(segment)


# ---- surface --------------------------------------------------------------------------------


def updateModelFromArrays(
    node: Any, pointsRas: np.ndarray, triangles: np.ndarray, normals: np.ndarray, **values: np.ndarray
) -> None:
    """Put points (N, 3) in RAS mm, triangles (M, 3), normals (N, 3) and named values (N,) at the points into the model
    `node`."""
    points = vtk.vtkPoints()
    points.SetData(numpy_to_vtk(np.ascontiguousarray(pointsRas), deep=True))
    corners = np.insert(np.asarray(triangles, dtype=np.int64), 0, 3, axis=1)
    cells = vtk.vtkCellArray()
    cells.ImportLegacyFormat(numpy_to_vtkIdTypeArray(corners.ravel(), deep=True))
    poly = vtk.vtkPolyData()
    poly.SetPoints(points)
    poly.SetPolys(cells)
    for name, numbers in {"Normals": normals, **values}.items():
        array = numpy_to_vtk(np.ascontiguousarray(numbers), deep=True)
        array.SetName(name)
        poly.GetPointData().AddArray(array)
    poly.GetPointData().SetActiveNormals("Normals")
    node.SetAndObservePolyData(poly)


def copied(surface: Any) -> Any:
    """Return a copy of a vtkPolyData."""
    copy = vtk.vtkPolyData()
    copy.DeepCopy(surface)
    return copy


def updateModelFromCentrelineFile(node: Any, path: Any) -> None:
    """Put the branches and radii (point array "Radius", mm) of a centreline file into the model `node`, in RAS.

    :raises OSError: the file cannot be read.
    """
    storage = slicer.vtkMRMLModelStorageNode()  # turns the file's LPS into RAS; not kept, the file is temporary
    storage.SetFileName(str(path))
    if not storage.ReadData(node):
        raise OSError(f"{path} cannot be read")


def meshFromModel(node: Any) -> SurfaceMesh:
    """Return the triangles of a model node, in LPS."""
    from xradiff.datatypes import SurfaceMesh

    poly = node.GetPolyData()
    vertices = vtk_to_numpy(poly.GetPoints().GetData()).astype(np.float64) @ LPS_TO_RAS[:3, :3]
    return SurfaceMesh(vertices, vtk_to_numpy(poly.GetPolys().GetConnectivityArray()).reshape(-1, 3).astype(np.int64))


# ---- table ----------------------------------------------------------------------------------

FIT_COLUMNS = (
    ("coverage", "Coverage", "part of the mask that the reprojected result covers"),
    ("precision", "Precision", "part of the reprojected result that lies on the mask"),
    ("dice", "Dice", "overlap of mask and reprojected result"),
    ("chamfer_px", "CD (px)", "Chamfer distance: sum of the two mean distances in pixels"),
    ("chamfer_mm", "CD (mm)", "Chamfer distance: sum of the two mean distances in mm at the depth of the result"),
)


def updateTableFromMeasurements(node: Any, measurements: Iterable[tuple[str, float, str]]) -> None:
    """Put one row a measurement (quantity, value, unit) into the table `node`."""
    node.RemoveAllColumns()
    names, values, units = vtk.vtkStringArray(), vtk.vtkDoubleArray(), vtk.vtkStringArray()
    for column, title in ((names, "Quantity"), (values, "Value"), (units, "Unit")):
        column.SetName(title)
    for name, value, unit in measurements:
        names.InsertNextValue(name)
        values.InsertNextValue(round(value, 1))
        units.InsertNextValue(unit)
    for column in (names, values, units):
        node.AddColumn(column)
    node.SetUseColumnTitleAsColumnHeader(True)


def updateTableFromFits(node: Any, fits: Any) -> None:
    """Put one row a view into the table `node`: how the reprojected result fits the view's mask."""
    node.RemoveAllColumns()
    names = vtk.vtkStringArray()
    names.SetName("View")
    for fit in fits:
        names.InsertNextValue(fit.view_name)
    node.AddColumn(names)
    for attribute, title, meaning in FIT_COLUMNS:
        values = np.array([getattr(fit, attribute) for fit in fits], dtype=np.float64)
        column = numpy_to_vtk(np.round(values, 4), deep=True)
        column.SetName(title)
        node.AddColumn(column)
        node.SetColumnDescription(title, meaning)
    node.SetUseColumnTitleAsColumnHeader(True)
