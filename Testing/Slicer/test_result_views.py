"""Results beside their angiograms: overlays, layout, cameras, virtual C-arm, colors, export, on real MRML."""

from __future__ import annotations

from types import SimpleNamespace

import mrml_phantoms as phantoms
import numpy as np
import pytest
import slicer
import vtk
from panel_stand_ins import NAMES, Desktop, Views, Widget
from xradiff.datatypes import Acquisition
from xradiff.geometry.camera import camera_from, camera_of
from xradiff.pipeline import reconstruct
from XRADiffSlicerLib import Coloring, Layout, Masks, ResultFiles, ResultViews, SliceViews
from XRADiffSlicerLib.Contents import AGREE, MASK_ONLY, RESULT_ONLY
from XRADiffSlicerLib.Logic import ReconstructionLogic
from XRADiffSlicerLib.NodeConversion import imageFromNode, imageNodeFromView, sparseFromVolume
from XRADiffSlicerLib.Outputs import OutputNodes, fillOutputs
from XRADiffSlicerLib.Parameters import Parameters, SurfaceColoring
from XRADiffSlicerLib.Results import ResultsSection

SHAPE = (160, 200)


@pytest.fixture(scope="module")
def found():
    """A sphere from two sides, with a made-up uncertainty."""
    result = reconstruct(phantoms.sphereViews(SHAPE), method="visual_hull", calibrate_mode="off", spacing_mm=1.0)
    return SimpleNamespace(**{**vars(result), "uncertainty": result.probability})


@pytest.fixture
def nodes(mrml):
    return [imageNodeFromView(view, view.name) for view in phantoms.sphereViews(SHAPE)]


@pytest.fixture
def outputs(found, nodes):
    return fillOutputs(found, nodes[0], views=nodes)


@pytest.fixture
def section(mrml, applicationLogic, outputs):
    said = []
    ui = SimpleNamespace(**{name: Widget() for name in NAMES})
    made = ResultsSection(ui, Desktop(Views(applicationLogic)), said.append)
    parameters = Parameters(mrml.AddNewNodeByClass("vtkMRMLScriptedModuleNode"))
    parameters.outputSegmentation, parameters.outputModel = outputs.segmentation, outputs.model
    parameters.outputProbability, parameters.outputTable = outputs.probability, outputs.table
    made.setParameters(parameters)
    made.said, made.views = said, made.application.views
    return made


# ---- overlays -------------------------------------------------------------------------------


def test_overlay_says_where_mask_and_result_agree(found, nodes, outputs):
    for view, node, overlay in zip(found.views, nodes, outputs.overlays, strict=True):
        labels, mask = imageFromNode(overlay), imageFromNode(node) > 0
        assert set(np.unique(labels)) <= {0, AGREE, MASK_ONLY, RESULT_ONLY}
        np.testing.assert_array_equal((labels == AGREE) | (labels == MASK_ONLY), mask)
        fit = next(fit for fit in outputs.fits if fit.view_name == view.name)
        assert np.mean(labels[mask] == AGREE) == pytest.approx(fit.coverage)
        assert ResultViews.viewOf(overlay) is node
        assert ResultViews.acquisitionOf(overlay) == view.acquisition


@pytest.mark.parametrize("signs", [(-1, -1), (1, -1), (-1, 1), (1, 1)])
def test_overlay_lies_on_its_image_whichever_way_that_is_stored(found, mrml, signs):
    """The pixel on the screen is the same, mirrored storage or not."""
    nodes = [imageNodeFromView(view, view.name) for view in found.views]
    for node in nodes:
        array = slicer.util.arrayFromVolume(node).copy()
        slicer.util.updateVolumeFromArray(node, array[:, :: -signs[1], :: -signs[0]])
        matrix = np.diag([0.3 * signs[0], 0.4 * signs[1], 1.0, 1.0])
        node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(matrix))
    outputs = fillOutputs(found, nodes[0], views=nodes)
    for node, overlay in zip(nodes, outputs.overlays, strict=True):
        labels = imageFromNode(overlay)
        np.testing.assert_array_equal((labels == AGREE) | (labels == MASK_ONLY), imageFromNode(node) > 0)
        assert overlay.GetSpacing() == pytest.approx((0.3, 0.4, 1.0))


