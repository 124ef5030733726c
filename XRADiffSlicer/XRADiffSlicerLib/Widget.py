"""The panel: connects the form to the parameters and the parameters to the logic. Computes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import vtk
from slicer.i18n import tr as _

from .Application import Application
from .Installation import RESUME_SETTING, InstallationSection, interruptedMethod
from .Outputs import OutputNodes
from .Parameters import syntheticOptions
from .Results import ResultsSection
from .TimeLeft import TimeLeft
from .ViewForm import ViewForm

OUTPUTS = {
    "segmentation": "outputSegmentation",
    "probability": "outputProbability",
    "model": "outputModel",
    "table": "outputTable",
}


class Panel:
    """Behavior of the form in Resources/UI/XRADiffSlicer.ui.

    :param ui: the widgets of the form, by name.
    :param logic: see `Logic.ReconstructionLogic`.
    :param application: see `Application.Application`.
    """

    def __init__(self, ui: Any, logic: Any, application: Any = None) -> None:
        self.ui = ui
        self.logic = logic
        self.application = application or Application()
        self.parameters: Any = None
        self.views = [ViewForm(ui, index) for index in (0, 1)]
        self.results = ResultsSection(ui, self.application, self.say)
        self.installation = InstallationSection(ui, logic, self.application, self.say, self._method)
        self._methods: tuple[Any, ...] = ()
        self._guiTag: Any = None
        self._observer: Any = None
        self._updating = False
        self._timeLeft = TimeLeft()
        self._outcome = ""
        self._creating = False
        self._fillMethods()
        ui.applyButton.clicked.connect(self.onApply)
        ui.methodSelector.currentIndexChanged.connect(self.onMethod)
        ui.loadGeometryButton0.clicked.connect(lambda *_args: self.onLoadGeometry(0))
        ui.loadGeometryButton1.clicked.connect(lambda *_args: self.onLoadGeometry(1))
        ui.copyLogButton.clicked.connect(self.onCopyLog)
        ui.createButton.clicked.connect(self.onCreate)
        ui.progressBar.setVisible(False)
        self.refresh()

    # ---- parameters -------------------------------------------------------------------------

    def setParameters(self, parameters: Any) -> None:
        """Show and follow `parameters`; None to let go of them."""
        if self.parameters is not None:
            self.parameters.disconnectGui(self._guiTag)
            self.parameters.RemoveObserver(self._observer)
        self.parameters = parameters
        for view in self.views:
            view.forget()
        if parameters is not None:
            self._guiTag = parameters.connectGui(self.ui)
            self._observer = parameters.AddObserver(vtk.vtkCommand.ModifiedEvent, self.onParametersModified)
        self.results.setParameters(parameters)
        self.refresh()
        if parameters is not None:
            self._resume()

    def onParametersModified(self, _caller: Any = None, _event: Any = None) -> None:
        """Bring geometry, labels and buttons in line with the parameters."""
        if self._updating or self.parameters is None:
            return
        self._updating = True
        try:
            for view in self.views:
                view.synchronize(self.parameters)
        finally:
            self._updating = False
        self._outcome = ""
        self.results.refresh()
        self._refreshButtons()

    def refresh(self) -> None:
        """Bring everything in line."""
        self.onParametersModified()
        self._refreshMethod()
        self._refreshButtons()

    def problem(self) -> str:
        """Return one sentence on why Apply is not possible, "" if it is."""
        if self.parameters is None:
            return _("The scene is closing.")
        for view in self.views:
            if found := view.problem(self.parameters):
                return found
        if self.parameters.view0 is self.parameters.view1:
            return _("Choose two different images.")
        return ""

    def _resume(self) -> None:
        """Go on where Slicer was restarted to install packages."""
        if name := interruptedMethod(self.application):
            self.application.storeSetting(RESUME_SETTING, "")
            self.parameters.method = name
            self.say(_("The packages are installed. Load the images or the scene again, then press Apply."))

    def say(self, outcome: str) -> None:
        """Show one line for the user until the next change."""
        self._outcome = outcome
        self._refreshButtons()

    def _refreshButtons(self) -> None:
        running, problem = self.logic.running, self.problem()
        creating = running and self._creating
        reconstructing = running and not creating
        button = self.ui.applyButton
        button.setText(_("Cancel") if reconstructing else _("Apply"))
        button.setEnabled(reconstructing or not (running or problem))
        button.setToolTip(
            _("Stop the reconstruction.") if reconstructing else problem or _("Reconstruct the coronary tree in 3D.")
        )
        self.ui.createButton.setText(_("Cancel") if creating else _("Create"))
        self.ui.createButton.setEnabled(creating or (not running and self.parameters is not None))
        for index, view in enumerate(self.views):
            chosen = self.parameters is not None and view.node(self.parameters) is not None
            getattr(self.ui, f"loadGeometryButton{index}").setEnabled(chosen)
        if not running:
            self.ui.statusLabel.setText(self._outcome or problem or _("Ready."))

    # ---- method -----------------------------------------------------------------------------

    def _fillMethods(self) -> None:
        from xradiff.reconstruction.registry import list_methods

        self._methods = list_methods()
        for spec in self._methods:
            self.ui.methodSelector.addItem(spec.title, spec.name)

    def onMethod(self, choice: Any) -> None:
        """Remember the chosen method: its index, or its title as Qt 5 may say it."""
        for index, spec in enumerate(self._methods):
            if self.parameters is not None and choice in (index, spec.title):
                self.parameters.method = spec.name
        self._refreshMethod()

    def _method(self) -> Any:
        name = self.parameters.method if self.parameters is not None else ""
        return next((spec for spec in self._methods if spec.name == name), self._methods[0])

    def _refreshMethod(self) -> None:
        spec = self._method()
        self.ui.methodSelector.setCurrentIndex(self._methods.index(spec))
        about = _("About {seconds:g} s and {memory:g} GB of memory.").format(
            seconds=spec.seconds_cpu, memory=spec.memory_gb
        )
        self.ui.methodDescriptionLabel.setText(f"{spec.description} {about}")
        self.ui.deviceLabel.setText(deviceText(spec))

    # ---- running ----------------------------------------------------------------------------

    def onApply(self, *_args: Any) -> None:
        """Start the reconstruction, or cancel the one that is running."""
        if self.logic.running or not self.problem():
            self._startOrCancel(self._start, creating=False)

    def onCreate(self, *_args: Any) -> None:
        """Start making a synthetic case, or cancel the one that is being made."""
        if self.parameters is not None:
            self._startOrCancel(self._startCreating, creating=True)

    def _startOrCancel(self, start: Callable[[], None], creating: bool) -> None:
        if self.logic.running:
            self.ui.statusLabel.setText(_("Cancelling..."))
            self.logic.cancel()
            return
        self._creating = creating
        self.ui.logTextEdit.setPlainText("")
        self._timeLeft.restart()
        try:
            start()
            self._outcome = ""
            self.onProgress(0.0, _("Starting..."))
        except (ValueError, RuntimeError, OSError, ImportError) as error:
            self.onFailed(str(error), False)
        self._refreshButtons()

    def _startCreating(self) -> None:
        self.logic.startSyntheticCase(
            **syntheticOptions(self.parameters),
            onProgress=self.onProgress,
            onLog=self.onLog,
            onFinished=self.onCreated,
            onFailed=self.onFailed,
        )

    def _start(self) -> None:
        parameters, spec = self.parameters, self._method()
        self.installation.ensureInstalled(spec)
        chosen = OutputNodes(**{field: getattr(parameters, name) for field, name in OUTPUTS.items()})
        self.logic.startReconstruction(
            [parameters.view0, parameters.view1],
            method=spec.name,
            calibrate=parameters.calibrate,
            spacingMm=parameters.spacingMm,
            outputs=chosen,
            onProgress=self.onProgress,
            onLog=self.onLog,
            onFinished=self.onFinished,
            onFailed=self.onFailed,
        )

    def onProgress(self, fraction: float, message: str) -> None:
        """Show how far the worker is."""
        self.installation.settled()
        self.ui.progressBar.setVisible(True)
        self.ui.progressBar.setValue(round(100 * fraction))
        left = self._timeLeft.words(fraction)
        self.ui.statusLabel.setText(f"{message}, {left}" if left else message)

    def onLog(self, line: str) -> None:
        """Add a line to the log."""
        self.ui.logTextEdit.appendPlainText(line)

    def onFinished(self, outputs: OutputNodes) -> None:
        """Show the result."""
        if self.parameters is not None:
            for field, name in OUTPUTS.items():
                setattr(self.parameters, name, getattr(outputs, field))
        for warning in outputs.warnings:
            self.onLog(warning)
        fits = _(" and ").join(f"{fit.coverage:.1%}" for fit in outputs.fits)
        truth = truthText(outputs.truthDice)
        if truth:
            self.onLog(truth)
        self._end(_("Done. The result covers {fits} of the masks.").format(fits=fits) + (truth and f" {truth}"))
        self.results.show(outputs)

    def onCreated(self, case: Any) -> None:
        """Choose the views of a synthetic case and show its truth."""
        if self.parameters is not None:
            self.parameters.view0, self.parameters.view1 = case.views[:2]
        side, branches = case.parameters["side"], case.parameters["tree"]["branches"]
        self.onLog(_("Synthetic {side} tree: {branches}").format(side=side, branches=", ".join(branches)))
        self._end(_("Synthetic case created and chosen as views; Apply reconstructs it."))
        self.application.showSegmentation(case.segmentation)

    def onFailed(self, message: str, cancelled: bool) -> None:
        """Say in one line why there is no result."""
        if not cancelled:
            self.onLog(message)
        self._end(_("Cancelled; nothing was changed.") if cancelled else message)

    def _end(self, outcome: str) -> None:
        self.ui.progressBar.setVisible(False)
        self._outcome = outcome
        self._refreshButtons()

    # ---- buttons ----------------------------------------------------------------------------

    def onLoadGeometry(self, index: int) -> None:
        """Take the geometry of a view from a JSON file."""
        path = self.application.chooseFile(_("Geometry of the view"), _("Geometry (*.json)"))
        if not path or self.parameters is None:
            return
        try:
            self.views[index].load(self.parameters, path)
        except (ValueError, OSError) as error:
            self.onFailed(str(error), False)
            return
        self.refresh()

    def onCopyLog(self, *_args: Any) -> None:
        """Copy the log to the clipboard."""
        self.application.copyText(self.ui.logTextEdit.toPlainText())


def truthText(dice: float | None) -> str:
    """Return one sentence on the Dice with the truth, "" where none is known."""
    return "" if dice is None else _("Dice with the truth: {dice:.3f}.").format(dice=dice)


def deviceText(spec: Any) -> str:
    """Return the device a method will run on and why, without loading PyTorch into the application."""
    from importlib.util import find_spec

    if "torch" not in spec.needs:
        return _("CPU: this method does not use a GPU")
    if find_spec("torch") is None:
        return _("PyTorch is not installed yet")
    return _("GPU if PyTorch finds one, else CPU")
