"""One view of the panel: the selected node with its frame, mask and geometry, kept in step with what is shown."""

from __future__ import annotations

import json
from typing import Any

from slicer.i18n import tr as _

from .Geometry import (
    BY_HAND,
    FROM_DICOM,
    FROM_JSON,
    describeAngles,
    factsFrom,
    factsOf,
    imageNodeOf,
    originsOf,
    rememberHeader,
    storeFacts,
)
from .Masks import chooseMask, describeMask, maskOf, maskPixels, showMaskOfFrame
from .NodeConversion import InputNodeError, imageFromNode
from .Pictures import curvePng, thumbnailPng
from .Runs import frameCount, frameOf, frameTimesMs, homeOf, imageOfSequence, imageProblem

UNKNOWN = {
    "primaryDeg": -181.0,
    "secondaryDeg": -91.0,
    "sidMm": 0.0,
    "sodMm": 0.0,
    "rowSpacingMm": 0.0,
    "columnSpacingMm": 0.0,
}
ORIGINS = {FROM_DICOM: "DICOM", FROM_JSON: "JSON", BY_HAND: "by hand"}
CURVE_ATTRIBUTE = "XRADiffSlicer.FrameChoice"
THUMBNAIL_PX = 112
FIVE = {
    "primary_deg": "primary angle",
    "secondary_deg": "secondary angle",
    "sid_mm": "source-detector distance (SID)",
    "sod_mm": "source-isocenter distance (SOD)",
    "pixel_spacing_mm": "pixel spacing",
}
SHORT = {
    "primary_deg": "LAO/RAO", "secondary_deg": "CRA/CAU", "sid_mm": "SID", "sod_mm": "SOD",
    "pixel_spacing_mm": "pixel spacing",
}  # fmt: skip


