"""What belongs to a result beside its volumes: overlays on the angiograms, a virtual C-arm, the report.

All hang on the segmentation by node references, so they are saved with the scene and found again after loading.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from .Coloring import colorTable
from .Contents import AGREE, MASK_ONLY, RESULT_ONLY, Contents, sparseFromArray
from .Geometry import describeAngles, imageNodeOf
from .NodeConversion import SEGMENT_NAME, asDisplayed, ijkToRasOf, updateImageFromArray, updateVolumeFromArray

if TYPE_CHECKING:
    from xradiff.datatypes import Acquisition, SparseVolume

OVERLAY_ROLE = "XRADiffSlicer.Overlay"  # from a segmentation to the label map of each view
VIEW_ROLE = "XRADiffSlicer.View"  # from an overlay to the image that it lies on
REPORT_ROLE = "XRADiffSlicer.Report"  # from a segmentation to the report
VIRTUAL_ROLE = "XRADiffSlicer.VirtualView"  # from a segmentation to the image of the virtual C-arm
USED_ATTRIBUTE = "XRADiffSlicer.GeometryAsUsed"
FRAME_ATTRIBUTE = "XRADiffSlicer.Frame"
COLOR_NAME = "XRA-Diff reprojection"
# Okabe and Ito's colors, as in the report: told apart with any color vision.
COLORS = {
    AGREE: ("mask and result agree", (86, 180, 233)),
    MASK_ONLY: ("mask only", (213, 94, 0)),
    RESULT_ONLY: ("result only", (240, 228, 66)),
}


# ---- overlays -------------------------------------------------------------------------------


def fillOverlays(segmentation: Any, contents: Contents, views: Sequence[Any]) -> tuple[Any, ...]:
    """Make or fill the overlay of each view and return them; those of an earlier result are filled again.

    :param views: the nodes of the views, in the order of `contents`.
    """
    old = overlaysOf(segmentation)
    overlays = []
    for index, (node, facts) in enumerate(zip(views, contents.facts["views"], strict=False)):
        image = imageNodeOf(node)
        overlay = old[index] if index < len(old) else _newOverlay(image)
        _fillOverlay(overlay, image, contents.arrays[f"overlay{index}"], facts)
        overlays.append(overlay)
    segmentation.RemoveNodeReferenceIDs(OVERLAY_ROLE)
    for node in overlays:
        segmentation.AddNodeReferenceID(OVERLAY_ROLE, node.GetID())
    for node in old[len(overlays) :]:
        slicer.mrmlScene.RemoveNode(node)
    return tuple(overlays)


def overlaysOf(segmentation: Any) -> list[Any]:
    """Return the overlays of a result, one a view; those whose node was deleted are left out."""
    if segmentation is None:
        return []
    count = segmentation.GetNumberOfNodeReferences(OVERLAY_ROLE)
    nodes = [segmentation.GetNthNodeReference(OVERLAY_ROLE, index) for index in range(count)]
    return [node for node in nodes if node is not None]


def viewOf(overlay: Any) -> Any:
    """Return the image that an overlay lies on, None if it was deleted."""
    return overlay.GetNodeReference(VIEW_ROLE)


def frameOf(overlay: Any) -> int:
    """Return the frame of the view's run that the result was made from."""
    return int(overlay.GetAttribute(FRAME_ATTRIBUTE) or 0)


def _newOverlay(image: Any) -> Any:
    name = slicer.mrmlScene.GenerateUniqueName(f"{image.GetName()} reprojection")
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", name)
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetAndObserveColorNodeID(_colors().GetID())
    return node


def _fillOverlay(overlay: Any, image: Any, labels: np.ndarray, facts: dict[str, Any]) -> None:
    """Lay `labels` (rows, columns, row 0 on top) on the image; on its slice, where it has several."""
    matrix = ijkToRasOf(image)
    slices = image.GetImageData().GetDimensions()[2]
    matrix[:3, 3] += matrix[:3, 2] * (facts["frame"] if slices > 1 else 0)
    updateVolumeFromArray(overlay, np.ascontiguousarray(asDisplayed(labels, image))[np.newaxis], matrix)
    overlay.SetNodeReferenceID(VIEW_ROLE, image.GetID())
    overlay.SetAttribute(USED_ATTRIBUTE, json.dumps(facts["facts"]))
    overlay.SetAttribute(FRAME_ATTRIBUTE, str(facts["frame"]))


def _colors() -> Any:
    """The color table of the overlays, made once a scene."""
    entries = [("nothing", (0.0, 0.0, 0.0, 0.0))]
    entries += [(name, (red / 255, green / 255, blue / 255, 1.0)) for name, (red, green, blue) in COLORS.values()]
    return colorTable(COLOR_NAME, entries)


# ---- C-arm ----------------------------------------------------------------------------------


def acquisitionOf(overlay: Any) -> Acquisition:
    """Return how a view of the result was taken, after the calibration."""
    from xradiff.datatypes import Acquisition

    return Acquisition(**json.loads(overlay.GetAttribute(USED_ATTRIBUTE)))


