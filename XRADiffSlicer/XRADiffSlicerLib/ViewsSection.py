"""Section 1 of the panel: the views in use, their order, frames and masks, and the work on runs in the worker."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import vtk
from slicer.i18n import tr as _

from .EpipolarLine import EpipolarLine
from .Masks import describeMask, imageAsMask, isMask, loadMask, maskOf, newMask
from .NodeConversion import InputNodeError
from .Runs import frameCount, frameOf, headerOf, sequenceOf, showFrame
from .Sections import MOST_VIEWS
from .VesselSection import VesselSection
from .ViewForm import ViewForm

FEWEST_VIEWS = 2
IMAGE_FILES = "*.png *.tif *.tiff *.nrrd *.nhdr *.mha *.nii *.nii.gz *.jpg *.bmp"


class ViewsSection:
    """Behavior of Resources/UI/Views.ui and of the rows of Resources/UI/View.ui in it.

    :param ui: the widgets of the form, by name.
    :param panel: what shows progress and outcome; has `parameters`, `logic`, `application` and `startOrCancel`.
    """

    def __init__(self, ui: Any, panel: Any) -> None:
        self.ui = ui
        self.panel = panel
        self.forms = [ViewForm(ui, index, panel.application) for index in range(MOST_VIEWS)]
        self.vessels = VesselSection(self.forms, panel)
        self.epipolar = EpipolarLine()
        self._waiting: list[int] = []
        self._watched: list[tuple[Any, Any]] = []
        ui.proposeFramesButton.clicked.connect(lambda *_args: self.onPropose())
        ui.segmentAllButton.clicked.connect(lambda *_args: self.onSegment(self.withoutMask()))
        ui.addViewButton.clicked.connect(lambda *_args: self.onAdd())
        ui.showViewsButton.clicked.connect(lambda *_args: self.onShow())
        for form in self.forms:
            self._connect(form)

    def _connect(self, form: ViewForm) -> None:
        index = form.index
        form.widget("viewGroupBox").setTitle(_("View {number}").format(number=index + 1))
        form.widget("frameSlider").valueChanged.connect(lambda frame: self.onFrame(index, int(frame)))
        for button, action in (
            ("loadGeometryButton", self.onLoadGeometry),
            ("segmentButton", lambda own: self.onSegment([own])),
            ("editMaskButton", self.onEdit),
            ("loadMaskButton", self.onLoadMask),
            ("swapButton", self.onSwap),
            ("removeViewButton", self.onRemove),
        ):
            form.widget(button).clicked.connect(lambda *_args, act=action: act(index))

    # ---- parameters -------------------------------------------------------------------------

    @property
    def used(self) -> list[ViewForm]:
        """The forms of the views in use."""
        parameters = self.panel.parameters
        return self.forms[: parameters.viewCount if parameters is not None else FEWEST_VIEWS]

    def nodes(self) -> list[Any]:
        """Return the nodes of the views in use."""
        return [form.node(self.panel.parameters) for form in self.used]

    def forget(self) -> None:
        """Read the nodes afresh at the next `synchronize`."""
        for form in self.forms:
            form.forget()
        self._watch([])
        self.vessels.forget()
        self.epipolar.stop()

    def synchronize(self) -> None:
        """Bring the rows in line with the parameters and the nodes."""
        parameters = self.panel.parameters
        for form in self.used:
            form.synchronize(parameters)
        self.vessels.synchronize(self.used)
        images = [form.image(parameters) for form in self.used]
        self._watch([browser for image in images if image and (browser := sequenceOf(image)[0]) is not None])
        self.epipolar.follow(self.nodes() if parameters.epipolarLine else [])

    def problem(self) -> str:
        """Return one sentence on what is missing, "" if nothing is."""
        for form in self.used:
            if found := form.problem(self.panel.parameters):
                return found
        nodes = self.nodes()
        if len({node.GetID() for node in nodes}) < len(nodes):
            return _("Choose two different images.") if len(nodes) == FEWEST_VIEWS else _("Choose different images.")
        headers = [(form.index + 1, headerOf(form.image(self.panel.parameters))) for form in self.used]
        for (first, a), (second, b) in combinations(headers, 2):
            if a is not None and b is not None and a.patient and b.patient and a.patient != b.patient:
                return _("Views {first} and {second} belong to two patients.").format(first=first, second=second)
        return self.vessels.problem(self.used)

    def refreshButtons(self, running: bool, own: bool) -> None:
        """Enable what is possible.

        :param running: whether a worker is at work.
        :param own: whether it works for this section.
        """
        parameters = self.panel.parameters
        idle = parameters is not None and not running
        for form in self.forms:
            form.widget("viewGroupBox").setVisible(form in self.used)
            node, image = (form.node(parameters), form.image(parameters)) if parameters is not None else (None, None)
            usable = idle and form.usable(parameters)
            drawable = usable and image is node
            form.widget("loadGeometryButton").setEnabled(idle and node is not None)
            form.widget("segmentButton").setEnabled(drawable and not isMask(image, frameOf(image)))
            form.widget("editMaskButton").setEnabled(usable)
            form.widget("loadMaskButton").setEnabled(drawable)
            form.widget("maskSelector").setEnabled(drawable)
            form.widget("frameSlider").setEnabled(idle)
            form.widget("swapButton").setEnabled(idle)
            form.widget("swapButton").setVisible(form.index > 0)
            form.widget("removeViewButton").setEnabled(idle)
            form.widget("removeViewButton").setVisible(len(self.used) > FEWEST_VIEWS)
        self.vessels.refreshButtons(self.used, idle)
        self.ui.addViewButton.setEnabled(idle and len(self.used) < MOST_VIEWS)
        self.ui.showViewsButton.setEnabled(any(form.image(parameters) is not None for form in self.used))
        proposing, segmenting = own and not self._waiting, own and bool(self._waiting)
        self.ui.proposeFramesButton.setText(_("Cancel") if proposing else _("Propose frames"))
        self.ui.proposeFramesButton.setEnabled(proposing or (idle and bool(self.runs())))
        self.ui.segmentAllButton.setText(_("Cancel") if segmenting else _("Segment all"))
        self.ui.segmentAllButton.setEnabled(segmenting or (idle and bool(self.withoutMask())))

    def runs(self) -> list[ViewForm]:
        """The forms of the views that are grey runs."""
        parameters = self.panel.parameters
        images = [(form, form.image(parameters)) for form in self.used] if parameters is not None else []
        return [form for form, image in images if frameCount(image) > 1 and not isMask(image, frameOf(image))]

    def withoutMask(self) -> list[int]:
        """The indices of the views that have an image and no mask."""
        parameters = self.panel.parameters
        forms = self.used if parameters is not None else []
        return [f.index for f in forms if f.usable(parameters) and not describeMask(f.node(parameters))[1]]

    def _watch(self, browsers: list[Any]) -> None:
        """Follow frames that are shown by other means: the sequence toolbar, a script."""
        if [browser for browser, _tag in self._watched] == browsers:
            return
        for browser, tag in self._watched:
            browser.RemoveObserver(tag)
        follow = self.panel.onParametersModified
        self._watched = [(browser, browser.AddObserver(vtk.vtkCommand.ModifiedEvent, follow)) for browser in browsers]

    # ---- rows -------------------------------------------------------------------------------

    def onFrame(self, index: int, frame: int) -> None:
        """Show another frame of a run."""
        if self.panel.parameters is None or self.panel.updating:
            return
        image = self.forms[index].image(self.panel.parameters)
        if image is not None and frame < frameCount(image):
            showFrame(image, frame)
            self.panel.onParametersModified()

    def onShow(self) -> None:
        """Show each view in a slice view of its own, where the epipolar line is drawn."""
        images = [form.image(self.panel.parameters) for form in self.used]
        self.panel.application.showImages([image for image in images if image is not None])
        self.panel.onParametersModified()

    def onAdd(self) -> None:
        """Add a view."""
        if self.panel.parameters is not None and len(self.used) < MOST_VIEWS:
            self.panel.parameters.viewCount += 1

    def onRemove(self, index: int) -> None:
        """Remove a view; those below move up."""
        parameters = self.panel.parameters
        if parameters is None or len(self.used) <= FEWEST_VIEWS:
            return
        nodes = self.nodes()
        del nodes[index]
        parameters.viewCount = len(nodes)
        self._select([*nodes, None])

    def onSwap(self, index: int) -> None:
        """Exchange a view with the one above."""
        if self.panel.parameters is None or index == 0:
            return
        nodes = self.nodes()
        nodes[index - 1 : index + 1] = nodes[index - 1 : index + 1][::-1]
        self._select(nodes)

    def _select(self, nodes: list[Any]) -> None:
        parameters = self.panel.parameters
        with self.panel.quietly():
            for index, node in enumerate(nodes):
                setattr(parameters, f"view{index}", node)
        self.panel.onParametersModified()

    def onLoadGeometry(self, index: int) -> None:
        """Take the geometry of a view from a JSON file."""
        path = self.panel.application.chooseFile(_("Geometry of the view"), _("Geometry (*.json)"))
        if path and self.panel.parameters is not None:
            self._try(lambda: self.forms[index].load(self.panel.parameters, path))

    # ---- masks ------------------------------------------------------------------------------

    def onLoadMask(self, index: int) -> None:
        """Take the mask of a view from an image file."""
        path = self.panel.application.chooseFile(_("Vessel mask of the view"), _("Images ({0})").format(IMAGE_FILES))
        image = self.forms[index].image(self.panel.parameters)

        def load() -> None:
            loadMask(image, frameOf(image), path)
            self._drawn(index)

        if path and image is not None:
            self._try(load)

    def onEdit(self, index: int) -> None:
        """Open the mask of a view in the Segment Editor; a copy of an image that is a mask, an empty one of others."""
        node, image = self.forms[index].node(self.panel.parameters), self.forms[index].image(self.panel.parameters)
        if image is None:
            return
        mask = node if node is not image else maskOf(image, frameOf(image))
        if mask is None or not mask.IsA("vtkMRMLSegmentationNode"):
            mask = newMask(image, frameOf(image), imageAsMask(image, frameOf(image)))
            self._drawn(index)
            self.panel.refresh()
        self.panel.application.editSegmentation(mask, image)

    def _drawn(self, index: int) -> None:
        """A mask was made for a frame: select it where that frame is still shown."""
        parameters, form = self.panel.parameters, self.forms[index]
        image = form.image(parameters)
        if image is not None:
            with self.panel.quietly():
                setattr(parameters, f"mask{index}", maskOf(image, frameOf(image)))

    def _try(self, action: Callable[[], None]) -> None:
        try:
            action()
        except (ValueError, OSError) as error:
            self.panel.onFailed(str(error), False)
            return
        self.panel.refresh()

    # ---- worker -----------------------------------------------------------------------------

    def onPropose(self) -> None:
        """Choose the frames of all runs in the worker, or cancel that."""
        self.panel.startOrCancel(self._startProposing, "views")

    def _startProposing(self) -> None:
        forms = self.runs()
        images = [form.image(self.panel.parameters) for form in forms]

        def finished(chosen: list[Any]) -> None:
            for form, image, one in zip(forms, images, chosen, strict=True):
                there = self.panel.parameters is not None and form.image(self.panel.parameters) is image
                if there and one.frame < frameCount(image):  # else the run was deleted, or its browser
                    form.keepChoice(self.panel.parameters, one)
                    showFrame(image, one.frame)
                    self.panel.onLog(f"{image.GetName()}: frame {one.frame}, {one.reason}")
            self.panel.finish(_("Frames chosen; the curve of each run shows why."))

        self.panel.logic.startFrameChoice(images, **self.panel.callbacks(finished))

    def onSegment(self, indices: list[int]) -> None:
        """Segment frames in the worker, one after the other, or cancel that."""
        if not self.panel.logic.running:
            self._waiting = list(indices)
        if self._waiting:
            self.panel.startOrCancel(self._startSegmenting, "views")

    def _startSegmenting(self) -> None:
        index = self._waiting[0]
        image = self.forms[index].image(self.panel.parameters)
        if image is None:
            raise InputNodeError(f"view {index + 1} has no image")

        def finished(_mask: Any) -> None:
            self._drawn(index)
            self._waiting.pop(0)
            if self._waiting and self.panel.parameters is not None:
                self.panel.startOrCancel(self._startSegmenting, "views")
            else:
                self.panel.finish(_("Segmented; look at the masks and correct them with Edit."))

        self.panel.logic.startSegmentation(image, frameOf(image), **self.panel.callbacks(finished))

    def stopped(self) -> None:
        """Forget what was waiting: the work has failed or was cancelled."""
        self._waiting = []
