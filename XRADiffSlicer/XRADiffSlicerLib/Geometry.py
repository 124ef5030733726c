"""C-arm geometry of a node: from DICOM, from a JSON file or by hand, kept on the node itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import slicer

from .Runs import dicomFileOf, headerOf, homeOf

if TYPE_CHECKING:
    from xradiff.datatypes import Acquisition

ATTRIBUTE = "XRADiffSlicer.Geometry"
FROM_DICOM, FROM_JSON, BY_HAND = "DICOM", "JSON", "hand"
TAGS = ("0018,1510", "0018,1511", "0018,1110", "0018,1111", "0018,1164")


def geometryOf(node: Any, given: Any = None, frame: int | None = None) -> Acquisition:
    """Return how the image in `node` was taken.

    :param given: what the caller knows: an Acquisition, a mapping or a JSON file in any dialect that
      the core reads; None for what is stored on the node or in the DICOM database.
    :param frame: of a run whose C-arm moved; None for the first.
    :raises xradiff.errors.InputError: a number is missing or impossible; says which.
    """
    from xradiff.datatypes import Acquisition
    from xradiff.views import acquisition_from

    if isinstance(given, Acquisition):
        return given
    facts, _origin = factsOf(node, frame) if given is None else (factsFrom(given), BY_HAND)
    return acquisition_from(facts, node.GetName())


def factsFrom(given: Any) -> dict[str, Any]:
    """Return the facts that a mapping or a JSON file holds, under the core's names."""
    from xradiff.views import read_geometry_json
    from xradiff.views.geometry_json import facts_from_mapping

    if isinstance(given, Mapping):
        return facts_from_mapping(given, "the geometry given by hand")
    return read_geometry_json(Path(given))


def factsOf(node: Any, frame: int | None = None) -> tuple[dict[str, Any], str]:
    """Return what is known of the geometry of `node` and where it came from ("" if nothing is known).

    What a user has entered or loaded comes first, then the DICOM header. The facts of a segmentation
    are those of the image it was drawn on. Of several origins the one with a user in it is told; `originsOf`
    tells them all.
    """
    facts, origins = _known(node, frame or 0)
    told = next((origin for origin in (BY_HAND, FROM_JSON, FROM_DICOM) if origin in origins.values()), "")
    return facts, told


def originsOf(node: Any, frame: int | None = None) -> dict[str, str]:
    """Return where each fact of `node` came from."""
    return _known(node, frame or 0)[1]


def storeFacts(node: Any, facts: Mapping[str, Any], origin: str | Mapping[str, str]) -> None:
    """Keep `facts` with the node (of a run with its sequence), so that they are saved with the scene.

    :param origin: where they come from, all of them or each.
    """
    home = homeOf(node)
    before = json.loads(home.GetAttribute(ATTRIBUTE) or "{}")
    origins = {name: origin if isinstance(origin, str) else origin[name] for name in facts}
    moving = {"frames": before["frames"]} if "frames" in before else {}
    home.SetAttribute(ATTRIBUTE, json.dumps({"facts": dict(facts), "origins": origins, **moving}))


def rememberHeader(node: Any) -> None:
    """Keep what the DICOM header says with the node: a saved scene then opens without the database."""
    image = imageNodeOf(node)
    if image is None or _stored(node, image):
        return
    run = headerOf(image)
    perFrame = run.facts if run is not None else (_factsFromDicom(image, 0),)
    if not perFrame[0]:
        return
    storeFacts(image, perFrame[0], FROM_DICOM)
    if any(facts != perFrame[0] for facts in perFrame):
        home = homeOf(image)
        stored = json.loads(home.GetAttribute(ATTRIBUTE))
        home.SetAttribute(ATTRIBUTE, json.dumps({**stored, "frames": list(perFrame)}))


def imageNodeOf(node: Any) -> Any:
    """Return the image that a segmentation was drawn on; any other node is its own image."""
    if node is None or not node.IsA("vtkMRMLSegmentationNode"):
        return node
    return node.GetNodeReference(slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole())


def _known(node: Any, frame: int) -> tuple[dict[str, Any], dict[str, str]]:
    """Facts and their origins: what is stored, completed from DICOM."""
    image = imageNodeOf(node)
    stored = _stored(node, image)
    if stored is None:
        facts = _factsFromDicom(image, frame)
        return facts, dict.fromkeys(facts, FROM_DICOM)
    facts, origins = dict(stored["facts"]), stored["origins"]
    moving = stored.get("frames", [])
    if frame < len(moving):
        facts.update({name: value for name, value in moving[frame].items() if origins.get(name) == FROM_DICOM})
    return facts, origins


def _stored(node: Any, image: Any) -> dict[str, Any] | None:
    own = node if node is not image else None  # a proxy volume's own attributes are those of the frame it shows
    for candidate in (own, homeOf(image) if image is not None else None, image):
        if candidate is not None and candidate.GetAttribute(ATTRIBUTE):
            stored: dict[str, Any] = json.loads(candidate.GetAttribute(ATTRIBUTE))
            stored.setdefault("origins", dict.fromkeys(stored["facts"], stored.get("origin", BY_HAND)))
            return stored
    return None


def _factsFromDicom(image: Any, frame: int) -> dict[str, Any]:
    """The facts in the header of the image's DICOM file; from the database's tags where the core cannot read it."""
    from xradiff.views.geometry_json import facts_from_mapping

    file = dicomFileOf(image) if image is not None else ""
    if not file:
        return {}
    run = headerOf(image)
    if run is not None:
        return dict(run.facts[min(frame, len(run) - 1)])
    values = {tag: slicer.dicomDatabase.fileValue(file, tag) for tag in TAGS}
    return facts_from_mapping({tag: value for tag, value in values.items() if value}, "the DICOM header")


def describeAngles(primaryDeg: float, secondaryDeg: float) -> str:
    """Return the angles as cardiologists write them, for example "RAO 38.6°, CRA 6.2°"."""
    primary = "LAO" if primaryDeg >= 0 else "RAO"
    secondary = "CRA" if secondaryDeg >= 0 else "CAU"
    return f"{primary} {abs(primaryDeg):.1f}°, {secondary} {abs(secondaryDeg):.1f}°"