def shapeOf(overlay: Any) -> tuple[int, int]:
    """Return rows and columns of an overlay."""
    columns, rows, _slices = overlay.GetImageData().GetDimensions()
    return rows, columns


def virtualAcquisition(overlay: Any, primaryDeg: float, secondaryDeg: float) -> Acquisition:
    """Return the C-arm of a view turned to other angles about the isocenter, the patient where the result lies."""
    taken = acquisitionOf(overlay)
    return replace(taken, primary_deg=primaryDeg, secondary_deg=secondaryDeg, roll_deg=0.0, table_shift_mm=(0, 0, 0))


def updateVirtualView(segmentation: Any, vessels: SparseVolume, acquisition: Acquisition, shape: Sequence[int]) -> Any:
    """Show the silhouette of `vessels` as a C-arm would see it; return the image node of `segmentation`."""
    from xradiff.geometry.camera import camera_from
    from xradiff.projection.silhouette import silhouette

    node = segmentation.GetNodeReference(VIRTUAL_ROLE)
    drawn = silhouette(vessels, camera_from(acquisition, tuple(shape))).astype(np.uint8)
    if node is None:
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Virtual C-arm")
        updateImageFromArray(node, drawn)
        node.CreateDefaultDisplayNodes()
        node.GetDisplayNode().SetAutoWindowLevel(False)
        node.GetDisplayNode().SetWindowLevelMinMax(0, 1)
        segmentation.SetNodeReferenceID(VIRTUAL_ROLE, node.GetID())
    else:
        updateImageFromArray(node, drawn)
    node.SetName(f"Virtual C-arm {describeAngles(acquisition.primary_deg, acquisition.secondary_deg)}")
    node.SetAttribute(USED_ATTRIBUTE, json.dumps(asdict(acquisition)))
    return node


def putCamera(cameraNode: Any, acquisition: Acquisition, shape: Sequence[int]) -> None:
    """Let a 3D view look as the angiogram is displayed: from the detector, its center in the middle, the top up.

    An angiogram is drawn as seen from the detector with the rays of the source, which no camera of a 3D view can do
    without a mirror. The projection is parallel instead: exact in the plane through the isocenter, and at h mm from it
    off by the share h / SOD, about 5 % at 40 mm.
    """
    from xradiff.geometry.camera import camera_from

    carm = camera_from(acquisition, tuple(shape))
    share = acquisition.sod_mm / acquisition.sid_mm
    middle = carm.source + share * (carm.detector_centre - carm.source)
    toRas = np.array([-1.0, -1.0, 1.0])
    cameraNode.SetFocalPoint(*(middle * toRas))
    cameraNode.SetPosition(*((middle + acquisition.sod_mm * carm.d) * toRas))
    cameraNode.SetViewUp(*(-carm.v * toRas))
    cameraNode.SetParallelProjection(True)
    cameraNode.SetParallelScale(0.5 * shape[0] * acquisition.pixel_spacing_mm[0] * share)
    cameraNode.ResetClippingRange()


def sparseFromSegmentation(node: Any) -> SparseVolume | None:
    """Return the voxels of the coronary segment of `node`, None where it has none."""
    segmentation = node.GetSegmentation()
    identifier = segmentation.GetSegmentIdBySegmentName(SEGMENT_NAME)
    labelmap = slicer.vtkOrientedImageData()
    if not identifier or not node.GetBinaryLabelmapRepresentation(identifier, labelmap) or labelmap.IsEmpty():
        return None
    matrix = vtk.vtkMatrix4x4()
    labelmap.GetImageToWorldMatrix(matrix)
    ijkToRas = slicer.util.arrayFromVTKMatrix(matrix)
    ijkToRas[:3, 3] += ijkToRas[:3, :3] @ np.array(labelmap.GetExtent()[::2])
    voxels = vtk_to_numpy(labelmap.GetPointData().GetScalars()).reshape(labelmap.GetDimensions()[::-1])
    vessels = sparseFromArray(voxels, ijkToRas)
    return vessels if len(vessels.indices) else None


# ---- report ---------------------------------------------------------------------------------


def fillReport(segmentation: Any, html: str) -> None:
    """Keep the report of a result with it; "" removes that of an earlier result."""
    node = segmentation.GetNodeReference(REPORT_ROLE)
    if not html:
        if node is not None:
            slicer.mrmlScene.RemoveNode(node)
        return
    if node is None:
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode", f"{segmentation.GetName()} report")
        node.SetForceCreateStorageNode(True)
        segmentation.SetNodeReferenceID(REPORT_ROLE, node.GetID())
    node.SetText(html)


def reportOf(segmentation: Any) -> str:
    """Return the HTML report of a result, "" without."""
    node = segmentation.GetNodeReference(REPORT_ROLE) if segmentation is not None else None
    return str(node.GetText() or "") if node is not None else ""
