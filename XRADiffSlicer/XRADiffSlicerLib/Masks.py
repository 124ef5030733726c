"""Vessel masks of angiogram frames: segmentations that know their frame and can be edited in the Segment Editor.

How a frame finds its mask is in `FrameNodes`.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from .FrameNodes import chooseNode, nodeOf, nodesOf, showNodeOfFrame
from .Geometry import imageNodeOf
from .NodeConversion import (
    InputNodeError,
    flipsOf,
    imageFromNode,
    maskFromSegmentation,
    setCoronarySegment,
)
from .Runs import frameCount, frameImage, frameOf, imageProblem
from .SliceViews import showOnlyOver

ROLE = "XRADiffSlicer.Mask"


def masksOf(image: Any) -> list[tuple[Any, int]]:
    """Return the masks of `image`, each with the frame that it shows, the oldest first."""
    return nodesOf(image, ROLE)


def maskOf(image: Any, frame: int) -> Any:
    """Return the mask that was last chosen for a frame of `image`, None if it has none."""
    return nodeOf(image, frame, ROLE)


def chooseMask(image: Any, frame: int, mask: Any) -> None:
    """Make `mask` (a segmentation, a label map, or None for no mask) the mask of a frame of `image`."""
    chooseNode(image, frame, ROLE, mask)


def newMask(image: Any, frame: int, pixels: np.ndarray | None = None) -> Any:
    """Return a new segmentation for a frame of `image`, which becomes its mask.

    :param pixels: (rows, columns) of the vessels, row 0 on top; None for an empty segment to draw in.
    :raises InputNodeError: `pixels` has another size than the image.
    """
    shape = imageFromNode(image).shape
    vessels = np.zeros(shape, bool) if pixels is None else pixels
    if vessels.shape != shape:
        raise InputNodeError(
            f"the mask has {vessels.shape[0]} x {vessels.shape[1]} pixels, {image.GetName()} has "
            f"{shape[0]} x {shape[1]}; they must be the same"
        )
    words = f"{image.GetName()} mask" + (f" of frame {frame}" if frameCount(image) > 1 else "")
    name = slicer.mrmlScene.GenerateUniqueName(words)
    mask = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    mask.CreateDefaultDisplayNodes()
    mask.SetReferenceImageGeometryParameterFromVolumeNode(image)
    setCoronarySegment(mask, _labelmap(image, vessels))
    chooseMask(image, frame, mask)
    return mask


def loadMask(image: Any, frame: int, path: str | Path) -> Any:
    """Return a new mask of a frame of `image` from an image file (PNG, TIFF, NRRD, ...).

    :raises ValueError: it cannot be read, is no mask, or has another size than the image.
    """
    import SimpleITK as sitk
    from xradiff.masks.binary import binary_mask

    try:
        pixels = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    except RuntimeError:
        raise InputNodeError(f"{Path(path).name} is not an image that can be read") from None
    if pixels.ndim == 3 and pixels.shape[0] == 1:
        pixels = pixels[0]
    if pixels.ndim == 3 and pixels.shape[-1] in (3, 4) and not np.any(pixels[..., :3] != pixels[..., :1]):
        pixels = pixels[..., 0]
    if pixels.ndim != 2:
        raise InputNodeError(f"{Path(path).name} is not a single grey image, its shape is {pixels.shape}")
    return newMask(image, frame, binary_mask(pixels, Path(path).name))


def maskPixels(mask: Any) -> np.ndarray:
    """Return the vessels (rows, columns) of a mask as displayed; not to be written to.

    :raises InputNodeError: it is not drawn on a single image or holds no segment.
    """
    if mask.IsA("vtkMRMLSegmentationNode"):
        return _pixels(mask.GetID(), _state(mask))
    return imageFromNode(mask) > 0


@functools.lru_cache(maxsize=8)
def _pixels(identifier: str, _state: tuple[int, ...]) -> np.ndarray:
    """The panel asks often; decoding takes milliseconds."""
    pixels = maskFromSegmentation(slicer.mrmlScene.GetNodeByID(identifier))
    pixels.setflags(write=False)
    return pixels


def _state(mask: Any) -> tuple[int, ...]:
    """What changes whenever the mask or the image under it does."""
    segmentation, name = mask.GetSegmentation(), slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName()
    labels = [
        segmentation.GetNthSegment(index).GetRepresentation(name)
        for index in range(segmentation.GetNumberOfSegments())
    ]
    times = [0 if one is None else int(one.GetMTime()) for one in labels]
    image = imageNodeOf(mask)
    return (int(segmentation.GetMTime()), *times, 0 if image is None else int(image.GetMTime()))


def showMaskOfFrame(image: Any, frame: int) -> None:
    """Show the mask of a frame over it, not over other images, and hide those of other frames.

    Where the overlay of a result lies on the image, it shows the mask in its own colors, and the mask gives way.
    """
    showNodeOfFrame(image, frame, ROLE)
    for node in _drawnOn(image):
        showOnlyOver(node.GetDisplayNode(), image, overOverlays=False)


def _drawnOn(image: Any) -> list[Any]:
    """The segmentations that were drawn on `image` and can be shown, also those that are views themselves."""
    nodes = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    return [node for node in nodes if imageNodeOf(node) is image and node.GetDisplayNode() is not None]


def isMask(image: Any, frame: int) -> bool:
    """Return whether the image itself is a vessel mask, so that none need be drawn."""
    return not imageProblem(image) and _isMask(image.GetID(), frame, image.GetImageData().GetMTime())


@functools.lru_cache(maxsize=64)
def _isMask(identifier: str, frame: int, _modified: int) -> bool:
    return imageAsMask(slicer.mrmlScene.GetNodeByID(identifier), frame) is not None


def imageAsMask(image: Any, frame: int) -> np.ndarray | None:
    """Return the vessels (rows, columns) of an image that is a mask itself, None of any other."""
    from xradiff.errors import InputError
    from xradiff.masks.binary import binary_mask

    try:
        return binary_mask(frameImage(image, frame))
    except (InputError, InputNodeError):
        return None


def describeMask(node: Any) -> tuple[str, bool]:
    """Return one sentence on the mask of a view, and whether the view can be reconstructed with it.

    :param node: the view's volume or segmentation.
    """
    image = imageNodeOf(node)
    if node is not image or image is None:
        return "The segmentation is the mask.", image is not None
    if reason := imageProblem(image):
        return reason, False
    frame = frameOf(image)
    words = f" of frame {frame}" if frameCount(image) > 1 else ""
    mask = maskOf(image, frame)
    try:
        if mask is not None:
            count = int(np.count_nonzero(maskPixels(mask)))
            return (f"Mask{words}: {count} pixels.", True) if count else (f"The mask{words} is empty.", False)
        if isMask(image, frame):
            return f"The image{words} is a mask.", True
    except InputNodeError as error:
        return f"{error}.", False
    others = sorted({shown for _mask, shown in masksOf(image)})
    there = f" There are masks of frame {', '.join(map(str, others))}." if others else ""
    return f"No mask{words} yet: segment it, draw it or load one.{there}", False


def _labelmap(image: Any, vessels: np.ndarray) -> Any:
    """`vessels` as displayed -> oriented image on the voxels of `image`."""
    labelmap = slicer.vtkOrientedImageData()
    labelmap.SetDimensions(vessels.shape[1], vessels.shape[0], 1)
    labelmap.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    vtk_to_numpy(labelmap.GetPointData().GetScalars())[:] = vessels[flipsOf(image)].ravel()
    matrix = vtk.vtkMatrix4x4()
    image.GetIJKToRASMatrix(matrix)
    labelmap.SetGeometryFromImageToWorldMatrix(matrix)
    return labelmap
