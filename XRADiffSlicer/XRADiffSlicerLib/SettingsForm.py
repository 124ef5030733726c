"""Settings of a method as widgets, made from the fields of its config dataclass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

WIDEST = 1_000_000_000


class SettingsForm:
    """One row a setting in a form layout of its own.

    :param place: the empty widget, with a layout, that gets the rows.
    :param application: makes the widgets, see `Application.Application`.
    :param onChanged: called with the setting's name, its new value and its default when the user changes it.
    :ivar fields: what each setting is, by name, as `xradiff.config.describe` gives it.
    :ivar widgets: the widget of each setting.
    """

    def __init__(self, place: Any, application: Any, onChanged: Callable[[str, Any, Any], None]) -> None:
        self._place = place
        self._application = application
        self._onChanged = onChanged
        self.widgets: dict[str, Any] = {}
        self._showing = False
        self.fields: dict[str, dict[str, Any]] = {}

    def build(self, fields: Sequence[dict[str, Any]]) -> None:
        """Make the rows afresh.

        :param fields: as `xradiff.config.describe` gives them.
        """
        self.fields = {field["name"]: field for field in fields}
        self._showing = True  # setting up a widget is no change by the user
        try:
            self.widgets = self._application.settingWidgets(self._place, [self._row(field) for field in fields])
        finally:
            self._showing = False

    def show(self, settings: dict[str, Any]) -> None:
        """Show these values, and the defaults of all other settings."""
        self._showing = True
        try:
            for name, field in self.fields.items():
                self._application.setSetting(self.widgets[name], settings.get(name, field["default"]))
        finally:
            self._showing = False

    def _row(self, field: dict[str, Any]) -> dict[str, Any]:
        """What the application needs to know to make the widget of a field."""
        name, unit = field["name"], field["unit"]
        low = -WIDEST if field["minimum"] is None else field["minimum"]
        high = WIDEST if field["maximum"] is None else field["maximum"]
        return {
            "name": name,
            "label": labelOf(name),
            "toolTip": field["meaning"] + (f" [{unit}]" if unit else ""),
            "kind": "choice" if field["choices"] else field["type"],
            "choices": field["choices"],
            "range": (low, high),
            "decimals": decimalsOf(field),
            "suffix": f" {unit}" if unit else "",
            "changed": lambda value: self._changed(name, value),
        }

    def _changed(self, name: str, value: Any) -> None:
        if not self._showing:
            field = self.fields[name]
            self._onChanged(name, valueOf(field, value), field["default"])


def labelOf(name: str) -> str:
    """Return the words for a setting: its name without the unit."""
    words = name.removesuffix("_mm").replace("_", " ")
    return f"{words[:1].upper()}{words[1:]}:"


def decimalsOf(field: dict[str, Any]) -> int:
    """Return how many decimals a number needs: two, or as many as its default and its limits have."""
    numbers = (field[name] for name in ("default", "minimum", "maximum"))
    return max([2, *(len(f"{number:g}".partition(".")[2]) for number in numbers if isinstance(number, (int, float)))])


def valueOf(field: dict[str, Any], value: Any) -> Any:
    """Return what a widget says as the setting holds it; Qt 5 may give the text of a number."""
    if field["type"] == "bool":
        return bool(value)
    if field["type"] in ("int", "float"):
        text = str(value).removesuffix(f" {field['unit']}") if field["unit"] else str(value)
        return round(float(text)) if field["type"] == "int" else round(float(text), 6)
    if field["choices"] and isinstance(value, int):
        return field["choices"][value]
    return str(value)
