"""The panel: connects the form to the parameters and the parameters to the logic. Computes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import vtk
from slicer.i18n import tr as _

from .Application import Application
from .Installation import RESUME_SETTING, InstallationSection, interruptedMethod
from .MethodSection import MethodSection
from .Outputs import OutputNodes
from .Parameters import syntheticOptions
from .Results import ResultsSection
from .SideSection import SideSection, sideText
from .TimeLeft import TimeLeft
from .ViewsSection import ViewsSection

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
        self.updating = False
        self._guiTag: Any = None
        self._observer: Any = None
        self._timeLeft = TimeLeft()
        self._outcome = ""
        self._doing = ""  # what the worker works for: "apply", "create" or "views"; "" for nothing
        self.views = ViewsSection(ui, self)
        self.method = MethodSection(ui, self)
        self.side = SideSection(ui, self)
        self.results = ResultsSection(ui, self.application, self.say)
        self.installation = InstallationSection(ui, logic, self.application, self.say, self.method.method)
        ui.applyButton.clicked.connect(self.onApply)
        ui.copyLogButton.clicked.connect(self.onCopyLog)
        ui.createButton.clicked.connect(self.onCreate)
        self.refresh()

    # ---- parameters -------------------------------------------------------------------------

    def setParameters(self, parameters: Any) -> None:
        """Show and follow `parameters`; None to let go of them."""
        if self.parameters is not None:
            self.parameters.disconnectGui(self._guiTag)
            self.parameters.RemoveObserver(self._observer)
        self.parameters = parameters
        self.views.forget()
        if parameters is not None:
            self._guiTag = parameters.connectGui(self.ui)
            self._observer = parameters.AddObserver(vtk.vtkCommand.ModifiedEvent, self.onParametersModified)
        self.results.setParameters(parameters)
        self.refresh()
        if parameters is not None:
            self._resume()

    def onParametersModified(self, _caller: Any = None, _event: Any = None) -> None:
        """Bring geometry, labels and buttons in line with the parameters."""
        if self.updating or self.parameters is None:
            return
        with self.quietly():
            self.views.synchronize()
            self.method.refresh()
        self._outcome = ""
        self.results.refresh()
        self._refreshButtons()

    @contextmanager
    def quietly(self) -> Iterator[None]:
        """Changes of the parameters and widgets in here are not taken for the user's."""
        before, self.updating = self.updating, True
        try:
            yield
        finally:
            self.updating = before

    def refresh(self) -> None:
        """Bring everything in line."""
        self.onParametersModified()
        if self.parameters is None:
            with self.quietly():
                self.method.refresh()
        self._refreshButtons()

    def problem(self) -> str:
        """Return one sentence on why Apply is not possible, "" if it is."""
        if self.parameters is None:
            return _("The scene is closing.")
        return self.views.problem() or self.method.problem()

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
        reconstructing, creating = (running and self._doing == doing for doing in ("apply", "create"))
        button = self.ui.applyButton
        button.setText(_("Cancel") if reconstructing else _("Apply"))
        button.setEnabled(reconstructing or not (running or problem))
        button.setToolTip(
            _("Stop the reconstruction.") if reconstructing else problem or _("Reconstruct the coronary tree in 3D.")
        )
        self.ui.createButton.setText(_("Cancel") if creating else _("Create"))
        self.ui.createButton.setEnabled(creating or (not running and self.parameters is not None))
        self.views.refreshButtons(running, running and self._doing == "views")
        self.side.refresh()
        self.ui.progressBar.setVisible(running)
        if not running:
            self.ui.statusLabel.setText(self._outcome or problem or _("Ready."))

    # ---- running ----------------------------------------------------------------------------

    def onApply(self, *_args: Any) -> None:
        """Start the reconstruction, or cancel the one that is running."""
        if self.logic.running or not self.problem():
            self.startOrCancel(self._start, "apply")

    def onCreate(self, *_args: Any) -> None:
        """Start making a synthetic case, or cancel the one that is being made."""
        if self.parameters is not None:
            self.startOrCancel(self._startCreating, "create")

    def startOrCancel(self, start: Callable[[], None], doing: str) -> None:
        """Start work in the worker, or cancel what is running.

        :param doing: what it is for: "apply", "create" or "views".
        """
        if self.logic.running:
            self.ui.statusLabel.setText(_("Cancelling..."))
            self.logic.cancel()
            return
        self._doing = doing
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
        self.logic.startSyntheticCase(**syntheticOptions(self.parameters), **self.callbacks(self.onCreated))

    def _start(self) -> None:
        parameters, spec = self.parameters, self.method.method()
        self.installation.ensureInstalled(spec)
        chosen = OutputNodes(**{field: getattr(parameters, name) for field, name in OUTPUTS.items()})
        self.logic.startReconstruction(
            self.views.nodes(),
            method=spec.name,
            settings=self.method.settings(),
            side=parameters.side.value,
            device=parameters.device.value,
            calibrate=parameters.calibrate,
            spacingMm=parameters.spacingMm,
            segmentOfInterest=self.views.vessels.marked(self.views.used),
            outputs=chosen,
            **self.callbacks(self.onFinished),
        )

    def callbacks(self, onFinished: Callable[[Any], None]) -> dict[str, Callable[..., None]]:
        """Return what a worker reports to."""
        return {
            "onProgress": self.onProgress,
            "onLog": self.onLog,
            "onFinished": onFinished,
            "onFailed": self.onFailed,
        }

    def onProgress(self, fraction: float, message: str) -> None:
        """Show how far the worker is."""
        self.installation.settled()
        self.ui.progressBar.setValue(round(100 * fraction))
        left = self._timeLeft.words(fraction)
        self.ui.statusLabel.setText(f"{message}, {left}" if left else message)

    def onLog(self, line: str) -> None:
        """Add a line to the log."""
        self.ui.logTextEdit.appendPlainText(line)

    def onFinished(self, outputs: OutputNodes) -> None:
        """Show the result."""
        if self.parameters is not None:
            with self.quietly():
                for field, name in OUTPUTS.items():
                    setattr(self.parameters, name, getattr(outputs, field))
        for line in wordsOn(outputs):
            self.onLog(line)
        with self.quietly():
            self.results.show(outputs)
        self._end(summaryOf(outputs))

    def onCreated(self, case: Any) -> None:
        """Choose the views of a synthetic case and show its truth."""
        if self.parameters is not None:
            with self.quietly():
                self.parameters.viewCount = 2
                self.parameters.view0, self.parameters.view1 = case.views[:2]
            self.onParametersModified()
        side, branches = case.parameters["side"], case.parameters["tree"]["branches"]
        self.onLog(_("Synthetic {side} tree: {branches}").format(side=side, branches=", ".join(branches)))
        self._end(_("Synthetic case created and chosen as views; Apply reconstructs it."))
        self.application.showSegmentation(case.segmentation)

    def onFailed(self, message: str, cancelled: bool) -> None:
        """Say in one line why there is no result."""
        self.views.stopped()
        if not cancelled:
            self.onLog(message)
        self._end(_("Cancelled; nothing was changed.") if cancelled else message)

    def finish(self, outcome: str) -> None:
        """Show what the worker has done in the views."""
        self.refresh()
        self._end(outcome)

    def _end(self, outcome: str) -> None:
        self._outcome, self._doing = outcome, ""
        self._refreshButtons()

    # ---- buttons ----------------------------------------------------------------------------

    def onCopyLog(self, *_args: Any) -> None:
        """Copy the log to the clipboard."""
        self.application.copyText(self.ui.logTextEdit.toPlainText())