class ViewForm:
    """Widgets and parameters of view `index`; what is known of the view lives on its node.

    :param ui: the widgets of the form, by name; those of this view end with its index.
    """

    def __init__(self, ui: Any, index: int, application: Any) -> None:
        self._ui = ui
        self._application = application
        self.index = index
        self._shown: tuple[str, int] | None = None
        self._pictured: tuple[Any, ...] | None = None

    def widget(self, name: str) -> Any:
        """Return the widget `name` of this view."""
        return getattr(self._ui, f"{name}{self.index}")

    def node(self, parameters: Any) -> Any:
        """Return the selected node."""
        return getattr(parameters, f"view{self.index}")

    def image(self, parameters: Any) -> Any:
        """Return the volume that is shown, None where there is none."""
        return imageNodeOf(self.node(parameters)) if parameters is not None else None

    def usable(self, parameters: Any) -> bool:
        """Return whether there is one grey image that can be drawn on."""
        image = self.image(parameters)
        return image is not None and not imageProblem(image)

    def forget(self) -> None:
        """Read the node afresh at the next `synchronize`."""
        self._shown = self._pictured = None

    def synchronize(self, parameters: Any) -> None:
        """Show what is known of a newly selected node or frame, or keep what the user entered for the shown one."""
        node = self._resolve(parameters)
        image, pack = imageNodeOf(node), getattr(parameters, f"geometry{self.index}")
        shown = (node.GetID() if node is not None else "", frameOf(image) if image is not None else 0)
        if self._shown is None or shown[0] != self._shown[0]:
            rememberHeader(node)
            self._write(pack, factsOf(node, shown[1])[0] if node is not None else {})
            self._selectMask(parameters, image, shown[1])
        elif shown != self._shown:
            self._write(pack, factsOf(node, shown[1])[0])
            self._selectMask(parameters, image, shown[1])
        elif node is not None:
            self._keepNumbers(node, pack, shown[1])
            mask = getattr(parameters, f"mask{self.index}")
            if image is node and mask is not maskOf(image, shown[1]):
                chooseMask(image, shown[1], mask)
        self._shown = shown
        if image is not None:
            showMaskOfFrame(image, shown[1])
        self._label(node, image)

    def load(self, parameters: Any, path: str) -> None:
        """Take the geometry of the selected node from a JSON file; the next `synchronize` shows it.

        :raises ValueError: the file holds no geometry; the message says what is accepted.
        """
        node, loaded = self.node(parameters), factsFrom(path)
        facts, origins = factsOf(node)[0], originsOf(node)
        storeFacts(node, {**facts, **loaded}, {**origins, **dict.fromkeys(loaded, FROM_JSON)})
        self.forget()

    def problem(self, parameters: Any) -> str:
        """Return one sentence on what is missing in this view, "" if nothing is."""
        node = self.node(parameters)
        place = _("View {number}").format(number=self.index + 1)
        if node is None:
            return _("Choose the image of view {number}.").format(number=self.index + 1)
        image = imageNodeOf(node)
        if image is None:
            return _("{place}: set the source volume of {name} in the Segmentations module.").format(
                place=place, name=node.GetName()
            )
        if reason := imageProblem(image):
            return f"{place}: {reason}"
        facts = factsOf(node, frameOf(image))[0]
        missing = [words for name, words in FIVE.items() if facts.get(name) is None]
        if missing:
            return f"{place}: enter the {' and the '.join(missing)}."
        from xradiff.datatypes import Acquisition
        from xradiff.errors import InputError

        try:
            Acquisition(**facts)
        except InputError as error:
            return f"{place}: {error}."
        sentence, usable = describeMask(node)
        return "" if usable else f"{place}: {sentence}"

    def keepChoice(self, parameters: Any, chosen: Any) -> None:
        """Keep the curve that a frame was chosen by with the run, so that it is saved with the scene."""
        facts = {"frame": chosen.frame, "reason": chosen.reason, "curve": chosen.curve, "phases": chosen.phases}
        homeOf(self.image(parameters)).SetAttribute(CURVE_ATTRIBUTE, json.dumps(facts))
        self._pictured = None

    # ---- parameters -------------------------------------------------------------------------

    def _resolve(self, parameters: Any) -> Any:
        """The selected node; in place of a sequence the volume that shows its frames."""
        node = self.node(parameters)
        if node is not None and node.IsA("vtkMRMLSequenceNode"):
            try:
                node = imageOfSequence(node)
            except InputNodeError:
                node = None
            setattr(parameters, f"view{self.index}", node)
        return node

    def _selectMask(self, parameters: Any, image: Any, frame: int) -> None:
        drawn = maskOf(image, frame) if image is not None and image is self.node(parameters) else None
        setattr(parameters, f"mask{self.index}", drawn)

    def _keepNumbers(self, node: Any, pack: Any, frame: int) -> None:
        facts, origins = factsOf(node, frame)[0], originsOf(node, frame)
        entered = self._read(pack)
        changed = [name for name in FIVE if _rounded(entered.get(name)) != _rounded(facts.get(name))]
        if changed:
            kept = {name: value for name, value in facts.items() if name not in changed}
            new = {name: entered[name] for name in changed if name in entered}
            storeFacts(node, {**kept, **new}, {**origins, **dict.fromkeys(new, BY_HAND)})

    @staticmethod
    def _write(pack: Any, facts: dict[str, Any]) -> None:
        spacing = facts.get("pixel_spacing_mm")
        row, column = spacing if isinstance(spacing, (tuple, list)) else (spacing, spacing)
        values = {
            "primaryDeg": facts.get("primary_deg"),
            "secondaryDeg": facts.get("secondary_deg"),
            "sidMm": facts.get("sid_mm"),
            "sodMm": facts.get("sod_mm"),
            "rowSpacingMm": row,
            "columnSpacingMm": column,
        }
        for name, value in values.items():
            pack.setValue(name, UNKNOWN[name] if value is None else float(value))

    @staticmethod
    def _read(pack: Any) -> dict[str, Any]:
        values = {name: pack.getValue(name) for name in UNKNOWN}
        known = {name: value for name, value in values.items() if value > UNKNOWN[name]}
        facts = {
            fact: known[name]
            for fact, name in (
                ("primary_deg", "primaryDeg"),
                ("secondary_deg", "secondaryDeg"),
                ("sid_mm", "sidMm"),
                ("sod_mm", "sodMm"),
            )
            if name in known
        }
        if {"rowSpacingMm", "columnSpacingMm"} <= set(known):
            facts["pixel_spacing_mm"] = [known["rowSpacingMm"], known["columnSpacingMm"]]
        return facts

    # ---- what is shown ----------------------------------------------------------------------

    def _label(self, node: Any, image: Any) -> None:
        facts = factsOf(node, frameOf(image))[0] if image is not None else {}
        self.widget("originLabel").setText(describeGeometry(facts, originsOf(node)) if node is not None else "")
        self.widget("maskLabel").setText(describeMask(node)[0] if node is not None else "")
        self._labelFrame(image)
        self._picture(node, image)

    def _labelFrame(self, image: Any) -> None:
        count, frame = frameCount(image), frameOf(image) if image is not None else 0
        for name in ("frameSlider", "frameLabel", "frameTitleLabel"):
            self.widget(name).setVisible(count > 1)
        self.widget("frameSlider").setMaximum(max(0, count - 1))
        self.widget("frameSlider").setValue(frame)
        if count > 1:
            seconds = frameTimesMs(image)[frame] / 1000
            self.widget("frameLabel").setText(
                _("{frame} of {last}, {seconds:.2f} s").format(frame=frame, last=count - 1, seconds=seconds)
            )

    def _picture(self, node: Any, image: Any) -> None:
        """Draw thumbnail and curve again where what they show has changed."""
        frame = frameOf(image) if image is not None else 0
        mask = None
        if image is not None:
            mask = node if node is not image else maskOf(image, frame)
        data = image.GetImageData() if image is not None else None
        key = (image and image.GetID(), frame, data and data.GetMTime(), describeMask(node)[0] if node else "", mask)
        if key == self._pictured:
            return
        self._pictured = key
        self._application.showPicture(self.widget("thumbnailLabel"), self._thumbnail(image, mask))
        kept = homeOf(image).GetAttribute(CURVE_ATTRIBUTE) if image is not None else None
        chosen = json.loads(kept) if kept else None
        usable = chosen is not None and len(chosen["curve"]) == frameCount(image)
        curve = curvePng(chosen["curve"], chosen["phases"], frame) if usable else b""
        label = self.widget("curveLabel")
        self._application.showPicture(label, curve)
        label.setVisible(usable)
        label.setToolTip(describeChoice(chosen) if usable else "")

    @staticmethod
    def _thumbnail(image: Any, mask: Any) -> bytes:
        if image is None:
            return b""
        try:
            return thumbnailPng(imageFromNode(image), None if mask is None else maskPixels(mask), THUMBNAIL_PX)
        except InputNodeError:
            return b""


