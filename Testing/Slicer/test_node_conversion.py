"""Nodes and the core's types hold the same thing at the same place."""

from __future__ import annotations

import mrml_phantoms as phantoms
import numpy as np
import pytest
import slicer
import vtk
from xradiff.datatypes import SparseVolume, VolumeGrid
from XRADiffSlicerLib import NodeConversion as conversion


def add(className, name="node"):
    return slicer.mrmlScene.AddNewNodeByClass(className, name)


def rasOfVoxels(node):
    """World positions of the non-zero voxels of a volume node, straight from MRML."""
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    kji = np.argwhere(slicer.util.arrayFromVolume(node) > 0)
    ijk1 = np.insert(kji[:, ::-1].astype(float), 3, 1, axis=1)
    return (ijk1 @ slicer.util.arrayFromVTKMatrix(matrix).T)[:, :3]


def toLps(ras):
    return ras * [-1, -1, 1]


def sortedRows(points):
    return np.array(sorted(map(tuple, np.round(points, 6))))


def test_one_voxel_lands_where_the_core_says(mrml):
    grid = VolumeGrid((5, 6, 7), (0.5, 0.75, 2.0), (10.0, -20.0, 30.0))
    voxel = SparseVolume(grid, np.array([[1, 2, 3]], np.int32), np.array([0.25], np.float32))
    node = add("vtkMRMLScalarVolumeNode")
    phantoms.fillVolume(node, voxel)
    # x = 10 + 0.5 to the left, y = -20 + 1.5 to posterior, z = 30 + 6 up; RAS negates x and y
    np.testing.assert_allclose(rasOfVoxels(node), [[-10.5, 18.5, 36.0]])
    assert slicer.util.arrayFromVolume(node).max() == np.float32(0.25)
    assert node.GetSpacing() == (0.5, 0.75, 2.0)


def test_volume_round_trip(mrml):
    node = add("vtkMRMLScalarVolumeNode")
    phantoms.fillVolume(node, phantoms.corner())
    back = conversion.sparseFromVolume(node)
    np.testing.assert_allclose(back.points_lps_mm(), phantoms.corner().points_lps_mm())
    np.testing.assert_array_equal(back.values, phantoms.corner().values)


def test_volume_of_another_program_is_read_at_its_place(mrml):
    """Axes that run to right and anterior (RAS) are turned, not misread."""
    node = add("vtkMRMLScalarVolumeNode")
    array = np.zeros((4, 5, 6), np.float32)
    array[1, 2, 4] = 1
    slicer.util.updateVolumeFromArray(node, array)
    node.SetSpacing(2, 3, 4)
    node.SetOrigin(-7, 8, 9)
    back = conversion.sparseFromVolume(node)
    np.testing.assert_allclose(back.points_lps_mm(), [[7 - 8, -8 - 6, 9 + 4]])


def test_oblique_volume_is_refused(mrml):
    node = add("vtkMRMLScalarVolumeNode", "tilted")
    slicer.util.updateVolumeFromArray(node, np.ones((2, 2, 2), np.float32))
    node.SetIJKToRASDirections(0.8, -0.6, 0, 0.6, 0.8, 0, 0, 0, 1)
    with pytest.raises(ValueError, match="tilted is oblique"):
        conversion.sparseFromVolume(node)


def test_segmentation_covers_exactly_the_voxels(mrml):
    volume, segmentation = add("vtkMRMLScalarVolumeNode"), add("vtkMRMLSegmentationNode")
    phantoms.fillVolume(volume, phantoms.corner())
    phantoms.fillSegmentation(segmentation, phantoms.corner())
    name = segmentation.GetSegmentation().GetNthSegmentID(0)
    segment = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, name, volume)
    np.testing.assert_array_equal(segment > 0, slicer.util.arrayFromVolume(volume) > 0)


def test_segment_says_what_it_is(mrml):
    segmentation = add("vtkMRMLSegmentationNode")
    phantoms.fillSegmentation(segmentation, phantoms.corner())
    segment = segmentation.GetSegmentation().GetNthSegment(0)
    tag = vtk.reference("")
    assert segment.GetTag(segment.GetTerminologyEntryTagName(), tag)
    assert "41801008^Coronary artery" in str(tag)
    assert str(tag).count("~") == 6


def test_segmentation_again_replaces_only_our_segment(mrml):
    segmentation = add("vtkMRMLSegmentationNode")
    segmentation.GetSegmentation().AddEmptySegment("mine", "mine")
    for _ in range(2):
        phantoms.fillSegmentation(segmentation, phantoms.corner())
    assert segmentation.GetSegmentation().GetNumberOfSegments() == 2
    assert segmentation.GetSegmentation().GetSegment("mine") is not None


