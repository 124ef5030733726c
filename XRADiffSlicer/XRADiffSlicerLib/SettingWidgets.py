"""Qt widgets for the settings of a method. The one place that makes widgets in Python."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import qt


def fill(place: Any, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Replace what is in `place`, a widget with a layout, by a form of `rows`; return the widgets by name.

    :param rows: see `SettingsForm`: name, label, toolTip, kind, choices, range, decimals, suffix and changed.
    """
    layout = place.layout()
    while layout.count():
        old = layout.takeAt(0).widget()
        old.hide()
        old.deleteLater()
    inner = qt.QWidget()
    form = qt.QFormLayout(inner)
    form.setContentsMargins(0, 0, 0, 0)
    form.setFieldGrowthPolicy(qt.QFormLayout.AllNonFixedFieldsGrow)
    widgets = {row["name"]: _widget(row) for row in rows}
    for row in rows:
        widget = widgets[row["name"]]
        widget.setObjectName(f"setting_{row['name']}")
        widget.setToolTip(row["toolTip"])
        form.addRow(row["label"], widget)
    layout.addWidget(inner)
    return widgets


def show(widget: Any, value: Any) -> None:
    """Show `value`; widgets say by their property "kind" what they take."""
    kind = str(widget.property("kind"))
    if kind == "bool":
        widget.setChecked(bool(value))
    elif kind == "choice":
        widget.setCurrentIndex(widget.findText(str(value)))
    elif kind in ("int", "float"):
        widget.setValue(value)
    elif str(widget.property("text")) != str(value):
        widget.setText(str(value))


def _widget(row: dict[str, Any]) -> Any:
    kind = row["kind"]
    if kind == "bool":
        widget = qt.QCheckBox()
        widget.toggled.connect(row["changed"])
    elif kind == "choice":
        widget = qt.QComboBox()
        for choice in row["choices"]:
            widget.addItem(choice)
        widget.currentIndexChanged.connect(row["changed"])
    elif kind in ("int", "float"):
        widget = qt.QSpinBox() if kind == "int" else qt.QDoubleSpinBox()
        if kind == "float":
            widget.setDecimals(row["decimals"])
            widget.setSingleStep(0.1)
        widget.setRange(*row["range"])
        widget.setSuffix(row["suffix"])
        widget.setKeyboardTracking(False)
        widget.valueChanged.connect(row["changed"])
    else:
        widget = qt.QLineEdit()
        widget.editingFinished.connect(lambda: row["changed"](widget.property("text")))
    widget.setProperty("kind", kind if kind in ("bool", "choice", "int", "float") else "text")
    return widget