def describeGeometry(facts: dict[str, Any], origins: dict[str, str]) -> str:
    """Return the angles and where each number comes from, for example "LAO 39.2°, CAU 7.9°. DICOM: LAO/RAO, SID"."""
    if not facts:
        return _("Geometry not known: enter it below.")
    complete = {"primary_deg", "secondary_deg"} <= set(facts)
    angles = describeAngles(facts["primary_deg"], facts["secondary_deg"]) if complete else _("Incomplete")
    groups = {
        words: [short for name, short in SHORT.items() if name in facts and origins.get(name) == origin]
        for origin, words in ORIGINS.items()
    }
    told = [(words, names) for words, names in groups.items() if names]
    if len(told) == 1 and set(FIVE) <= set(facts):
        return f"{angles} ({told[0][0]})"
    return f"{angles}. " + "; ".join(f"{words}: {', '.join(names)}" for words, names in told)


def describeChoice(chosen: dict[str, Any]) -> str:
    """Return what the curve shows and which frame was proposed."""
    return _(
        "Contrast of each frame (blue), beginning of each heart beat (grey), the frame shown (orange). "
        "Proposed was frame {frame}: {reason}."
    ).format(frame=chosen["frame"], reason=chosen["reason"])


def _rounded(value: Any) -> tuple[float, ...] | None:
    """Numbers to what the panel shows (four decimals)."""
    if value is None:
        return None
    parts = value if isinstance(value, (tuple, list)) else (value, value)
    return tuple(round(float(part), 4) for part in parts)
