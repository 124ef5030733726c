"""The rows "Vessel" of section 1 of the panel: mark one vessel in every view to reconstruct it alone."""

from __future__ import annotations

from typing import Any

import slicer
from slicer.i18n import tr as _

from .Runs import frameOf
from .SliceViews import compositesBySlice, shows
from .VesselMarks import FEWEST, clearMarks, describeMarks, listsOf, markedPixels, marksOf, newMarks, showMarksOfFrame


class VesselSection:
    """Behavior of the widgets with "Vessel" in their names in the rows of Resources/UI/View.ui.

    :param forms: all rows.
    :param panel: has `parameters`, `application`, `views` and `onParametersModified`.
    """

    def __init__(self, forms: list[Any], panel: Any) -> None:
        self.panel = panel
        self._watched: list[tuple[Any, Any]] = []
        for form in forms:
            for button, action in (("markVesselButton", self.onMark), ("clearVesselButton", self.onClear)):
                form.widget(button).clicked.connect(lambda *_args, form=form, act=action: act(form))

    def forget(self) -> None:
        """Follow no marks any more."""
        self._watch([])

    def synchronize(self, forms: list[Any]) -> None:
        """Show the marks of the frames that are shown, and follow them."""
        lists = []
        for form in forms:
            image = form.image(self.panel.parameters)
            if image is not None:
                showMarksOfFrame(image, frameOf(image))
                lists += listsOf(image)
            form.widget("vesselLabel").setText(describeMarks(len(self._pixels(form))))
        self._watch(lists)

    def refreshButtons(self, forms: list[Any], idle: bool) -> None:
        """Enable what is possible."""
        for form in forms:
            image = form.image(self.panel.parameters)
            form.widget("markVesselButton").setEnabled(idle and form.usable(self.panel.parameters))
            marks = marksOf(image, frameOf(image)) if image is not None else None
            form.widget("clearVesselButton").setEnabled(idle and marks is not None)

    def marked(self, forms: list[Any]) -> dict[int, list[tuple[float, float]]] | None:
        """Return (row, column) of the marks by view, None where nothing was marked."""
        marked = {form.index: self._pixels(form) for form in forms}
        return marked if any(marked.values()) else None

    def problem(self, forms: list[Any]) -> str:
        """Return one sentence on what is missing, "" if nothing is."""
        marked = self.marked(forms) or {}
        for index, pixels in marked.items():
            if len(pixels) < FEWEST:
                return _("View {number}: mark the start and the end of the vessel, or clear the marks.").format(
                    number=index + 1
                )
        return ""

    def onMark(self, form: Any) -> None:
        """Let the user set points on the frame of a view; it is shown first where it is not."""
        image = form.image(self.panel.parameters)
        if image is None:
            return
        if not any(shows(composite, image) for composite in compositesBySlice().values()):
            self.panel.views.onShow()
        marks = marksOf(image, frameOf(image))
        if marks is None:
            marks = newMarks(image, frameOf(image))
        self.panel.onParametersModified()
        self.panel.application.placePoints(marks)

    def onClear(self, form: Any) -> None:
        """Remove the marks on the frame of a view."""
        image = form.image(self.panel.parameters)
        if image is not None:
            clearMarks(image, frameOf(image))
            self.panel.onParametersModified()

    def _pixels(self, form: Any) -> list[tuple[float, float]]:
        image = form.image(self.panel.parameters)
        return markedPixels(image, frameOf(image)) if form.usable(self.panel.parameters) else []

    def _watch(self, lists: list[Any]) -> None:
        """Follow points that are set and removed in the slice views."""
        if [node for node, _tag in self._watched] == lists:
            return
        for node, tag in self._watched:
            node.RemoveObserver(tag)
        kinds = slicer.vtkMRMLMarkupsNode
        events = (kinds.PointPositionDefinedEvent, kinds.PointPositionUndefinedEvent, kinds.PointRemovedEvent)
        follow = self.panel.onParametersModified
        self._watched = [(node, node.AddObserver(event, follow)) for node in lists for event in events]
