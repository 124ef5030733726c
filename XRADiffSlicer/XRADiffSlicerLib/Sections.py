"""The form of the panel: the main form, and in each of its places a section with a form of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# A new section is a file Resources/UI/NAME.ui (a qMRMLWidget) and the collapsible button that holds it.
SECTIONS = {"Results": "resultsCollapsibleButton", "Installation": "installationCollapsibleButton"}


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
    return form