def test_overlays_are_filled_again_and_those_too_many_go(found, nodes, outputs):
    count = slicer.mrmlScene.GetNumberOfNodes()
    again = fillOutputs(found, nodes[0], outputs, nodes)
    assert again.overlays == outputs.overlays and slicer.mrmlScene.GetNumberOfNodes() == count
    fewer = fillOutputs(found, nodes[0], outputs, nodes[:1])
    assert fewer.overlays == outputs.overlays[:1] == tuple(ResultViews.overlaysOf(outputs.segmentation))
    assert slicer.mrmlScene.GetNodeByID(outputs.overlays[1].GetID()) is None


def test_calibrated_geometry_is_kept_with_the_overlay(nodes, found):
    shifted = [view.with_acquisition(replaceShift(view.acquisition)) for view in found.views]
    result = SimpleNamespace(**{**vars(found), "views": shifted})
    outputs = fillOutputs(result, nodes[0], views=nodes)
    assert ResultViews.acquisitionOf(outputs.overlays[0]).table_shift_mm == (1.0, -2.0, 3.0)


def replaceShift(taken):
    from dataclasses import replace

    return replace(taken, table_shift_mm=(1.0, -2.0, 3.0))


# ---- layout ---------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_layout_has_a_view_for_each_angiogram(mrml, applicationLogic, count):
    views = Views(applicationLogic)
    views.arrange(Layout.layoutOf(count))
    assert views.layout.GetViewArrangement() == Layout.layoutOf(count)
    root = views.layout.GetLayoutRootElement()
    assert root is not None and root.GetName() == "layout"  # it is well-formed
    for tag in [Layout.viewTag(index) for index in range(count)] + [Layout.VIRTUAL_TAG]:
        assert Layout.compositeOf(tag) is not None
    assert Layout.compositeOf(Layout.viewTag(count)) is None


def test_result_is_shown_beside_its_angiograms(section, nodes, outputs):
    section.parameters.overlayOpacity = 0.4
    section.onLayout()
    assert section.application.layouts == [2]
    for index, (node, overlay) in enumerate(zip(nodes, outputs.overlays, strict=True)):
        composite = Layout.compositeOf(Layout.viewTag(index))
        assert composite.GetBackgroundVolumeID() == node.GetID()
        assert composite.GetLabelVolumeID() == overlay.GetID()
        assert composite.GetLabelOpacity() == 0.4
        shown = section.views.logic.GetSliceLogicByLayoutName(Layout.viewTag(index)).GetSliceNode()
        assert shown.GetOrientation() == "Axial" and shown.GetSliceOffset() == pytest.approx(0)
    section.parameters.overlayOpacity = 0.9
    section.refresh()
    assert Layout.compositeOf("XRADiff1").GetLabelOpacity() == 0.9
    virtual = outputs.segmentation.GetNodeReference(ResultViews.VIRTUAL_ROLE)
    assert Layout.compositeOf(Layout.VIRTUAL_TAG).GetBackgroundVolumeID() == virtual.GetID()


def test_mask_gives_way_to_the_overlay_that_shows_it(section, nodes):
    drawn = Masks.newMask(nodes[0], 0, imageFromNode(nodes[0]) > 0)
    view = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "a view itself")
    view.CreateDefaultDisplayNodes()
    view.SetReferenceImageGeometryParameterFromVolumeNode(nodes[1])
    section.onLayout()
    assert [list(node.GetDisplayNode().GetViewNodeIDs()) for node in (drawn, view)] == [[SliceViews.THREE_D]] * 2
    section.parameters.overlayOpacity = 0.0
    section.refresh()
    for node, tag in ((drawn, "XRADiff1"), (view, "XRADiff2")):
        assert list(node.GetDisplayNode().GetViewNodeIDs()) == [f"vtkMRMLSliceNode{tag}"]
    section.parameters.overlayOpacity = 0.5
    section.refresh()
    assert list(drawn.GetDisplayNode().GetViewNodeIDs()) == [SliceViews.THREE_D]
    Layout.compositeOf("XRADiff1").SetLabelVolumeID(None)
    Masks.showMaskOfFrame(nodes[0], 0)
    assert list(drawn.GetDisplayNode().GetViewNodeIDs()) == ["vtkMRMLSliceNodeXRADiff1"]