def test_segmentation_surface_lies_around_the_voxels(mrml):
    segmentation = add("vtkMRMLSegmentationNode")
    phantoms.fillSegmentation(segmentation, phantoms.corner())
    segmentation.CreateClosedSurfaceRepresentation()
    surface = vtk.vtkPolyData()
    segmentation.GetClosedSurfaceRepresentation(segmentation.GetSegmentation().GetNthSegmentID(0), surface)
    bounds = np.array(surface.GetBounds()).reshape(3, 2)
    points = phantoms.corner().points_lps_mm() * [-1, -1, 1]
    np.testing.assert_allclose(bounds[:, 0], points.min(axis=0), atol=0.5)
    np.testing.assert_allclose(bounds[:, 1], points.max(axis=0), atol=0.5)


def test_model_lands_at_the_same_place_and_looks_outwards(mrml):
    node = add("vtkMRMLModelNode")
    phantoms.fillModel(node, phantoms.tetrahedron())
    np.testing.assert_allclose(node.GetPolyData().GetBounds(), [-11, -1, -7, -2, 3, 23])
    mass = vtk.vtkMassProperties()
    mass.SetInputData(node.GetPolyData())
    np.testing.assert_allclose(mass.GetVolume(), 10 * 5 * 20 / 6, rtol=1e-5)
    back = conversion.meshFromModel(node)
    np.testing.assert_allclose(back.vertices_lps_mm, phantoms.tetrahedron().vertices_lps_mm)
    np.testing.assert_array_equal(back.triangles, phantoms.tetrahedron().triangles)
    normals = slicer.util.arrayFromModelPointData(node, "Normals")
    outwards = slicer.util.arrayFromModelPoints(node) - slicer.util.arrayFromModelPoints(node).mean(axis=0)
    assert np.all(np.sum(normals * outwards, axis=1) > 0)


def test_volume_segmentation_and_model_agree(mrml):
    volume, model = add("vtkMRMLScalarVolumeNode"), add("vtkMRMLModelNode")
    phantoms.fillVolume(volume, phantoms.corner())
    points = phantoms.corner().points_lps_mm()
    mesh = phantoms.tetrahedron()
    moved = type(mesh)(points[[0, 50, 200, -1]], mesh.triangles)
    phantoms.fillModel(model, moved)
    for point in slicer.util.arrayFromModelPoints(model):
        assert np.min(np.linalg.norm(rasOfVoxels(volume) - point, axis=1)) < 1e-5


def test_table_has_a_row_for_each_view(mrml):
    node = add("vtkMRMLTableNode")
    for _ in range(2):
        conversion.updateTableFromFits(node, phantoms.fits())
    assert (node.GetNumberOfRows(), node.GetNumberOfColumns()) == (2, 6)
    assert [node.GetCellText(row, 0) for row in (0, 1)] == ["view 0", "view 1"]
    np.testing.assert_allclose(slicer.util.arrayFromTableColumn(node, "Coverage"), [0.99, 0.98])


# ---- images ---------------------------------------------------------------------------------

IMAGE = np.arange(12, dtype=np.uint8).reshape(3, 4)


AS_READ = np.diag([-1.0, -1, 1, 1])


def imageNode(array, matrix=AS_READ, className="vtkMRMLScalarVolumeNode"):
    node = add(className, "image")
    slicer.util.updateVolumeFromArray(node, array)
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(matrix))
    return node


def test_image_round_trip(mrml):
    node = add("vtkMRMLScalarVolumeNode")
    conversion.updateImageFromArray(node, IMAGE)
    np.testing.assert_array_equal(conversion.imageFromNode(node), IMAGE)


@pytest.mark.parametrize(
    ("toRight", "toAnterior", "expected"),
    [(-1, -1, IMAGE), (1, -1, IMAGE[:, ::-1]), (-1, 1, IMAGE[::-1]), (1, 1, IMAGE[::-1, ::-1])],
)
def test_image_is_read_as_the_slice_view_shows_it(mrml, toRight, toAnterior, expected):
    node = imageNode(IMAGE[None], np.diag([toRight * 0.2, toAnterior * 0.2, 1, 1]))
    np.testing.assert_array_equal(conversion.imageFromNode(node), expected)