def wordsOn(outputs: OutputNodes) -> list[str]:
    """Return what is to be told of a result, a line each: notes, warnings, the side, the Dice with the truth.

    That the side is not clear is among the warnings.
    """
    warnings = [_("Warning: {warning}").format(warning=warning) for warning in outputs.warnings]
    side = [] if outputs.side is None or outputs.side.used == "auto" else [sideText(outputs.side)]
    truth = [] if outputs.truthDice is None else [truthText(outputs.truthDice)]
    return [*outputs.notes, *warnings, *side, *truth]


def summaryOf(outputs: OutputNodes) -> str:
    """Return in one line how good a result is, and whether there are warnings."""
    fits = _(" and ").join(f"{fit.coverage:.1%}" for fit in outputs.fits)
    words = [_("Done. The result covers {fits} of the masks.").format(fits=fits)]
    if outputs.truthDice is not None:
        words.append(truthText(outputs.truthDice))
    if outputs.side is not None and outputs.side.used == "auto":
        words.append(_("Left or right? Answer in section 2."))
    if len(outputs.warnings) == 1:
        words.append(_("One warning, see the log."))
    elif outputs.warnings:
        words.append(_("{count} warnings, see the log.").format(count=len(outputs.warnings)))
    return " ".join(words)


def truthText(dice: float) -> str:
    """Return one sentence on the Dice with the truth."""
    return _("Dice with the truth: {dice:.3f}.").format(dice=dice)