def test_slice_view_draws_the_overlay_and_not_the_mask_below_it(section, nodes, outputs):
    """Drawn by Slicer's own slice logic and displayable managers."""
    from slice_view import drawn

    Masks.newMask(nodes[0], 0, imageFromNode(nodes[0]) > 0)
    section.parameters.overlayOpacity = 0.5
    section.onLayout()
    labels, image = imageFromNode(outputs.overlays[0]), imageFromNode(nodes[0])
    picture = drawn(section.views.logic, "XRADiff1", SHAPE)
    at = labels == AGREE  # medians: Slicer smooths the image at the border of the mask
    expected = 0.5 * np.array(ResultViews.COLORS[AGREE][1]) + 0.5 * 255
    np.testing.assert_allclose(np.median(picture[at], axis=0), expected, atol=2)
    assert np.median(image[at]) == 255
    section.parameters.overlayOpacity = 0.0
    section.refresh()
    there = drawn(section.views.logic, "XRADiff1", SHAPE)[image > 0]
    red, green, _blue = np.median(there, axis=0)
    assert red > green + 10, "without the overlay the mask is seen again"


def test_without_a_main_window_the_layout_stays(section):
    section.application.views = None
    section.onLayout()
    section.onCamera()
    assert Layout.compositeOf(Layout.viewTag(0)) is None


def test_a_deleted_angiogram_leaves_its_view_empty(section, nodes, mrml):
    section.onLayout()
    mrml.RemoveNode(nodes[0])
    section.onLayout()
    assert Layout.compositeOf("XRADiff1").GetBackgroundVolumeID() is None
    assert Layout.compositeOf("XRADiff2").GetBackgroundVolumeID() == nodes[1].GetID()


# ---- cameras --------------------------------------------------------------------------------


def pixelsThrough(node, shape, pointsLps):
    """Where a 3D view of `shape` (rows, columns) draws points: (N, 2) row, column."""
    rows, columns = shape
    matrix = node.GetCamera().GetCompositeProjectionTransformMatrix(columns / rows, -1, 1)
    matrix = slicer.util.arrayFromVTKMatrix(matrix)
    ras = np.c_[np.atleast_2d(pointsLps) * [-1, -1, 1], np.ones(len(np.atleast_2d(pointsLps)))]
    clip = ras @ matrix.T
    clip = clip[:, :2] / clip[:, 3:]
    return np.stack([(1 - clip[:, 1]) / 2 * rows - 0.5, (1 + clip[:, 0]) / 2 * columns - 0.5], axis=-1)


@pytest.mark.parametrize("angles", [(0, 0), (35, -20), (-50, 30), (90, 0), (-12, 40)])
def test_camera_shows_the_angiogram(mrml, angles):
    """Exact in the plane through the isocenter, off by the share of the distance from it elsewhere."""
    taken = Acquisition(*angles, 1050.0, 740.0, (0.3, 0.3), detector_offset_mm=(4.0, -6.0), table_shift_mm=(1, 2, 3))
    camera = mrml.AddNewNodeByClass("vtkMRMLCameraNode")
    ResultViews.putCamera(camera, taken, (512, 400))
    carm = camera_from(taken, (512, 400))
    plane = carm.source + taken.sod_mm * carm.d
    offsets = np.array([[0, 0], [30, 10], [-25, 40], [10, -45]])
    flat = plane + offsets[:, :1] * carm.u + offsets[:, 1:] * carm.v
    np.testing.assert_allclose(pixelsThrough(camera, (512, 400), flat), carm.project(flat), atol=1e-6)
    deep = flat + 40 * carm.d
    error = np.linalg.norm(pixelsThrough(camera, (512, 400), deep) - carm.project(deep), axis=1)
    fromCentralRay = np.linalg.norm(carm.project(flat) - carm.principal_point, axis=1)
    assert np.all(error <= 40 / 740 * fromCentralRay + 1e-6)


