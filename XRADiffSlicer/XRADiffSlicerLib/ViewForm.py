"""One view of the panel: the selected node and its geometry, kept in step with each other."""

from __future__ import annotations

from typing import Any

from .Geometry import BY_HAND, FROM_DICOM, FROM_JSON, describeAngles, factsFrom, factsOf, imageNodeOf, storeFacts

UNKNOWN = {
    "primaryDeg": -181.0,
    "secondaryDeg": -91.0,
    "sidMm": 0.0,
    "sodMm": 0.0,
    "rowSpacingMm": 0.0,
    "columnSpacingMm": 0.0,
}
ORIGINS = {FROM_DICOM: "from DICOM", FROM_JSON: "from JSON", BY_HAND: "by hand"}


class ViewForm:
    """Widgets and parameters of view `index`; the facts themselves live on the view's node."""

    def __init__(self, ui: Any, index: int) -> None:
        self.index = index
        self.originLabel = getattr(ui, f"originLabel{index}")
        self._shown: str | None = None

    def node(self, parameters: Any) -> Any:
        """Return the selected node."""
        return getattr(parameters, f"view{self.index}")

    def forget(self) -> None:
        """Read the node afresh at the next `synchronize`."""
        self._shown = None

    def synchronize(self, parameters: Any) -> None:
        """Show the geometry of a newly selected node, or keep what the user entered for the shown one."""
        node, pack = self.node(parameters), getattr(parameters, f"geometry{self.index}")
        identifier = node.GetID() if node is not None else ""
        if identifier != self._shown:
            self._shown = identifier
            self._write(pack, factsOf(node)[0] if node is not None else {})
        elif node is not None:
            facts, _origin = factsOf(node)
            entered = self._read(pack)
            if not _same(entered, facts):
                kept = {name: value for name, value in facts.items() if name not in FIVE}
                storeFacts(node, {**kept, **entered}, BY_HAND)
        self._label(node)

    def load(self, parameters: Any, path: str) -> None:
        """Take the geometry of the selected node from a JSON file; the next `synchronize` shows it.

        :raises ValueError: the file holds no geometry; the message says what is accepted.
        """
        node = self.node(parameters)
        storeFacts(node, {**factsOf(node)[0], **factsFrom(path)}, FROM_JSON)
        self.forget()

    def problem(self, parameters: Any) -> str:
        """Return one sentence on what is missing in this view, "" if nothing is."""
        node = self.node(parameters)
        if node is None:
            return f"Choose the image of view {self.index + 1}."
        if imageNodeOf(node) is None:
            return f"View {self.index + 1}: set the source volume of {node.GetName()} in the Segmentations module."
        missing = [words for name, words in FIVE.items() if factsOf(node)[0].get(name) is None]
        if missing:
            return f"View {self.index + 1}: enter the {' and the '.join(missing)}."
        from xradiff.errors import InputError
        from xradiff.views import acquisition_from

        try:
            acquisition_from(factsOf(node)[0], f"View {self.index + 1}")
        except InputError as error:
            return f"{error}."
        return ""

    def _label(self, node: Any) -> None:
        facts, origin = factsOf(node) if node is not None else ({}, "")
        if not facts:
            text = "not known" if node is not None else ""
        elif {"primary_deg", "secondary_deg"} <= set(facts):
            text = f"{ORIGINS[origin]}: {describeAngles(facts['primary_deg'], facts['secondary_deg'])}"
        else:
            text = f"{ORIGINS[origin]}, incomplete"
        self.originLabel.setText(text)

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


FIVE = {
    "primary_deg": "primary angle",
    "secondary_deg": "secondary angle",
    "sid_mm": "source-detector distance (SID)",
    "sod_mm": "source-isocenter distance (SOD)",
    "pixel_spacing_mm": "pixel spacing",
}


def _same(entered: dict[str, Any], facts: dict[str, Any]) -> bool:
    """Whether two sets of facts agree to what the panel shows (four decimals)."""

    def numbers(source: dict[str, Any], name: str) -> tuple[float, ...] | None:
        value = source.get(name)
        if value is None:
            return None
        parts = value if isinstance(value, (tuple, list)) else (value, value)
        return tuple(round(float(part), 4) for part in parts)

    return all(numbers(entered, name) == numbers(facts, name) for name in FIVE)
