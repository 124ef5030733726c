"""The form of the panel: the main form, and in each of its places a section with a form of its own."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

# A new section is a file Resources/UI/NAME.ui (a qMRMLWidget) and the collapsible button that holds it.
SECTIONS = {
    "Views": "viewsCollapsibleButton",
    "Method": "reconstructionCollapsibleButton",
    "Results": "resultsCollapsibleButton",
    "Installation": "installationCollapsibleButton",
}
MOST_VIEWS = 4
PARAMETER = "SlicerParameterName"


def loadForm(loadUI: Callable[[str], Any], resourcePath: Callable[[str], str], scene: Any) -> Any:
    """Return the whole form, following `scene`.

    :param loadUI: makes a widget of a .ui file, as `slicer.util.loadUI` does.
    :param resourcePath: gives the path of a file in Resources.
    """
    import slicer

    form = loadUI(resourcePath("UI/XRADiffSlicer.ui"))
    places = slicer.util.childWidgetVariables(form)
    form.setMRMLScene(scene)
    for name, place in SECTIONS.items():
        section = loadUI(resourcePath(f"UI/{name}.ui"))
        getattr(places, place).layout().addWidget(section)
        section.setMRMLScene(scene)
    rows = slicer.util.childWidgetVariables(form).viewRowsWidget.layout()
    path = resourcePath("UI/View.ui")
    own = {widget.get("name") for widget in ET.parse(path).getroot().iter("widget")}
    for index in range(MOST_VIEWS):
        row = loadUI(path)
        for name, widget in list(vars(slicer.util.childWidgetVariables(row)).items()):
            if name in own:  # not the parts that widgets are made of
                _number(name, widget, index)
        rows.addWidget(row)
        row.setMRMLScene(scene)
    return form


def _number(name: str, widget: Any, index: int) -> None:
    """Give a widget of a view's row the row's number, and its parameter that of the view."""
    widget.setObjectName(f"{name}{index}")
    if parameter := widget.property(PARAMETER):
        head, dot, member = str(parameter).partition(".")
        widget.setProperty(PARAMETER, f"{head}{index}{dot}{member}")