def test_camera_choice_moves_the_camera(section, outputs):
    section.refresh()
    texts = [text for text, _data in section.ui.cameraSelector.items]
    assert texts == ["Free", "View 1: LAO 35.0°, CAU 8.0°", "View 2: RAO 40.0°, CRA 12.0°", "Virtual C-arm"]
    before = section.views.camera.GetPosition()
    section.ui.cameraSelector.setCurrentIndex(0)
    assert section.views.camera.GetPosition() == before
    section.ui.cameraSelector.setCurrentIndex(2)
    direction = camera_of(phantoms.sphereViews(SHAPE)[1]).d * [-1, -1, 1]
    camera = section.views.camera
    seen = np.array(camera.GetPosition()) - camera.GetFocalPoint()
    np.testing.assert_allclose(seen / np.linalg.norm(seen), direction, atol=1e-9)
    section.parameters.virtualPrimaryDeg = 77.0
    section.refresh()
    np.testing.assert_allclose(np.array(camera.GetPosition()) - camera.GetFocalPoint(), seen)
    section.ui.cameraSelector.setCurrentIndex(3)
    section.parameters.virtualPrimaryDeg = 90.0
    section.parameters.virtualSecondaryDeg = 0.0
    section.refresh()
    side = np.array(camera.GetPosition()) - camera.GetFocalPoint()
    np.testing.assert_allclose(side / np.linalg.norm(side), [-1, 0, 0], atol=1e-9)  # LAO 90: from the patient's left


# ---- virtual C-arm --------------------------------------------------------------------------


def test_virtual_arm_at_a_view_draws_what_the_overlay_has(section, found, outputs):
    first = found.views[0].acquisition
    section.parameters.virtualPrimaryDeg, section.parameters.virtualSecondaryDeg = (
        first.primary_deg,
        first.secondary_deg,
    )
    section.refresh()
    virtual = outputs.segmentation.GetNodeReference(ResultViews.VIRTUAL_ROLE)
    labels = imageFromNode(outputs.overlays[0])
    np.testing.assert_array_equal(imageFromNode(virtual) > 0, (labels == AGREE) | (labels == RESULT_ONLY))
    assert virtual.GetName() == "Virtual C-arm LAO 35.0°, CAU 8.0°"
    count = slicer.mrmlScene.GetNumberOfNodes()
    section.parameters.virtualPrimaryDeg = -20.0
    section.refresh()
    assert slicer.mrmlScene.GetNumberOfNodes() == count
    assert np.any(imageFromNode(virtual) != ((labels == AGREE) | (labels == RESULT_ONLY)))


