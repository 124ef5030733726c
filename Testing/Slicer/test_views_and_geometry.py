"""What a node knows of its C-arm geometry, and which image of a sequence is used."""

from __future__ import annotations

import json

import mrml_phantoms as phantoms
import numpy as np
import pytest
import slicer
from xradiff.datatypes import Acquisition
from xradiff.errors import InputError
from XRADiffSlicerLib import Geometry, NodeConversion, Views

NUMBERS = {"alpha": 39.2, "beta": -7.9, "sid": 1074, "sod": 749, "spacing": 0.308}
TAKEN = Acquisition(39.2, -7.9, 1074, 749, (0.308, 0.308))


def imageNode(pixels=None, name="angiogram"):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    NodeConversion.updateImageFromArray(node, np.eye(6, dtype=np.uint8) if pixels is None else pixels)
    return node


class Database:
    """Stands for slicer.dicomDatabase."""

    def __init__(self, values):
        self.values = values

    def fileForInstance(self, uid):
        return f"{uid}.dcm" if uid == "1.2.3" else ""

    def fileValue(self, _file, tag):
        return self.values.get(tag, "")


HEADER = {
    "0018,1510": "39.2", "0018,1511": "-7.9", "0018,1110": "1074", "0018,1111": "749", "0018,1164": "0.308\\0.308"
}  # fmt: skip


@pytest.fixture
def dicomNode(mrml, monkeypatch):
    monkeypatch.setattr(slicer, "dicomDatabase", Database(HEADER), raising=False)
    node = imageNode()
    node.SetAttribute("DICOM.instanceUIDs", "1.2.3")
    return node


@pytest.mark.parametrize("given", [NUMBERS, TAKEN], ids=["mapping", "acquisition"])
def test_geometry_given_by_hand(mrml, given):
    assert Geometry.geometryOf(imageNode(), given) == TAKEN


def test_geometry_from_a_json_file(mrml, tmp_path):
    path = tmp_path / "görlitz view.json"
    path.write_text(json.dumps(NUMBERS))
    assert Geometry.geometryOf(imageNode(), path) == TAKEN


def test_geometry_from_the_dicom_database(dicomNode):
    assert Geometry.geometryOf(dicomNode) == TAKEN
    assert Geometry.factsOf(dicomNode)[1] == Geometry.FROM_DICOM


def test_geometry_on_the_node_comes_before_dicom(dicomNode):
    Geometry.storeFacts(dicomNode, {**Geometry.factsOf(dicomNode)[0], "sid_mm": 1000.0}, Geometry.BY_HAND)
    assert Geometry.geometryOf(dicomNode).sid_mm == 1000
    assert Geometry.factsOf(dicomNode)[1] == Geometry.BY_HAND


def test_header_without_a_number_says_which(dicomNode):
    slicer.dicomDatabase.values = {tag: value for tag, value in HEADER.items() if tag != "0018,1111"}
    with pytest.raises(InputError, match=r"angiogram lacks the SOD"):
        Geometry.geometryOf(dicomNode)


def test_image_that_is_not_in_the_database_has_no_geometry(dicomNode):
    dicomNode.SetAttribute("DICOM.instanceUIDs", "9.9.9")
    assert Geometry.factsOf(dicomNode) == ({}, "")


def test_segmentation_has_the_geometry_of_its_image(dicomNode):
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(dicomNode)
    assert Geometry.geometryOf(segmentation) == TAKEN


def test_facts_survive_saving_the_node(mrml):
    node = imageNode()
    Geometry.storeFacts(node, {"primary_deg": 1.5, "pixel_spacing_mm": (0.2, 0.3)}, Geometry.FROM_JSON)
    copy = slicer.vtkMRMLScalarVolumeNode()
    copy.Copy(node)
    assert Geometry.factsOf(copy) == ({"primary_deg": 1.5, "pixel_spacing_mm": [0.2, 0.3]}, Geometry.FROM_JSON)


def test_angles_are_written_as_cardiologists_do():
    assert Geometry.describeAngles(-38.6, 6.2) == "RAO 38.6°, CRA 6.2°"
    assert Geometry.describeAngles(39.2, -7.9) == "LAO 39.2°, CAU 7.9°"


def test_sequence_gives_the_frame_shown_or_the_one_asked_for(mrml):
    sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "run")
    for frame in range(3):
        node = slicer.vtkMRMLScalarVolumeNode()
        NodeConversion.updateImageFromArray(node, np.full((2, 3), 10 + frame, np.uint8))
        sequence.SetDataNodeAtValue(node, str(frame))
    browser = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode")
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    proxy = browser.GetProxyNode(sequence)
    browser.SetSelectedItemNumber(1)
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
    shown = Views.viewFromNode(proxy, NUMBERS)
    assert (shown.frame, shown.pixels[0, 0]) == (1, 11)
    asked = Views.viewFromNode(proxy, NUMBERS, frame=2)
    assert (asked.frame, asked.pixels[0, 0]) == (2, 12)
    with pytest.raises(ValueError, match="frames 0 to 2, got 5"):
        Views.viewFromNode(proxy, NUMBERS, frame=5)


def test_views_by_node_or_by_name(mrml):
    imageNode(name="A")
    views = Views.viewsFromNodes(["A", imageNode(name="B")], [NUMBERS, NUMBERS])
    assert [view.name for view in views] == ["A", "B"]


@pytest.mark.parametrize(
    ("nodes", "geometry", "message"),
    [(["A"], None, "two or more views"), (["A", "A"], [NUMBERS], "one entry for each"),
     (["A", "nobody"], None, "no node called 'nobody'"), (["A", None], None, "not chosen")],
)  # fmt: skip
def test_wrong_calls_are_refused(mrml, nodes, geometry, message):
    Geometry.storeFacts(imageNode(name="A"), factsByHand(), Geometry.BY_HAND)
    with pytest.raises(ValueError, match=message):
        Views.viewsFromNodes(nodes, geometry)


def factsByHand():
    taken = phantoms.LEFT_ANTERIOR
    return {
        "primary_deg": taken.primary_deg, "secondary_deg": taken.secondary_deg, "sid_mm": taken.sid_mm,
        "sod_mm": taken.sod_mm, "pixel_spacing_mm": list(taken.pixel_spacing_mm),
    }  # fmt: skip
