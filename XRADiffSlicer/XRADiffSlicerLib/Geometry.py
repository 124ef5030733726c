"""C-arm geometry of a node: from DICOM, from a JSON file or by hand, kept on the node itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import slicer

if TYPE_CHECKING:
    from xradiff.datatypes import Acquisition

ATTRIBUTE = "XRADiffSlicer.Geometry"
FROM_DICOM, FROM_JSON, BY_HAND = "DICOM", "JSON", "hand"
TAGS = ("0018,1510", "0018,1511", "0018,1110", "0018,1111", "0018,1164")


def geometryOf(node: Any, given: Any = None) -> Acquisition:
    """Return how the image in `node` was taken.

    :param given: what the caller knows: an Acquisition, a mapping or a JSON file in any dialect that
      the core reads; None for what is stored on the node or in the DICOM database.
    :raises xradiff.errors.InputError: a number is missing or impossible; says which.
    """
    from xradiff.datatypes import Acquisition
    from xradiff.views import acquisition_from

    if isinstance(given, Acquisition):
        return given
    facts, _origin = factsOf(node) if given is None else (factsFrom(given), BY_HAND)
    return acquisition_from(facts, node.GetName())


def factsFrom(given: Any) -> dict[str, Any]:
    """Return the facts that a mapping or a JSON file holds, under the core's names."""
    from xradiff.views import read_geometry_json
    from xradiff.views.geometry_json import facts_from_mapping

    if isinstance(given, Mapping):
        return facts_from_mapping(given, "the geometry given by hand")
    return read_geometry_json(Path(given))


def factsOf(node: Any) -> tuple[dict[str, Any], str]:
    """Return what is known of the geometry of `node` and where it came from ("" if nothing is known).

    What a user has entered or loaded comes first, then the DICOM header. The facts of a segmentation
    are those of the image it was drawn on.
    """
    for candidate in (node, imageNodeOf(node)):
        if candidate is not None and candidate.GetAttribute(ATTRIBUTE):
            stored = json.loads(candidate.GetAttribute(ATTRIBUTE))
            return stored["facts"], stored["origin"]
    facts = _factsFromDicom(imageNodeOf(node))
    return facts, FROM_DICOM if facts else ""


def storeFacts(node: Any, facts: Mapping[str, Any], origin: str) -> None:
    """Keep `facts` with the node, so that they are saved with the scene."""
    node.SetAttribute(ATTRIBUTE, json.dumps({"facts": dict(facts), "origin": origin}))


def imageNodeOf(node: Any) -> Any:
    """Return the image that a segmentation was drawn on; any other node is its own image."""
    if node is None or not node.IsA("vtkMRMLSegmentationNode"):
        return node
    return node.GetNodeReference(slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole())


def _factsFromDicom(node: Any) -> dict[str, Any]:
    """The five numbers as far as the header of the node's DICOM instance holds them."""
    from xradiff.views.geometry_json import facts_from_mapping

    identifiers = ((node.GetAttribute("DICOM.instanceUIDs") if node is not None else None) or "").split()
    database = getattr(slicer, "dicomDatabase", None)
    if not identifiers or database is None:
        return {}
    file = database.fileForInstance(identifiers[0])
    if not file:
        return {}
    values = {tag: database.fileValue(file, tag) for tag in TAGS}
    return facts_from_mapping({tag: value for tag, value in values.items() if value}, "the DICOM header")


def describeAngles(primaryDeg: float, secondaryDeg: float) -> str:
    """Return the angles as cardiologists write them, for example "RAO 38.6°, CRA 6.2°"."""
    primary = "LAO" if primaryDeg >= 0 else "RAO"
    secondary = "CRA" if secondaryDeg >= 0 else "CAU"
    return f"{primary} {abs(primaryDeg):.1f}°, {secondary} {abs(secondaryDeg):.1f}°"