def test_voxels_of_the_segmentation_come_back(found, outputs):
    vessels = ResultViews.sparseFromSegmentation(outputs.segmentation)

    def sorted3(points):
        return points[np.lexsort(np.round(points, 3).T)]

    np.testing.assert_allclose(
        sorted3(vessels.points_lps_mm()), sorted3(found.segmentation.points_lps_mm()), atol=1e-6
    )
    assert ResultViews.sparseFromSegmentation(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")) is None


def test_edited_segmentation_is_drawn_anew(section, outputs):
    section.refresh()
    first = section._vesselsOf(outputs.segmentation)
    assert section._vesselsOf(outputs.segmentation) is first
    outputs.segmentation.GetSegmentation().RemoveAllSegments()
    assert section._vesselsOf(outputs.segmentation) is None


# ---- colors ---------------------------------------------------------------------------------


def test_uncertainty_colors_the_surface(section, outputs):
    model, segmentation = outputs.model.GetDisplayNode(), outputs.segmentation.GetDisplayNode()
    assert section.ui.coloringSelector.enabled
    section.parameters.surfaceColoring = SurfaceColoring.UNCERTAINTY
    section.refresh()
    assert model.GetVisibility() and model.GetScalarVisibility() and not segmentation.GetVisibility3D()
    assert model.GetActiveScalarName() == Coloring.SPREAD and model.GetScalarRange() == (0, 0.5)
    color = [0.0] * 4
    table = model.GetColorNode()
    table.GetColor(table.GetNumberOfColors() - 1, color)
    assert np.allclose(color[:3], np.array(Coloring.ANCHORS[-1]) / 255, atol=1e-3)
    legend = slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(outputs.model)
    assert legend is not None and legend.GetVisibility()
    section.parameters.surfaceColoring = SurfaceColoring.PLAIN
    section.refresh()
    assert not model.GetVisibility() and segmentation.GetVisibility3D() and not legend.GetVisibility()


def test_surface_without_samples_cannot_be_colored(section, found, nodes, outputs):
    plain = SimpleNamespace(**{**vars(found), "uncertainty": None})
    fillOutputs(plain, nodes[0], outputs, nodes)
    section.refresh()
    assert not section.ui.coloringSelector.enabled and not Coloring.hasSpread(outputs.model)


# ---- measurements ---------------------------------------------------------------------------


def test_measurements_are_those_of_the_sphere(section, found, outputs, nodes):
    """The hull of two views of a sphere of 5 mm: as high as the sphere, one part, larger than it by little."""
    table = outputs.measurements
    rows = {table.GetCellText(row, 0): row for row in range(table.GetNumberOfRows())}
    value = {name: float(table.GetCellText(row, 1)) for name, row in rows.items()}
    assert [table.GetColumnName(column) for column in range(3)] == ["Quantity", "Value", "Unit"]
    assert table.GetCellText(rows["Volume"], 2) == "mm³"
    sphere = 4 / 3 * np.pi * phantoms.SPHERE_RADIUS**3
    assert sphere < value["Volume"] < 2 * sphere
    assert 4 * np.pi * phantoms.SPHERE_RADIUS**2 < value["Surface area"] < 8 * np.pi * phantoms.SPHERE_RADIUS**2
    assert (value["Connected parts"], value["Share of the largest part"]) == (1, 100)
    assert value["Extent foot to head"] == pytest.approx(2 * phantoms.SPHERE_RADIUS, abs=2)
    assert section.application.shown == [outputs.table, table]
    assert fillOutputs(found, nodes[0], outputs, nodes).measurements is table, "filled again, not made again"


# ---- export ---------------------------------------------------------------------------------


def test_export_writes_what_is_ticked(section, outputs, found, tmp_path):
    ResultViews.fillReport(outputs.segmentation, "<p>Käthe</p>")
    folder = tmp_path / "für Käthe"
    folder.mkdir()
    section.application.folder = str(folder)
    section.onExport()
    assert sorted(path.name for path in folder.iterdir()) == [
        "measurements.csv", "measurements.schema.csv", "probability.nrrd", "report.html", "reprojection.csv",
        "reprojection.schema.csv", "segmentation.seg.nrrd", "surface.stl", "surface.vtp", "uncertainty.nrrd",
    ]  # fmt: skip
    assert section.said[0].startswith("Exported probability.nrrd")
    assert (folder / "report.html").read_text(encoding="utf-8") == "<p>Käthe</p>"
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
    storage.SetFileName(str(folder / "probability.nrrd"))
    assert storage.ReadData(node)
    np.testing.assert_allclose(sparseFromVolume(node).points_lps_mm(), found.probability.points_lps_mm(), atol=1e-4)
    reader = vtk.vtkXMLPolyDataReader()
    reader.SetFileName(str(folder / "surface.vtp"))
    reader.Update()
    np.testing.assert_allclose(
        np.array(reader.GetOutput().GetBounds()).reshape(3, 2).mean(axis=1), phantoms.SPHERE_CENTRE, atol=0.5
    )


def test_export_leaves_out_what_is_not_ticked(section, tmp_path):
    for word in ("Volume", "Segmentation", "Report"):
        getattr(section.ui, f"export{word}CheckBox").checked = False
    section.application.folder = str(tmp_path)
    section.onExport()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["surface.stl", "surface.vtp"]


def test_export_into_a_folder_that_is_not_there_says_so(section, tmp_path):
    section.application.folder = str(tmp_path / "nowhere")
    with vtkSilent():
        section.onExport()
    assert "could not be written" in section.said[0]
    section.application.folder = ""
    section.onExport()
    assert len(section.said) == 1


def vtkSilent():
    from contextlib import contextmanager

    @contextmanager
    def quiet():
        before = vtk.vtkObject.GetGlobalWarningDisplay()
        vtk.vtkObject.SetGlobalWarningDisplay(0)
        try:
            yield
        finally:
            vtk.vtkObject.SetGlobalWarningDisplay(before)

    return quiet()


def test_exports_are_listed_for_every_storage():
    assert {kind for kind, _field, _storage in ResultFiles.STORAGES.values()} == {
        ResultFiles.VOLUME, ResultFiles.SEGMENTATION, ResultFiles.SURFACE, ResultFiles.REPORT,
    }  # fmt: skip


def test_console_result_has_overlays(mrml):
    views = phantoms.sphereViews(SHAPE)
    nodes = [imageNodeFromView(view, view.name) for view in views]
    outputs = ReconstructionLogic().reconstruct(
        [node.GetName() for node in nodes], [view.acquisition for view in views], method="visual_hull", spacingMm=1.0
    )
    assert len(outputs.overlays) == 2 and isinstance(outputs, OutputNodes)
