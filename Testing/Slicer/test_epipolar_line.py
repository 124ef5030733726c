"""The epipolar line of the cursor: one point seen in both views lies on it, and it is drawn in the right views."""

from __future__ import annotations

import mrml_phantoms as phantoms
import numpy as np
import pytest
import slicer
from XRADiffSlicerLib import Geometry, NodeConversion
from XRADiffSlicerLib.EpipolarLine import NAME, EpipolarLine, epipolarEnds, pixelAt, positionOf

SHAPE = (160, 200)
POINT_LPS = np.array([6.0, -9.0, 4.0])


@pytest.fixture
def views(mrml):
    """Two images of known geometry, each in a slice view of its own."""
    nodes = []
    for name, taken in (("Red", phantoms.LEFT_ANTERIOR), ("Green", phantoms.RIGHT_ANTERIOR)):
        node = mrml.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
        NodeConversion.updateImageFromArray(node, np.zeros(SHAPE, np.uint8))
        facts = {"primary_deg": taken.primary_deg, "secondary_deg": taken.secondary_deg, "sid_mm": taken.sid_mm}
        facts |= {"sod_mm": taken.sod_mm, "pixel_spacing_mm": list(taken.pixel_spacing_mm)}
        Geometry.storeFacts(node, facts, Geometry.BY_HAND)
        nodes.append(node)
        sliceNode, composite = slicer.vtkMRMLSliceNode(), slicer.vtkMRMLSliceCompositeNode()
        for one in (sliceNode, composite):
            one.SetLayoutName(name)
            one.SetSingletonTag(name)
            mrml.AddNode(one)
        composite.SetBackgroundVolumeID(node.GetID())
    return nodes


def seen(index):
    """Row and column of the point in a view."""
    from xradiff.geometry.camera import camera_from

    return camera_from((phantoms.LEFT_ANTERIOR, phantoms.RIGHT_ANTERIOR)[index], SHAPE).project(POINT_LPS)


def distance(point, ends):
    along = (ends[1] - ends[0]) / np.linalg.norm(ends[1] - ends[0])
    return np.linalg.norm(point - ends[0] - (point - ends[0]) @ along * along)


@pytest.mark.parametrize("flip", [(-1, -1), (1, -1), (-1, 1)])
def test_pixel_and_position_are_each_others_inverse(mrml, flip):
    node = mrml.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    slicer.util.updateVolumeFromArray(node, np.zeros((1, 20, 30), np.uint8))
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(np.diag([*flip, 1.0, 1.0])))
    node.SetSpacing(0.3, 0.4, 1)
    assert pixelAt(node, positionOf(node, (3.0, 7.0))) == pytest.approx([3, 7])
    pixels = np.zeros((20, 30), np.uint8)
    pixels[3, 7] = 1
    slicer.util.updateVolumeFromArray(node, pixels[NodeConversion.flipsOf(node)][np.newaxis])
    i, j = np.argwhere(slicer.util.arrayFromVolume(node)[0])[0][::-1]
    matrix = slicer.util.arrayFromVTKMatrix(NodeConversion._ijkToRas(node))
    assert positionOf(node, (3.0, 7.0)) == pytest.approx((matrix @ [i, j, 0, 1])[:3])


@pytest.mark.parametrize("first", [0, 1])
def test_the_same_point_lies_on_the_line(views, first):
    source, target = views[first], views[1 - first]
    ends = epipolarEnds(source, target, positionOf(source, seen(first)))
    assert distance(positionOf(target, seen(1 - first)), ends) < 1e-6
    for end in ends:
        row, column = pixelAt(target, end)
        on = [abs(row + 0.5), abs(row - 159.5), abs(column + 0.5), abs(column - 199.5)]
        assert min(on) < 1e-6, "the line ends at the border of the image"


def test_no_line_for_a_point_outside_of_the_image(views):
    assert epipolarEnds(*views, positionOf(views[0], (-3.0, 5.0))) is None


def lines(mrml):
    return [node for node in mrml.GetNodes() if node.GetName() == NAME and node.IsA("vtkMRMLMarkupsLineNode")]


def test_line_is_drawn_in_the_other_view_alone(views, mrml):
    follower = EpipolarLine()
    follower.follow(views)
    red = mrml.GetNodeByID("vtkMRMLSliceNodeRed")
    follower.draw(red, positionOf(views[0], seen(0)))
    (line,) = lines(mrml)
    assert line.GetDisplayNode().GetVisibility() and not line.GetSaveWithScene()
    assert list(line.GetDisplayNode().GetViewNodeIDs()) == ["vtkMRMLSliceNodeGreen"]
    ends = np.array([line.GetLineStartPosition(), line.GetLineEndPosition()])
    assert distance(positionOf(views[1], seen(1)), ends) < 1e-6
    follower.draw(mrml.GetNodeByID("vtkMRMLSliceNodeGreen"), positionOf(views[1], seen(1)))
    assert len(lines(mrml)) == 2 and not line.GetDisplayNode().GetVisibility()
    follower.draw(None, (0, 0, 0))
    assert not any(one.GetDisplayNode().GetVisibility() for one in lines(mrml))
    follower.stop()
    assert lines(mrml) == []


def test_cursor_is_followed_until_it_is_switched_off(views, mrml):
    crosshair = mrml.AddNewNodeByClass("vtkMRMLCrosshairNode")
    follower = EpipolarLine()
    follower.follow(views)
    drawn = []
    follower.draw = lambda sliceNode, ras: drawn.append((sliceNode, list(ras)))
    crosshair.SetCursorPositionXYZ([5, 6, 0], mrml.GetNodeByID("vtkMRMLSliceNodeRed"))
    assert drawn and drawn[-1][0] is mrml.GetNodeByID("vtkMRMLSliceNodeRed")
    follower.follow(views[:1])
    drawn.clear()
    crosshair.SetCursorPositionXYZ([7, 8, 0], mrml.GetNodeByID("vtkMRMLSliceNodeRed"))
    assert drawn == []


def test_mask_is_shown_over_its_own_image_alone(views):
    from XRADiffSlicerLib import Masks

    mask = Masks.newMask(views[1], 0, np.eye(*SHAPE, dtype=bool))
    Masks.showMaskOfFrame(views[1], 0)
    assert list(mask.GetDisplayNode().GetViewNodeIDs()) == ["vtkMRMLSliceNodeGreen"]


def test_views_without_geometry_have_no_line(views, mrml):
    views[1].RemoveAttribute(Geometry.ATTRIBUTE)
    follower = EpipolarLine()
    follower.follow(views)
    follower.draw(mrml.GetNodeByID("vtkMRMLSliceNodeRed"), positionOf(views[0], seen(0)))
    assert lines(mrml) == []