def test_file_read_by_slicers_reader_keeps_the_top_row_on_top(mrml, tmp_path):
    """Slicer's own storage node, on the image that ITK makes of a PNG (its top row first).

    slicer-core reads NRRD but has no PNG reader; both go through the same ITK image.
    """
    import SimpleITK as sitk

    sitk.WriteImage(sitk.GetImageFromArray(IMAGE), str(tmp_path / "top.png"))
    sitk.WriteImage(sitk.ReadImage(str(tmp_path / "top.png")), str(tmp_path / "top.nrrd"))
    node = add("vtkMRMLScalarVolumeNode")
    storage = add("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName(str(tmp_path / "top.nrrd"))
    assert storage.ReadData(node)
    np.testing.assert_array_equal(conversion.imageFromNode(node), IMAGE)


def test_dicom_read_by_slicers_reader_keeps_the_top_row_on_top(mrml, tmp_path):
    pytest.importorskip("pydicom")
    writeXa(tmp_path / "xa.dcm", np.stack([IMAGE, IMAGE + 100]))
    node = add("vtkMRMLScalarVolumeNode")
    storage = add("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName(str(tmp_path / "xa.dcm"))
    storage.SetSingleFile(1)
    assert storage.ReadData(node)
    np.testing.assert_array_equal(conversion.imageFromNode(node, 0), IMAGE)
    np.testing.assert_array_equal(conversion.imageFromNode(node, 1), IMAGE + 100)


def writeXa(path, frames):
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, XRayAngiographicImageStorage, generate_uid

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = XRayAngiographicImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    data.StudyInstanceUID, data.SeriesInstanceUID, data.Modality = generate_uid(), generate_uid(), "XA"
    data.NumberOfFrames, data.Rows, data.Columns = frames.shape
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PixelRepresentation = 1, "MONOCHROME2", 0
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit = 7
    data.ImagerPixelSpacing = [0.3, 0.3]
    data.FrameTime = 66
    data.FrameIncrementPointer = 0x00181063
    data.PixelData = frames.astype(np.uint8).tobytes()
    data.save_as(str(path), enforce_file_format=True)


def test_equal_colour_channels_are_one_grey_image(mrml):
    node = imageNode(np.repeat(IMAGE[None, ..., None], 3, axis=-1), className="vtkMRMLVectorVolumeNode")
    np.testing.assert_array_equal(conversion.imageFromNode(node), IMAGE)


def test_colour_image_is_refused(mrml):
    colors = np.stack([IMAGE, IMAGE + 1, IMAGE], axis=-1)
    node = imageNode(colors[None], className="vtkMRMLVectorVolumeNode")
    with pytest.raises(conversion.InputNodeError, match="color image"):
        conversion.imageFromNode(node)


def test_several_slices_need_a_choice(mrml):
    node = imageNode(np.stack([IMAGE, IMAGE + 20]))
    with pytest.raises(conversion.InputNodeError, match="has 2 slices"):
        conversion.imageFromNode(node)
    np.testing.assert_array_equal(conversion.imageFromNode(node, 1), IMAGE + 20)
    with pytest.raises(conversion.InputNodeError, match="frames 0 to 1, got frame 2"):
        conversion.imageFromNode(node, 2)


def test_empty_node_is_refused(mrml):
    with pytest.raises(conversion.InputNodeError, match="hollow holds no image"):
        conversion.imageFromNode(add("vtkMRMLScalarVolumeNode", "hollow"))


def test_drawn_segments_are_read_as_one_mask(mrml):
    image = add("vtkMRMLScalarVolumeNode")
    conversion.updateImageFromArray(image, np.zeros((6, 8), np.uint8))
    segmentation = add("vtkMRMLSegmentationNode")
    segmentation.CreateDefaultDisplayNodes()
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(image)
    expected = np.zeros((6, 8), bool)
    for number, (row, column) in enumerate([(1, 2), (4, 7)]):
        name = segmentation.GetSegmentation().AddEmptySegment(f"part{number}")
        drawn = np.zeros((1, 6, 8), np.uint8)
        drawn[0, row, column - 1 : column + 1] = 1
        slicer.util.updateSegmentBinaryLabelmapFromArray(drawn, segmentation, name, image)
        expected |= drawn[0] > 0
    np.testing.assert_array_equal(conversion.maskFromSegmentation(segmentation), expected)


def test_segmentation_without_image_or_segment_is_refused(mrml):
    segmentation = add("vtkMRMLSegmentationNode", "lonely")
    with pytest.raises(conversion.InputNodeError, match="lonely has no source volume"):
        conversion.maskFromSegmentation(segmentation)
    image = add("vtkMRMLScalarVolumeNode")
    conversion.updateImageFromArray(image, IMAGE)
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(image)
    with pytest.raises(conversion.InputNodeError, match="has no segment"):
        conversion.maskFromSegmentation(segmentation)
