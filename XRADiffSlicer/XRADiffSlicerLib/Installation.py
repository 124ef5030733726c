"""The section "Weights and installation" of the panel: what is there, where, how large, and how it is changed."""

from __future__ import annotations

import html
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from .Packages import Package, listPackages

WEIGHTS_SETTING, WHEELS_SETTING = "XRADiffSlicer/WeightsFolder", "XRADiffSlicer/WheelFolder"
RESUME_SETTING = "XRADiffSlicer/ResumeAfterRestart"
WEIGHTS_VARIABLE = "XRADIFF_WEIGHTS"  # read by the core, here and in worker processes


class InstallationSection:
    """Behavior of Resources/UI/Installation.ui. Folders are settings of the user, not of a scene.

    :param ui: the widgets of the form, by name.
    :param logic: see `Logic.ReconstructionLogic`; runs what takes long in a worker process.
    :param application: see `Application.Application`.
    :param say: called with one line for the user.
    :param chosenMethod: returns the spec of the method that the panel shows.
    """

    def __init__(
        self,
        ui: Any,
        logic: Any,
        application: Any,
        say: Callable[[str], None],
        chosenMethod: Callable[[], Any],
    ) -> None:
        self.ui, self.logic, self.application = ui, logic, application
        self._say, self._chosenMethod = say, chosenMethod
        self._weights: tuple[Any, ...] = ()
        self._filled = self._unsettled = False
        _useWeightsFolder(application.setting(WEIGHTS_SETTING))
        ui.weightsFolderEdit.setText(application.setting(WEIGHTS_SETTING))
        ui.wheelFolderEdit.setText(application.setting(WHEELS_SETTING))
        ui.weightsFolderEdit.editingFinished.connect(self.onFolders)
        ui.wheelFolderEdit.editingFinished.connect(self.onFolders)
        ui.weightsFolderButton.clicked.connect(lambda *_args: self.onChooseFolder(ui.weightsFolderEdit))
        ui.wheelFolderButton.clicked.connect(lambda *_args: self.onChooseFolder(ui.wheelFolderEdit))
        ui.weightsSelector.currentIndexChanged.connect(self.onWeights)
        ui.verifyWeightsButton.clicked.connect(self.onVerify)
        ui.addWeightsButton.clicked.connect(self.onAdd)
        ui.removeWeightsButton.clicked.connect(self.onRemove)
        ui.installButton.clicked.connect(self.onInstall)
        ui.installationCollapsibleButton.contentsCollapsed.connect(self.onCollapsed)

    # ---- packages ---------------------------------------------------------------------------

    def ensureInstalled(self, spec: Any) -> None:
        """Make sure that a method has its packages; where Slicer is restarted for that, it comes back to this module.

        :raises RuntimeError: the user declined, or a package cannot be had; the message says what to do.
        """
        wheels = self.application.setting(WHEELS_SETTING)
        self.application.storeSetting(RESUME_SETTING, f"{os.getpid()} {spec.name}")
        self._unsettled, self._filled = True, False
        try:
            with tempfile.TemporaryDirectory(prefix="XRADiffSlicer-") as folder:
                self.application.ensureInstalled(spec.needs, Path(folder), Path(wheels) if wheels else None)
        except RuntimeError:
            self.settled()
            raise

    def settled(self) -> None:
        """Slicer was not restarted: there is nothing to come back to."""
        if self._unsettled:
            self._unsettled = False
            self.application.storeSetting(RESUME_SETTING, "")

    def onInstall(self, *_args: Any) -> None:
        """Install what the chosen method lacks."""
        try:
            self.ensureInstalled(self._chosenMethod())
        except RuntimeError as error:
            self._say(str(error))
        else:
            self.settled()
            self._say(_("The packages of {method} are there.").format(method=self._chosenMethod().title))
        self.fill()

    # ---- what is there ----------------------------------------------------------------------

    def onCollapsed(self, collapsed: bool) -> None:
        """Look at the disk when the section is opened, not before."""
        if not collapsed and not self._filled:
            self.fill()

    def fill(self) -> None:
        """Look at the disk and show what is there."""
        from xradiff.reconstruction.installed import list_weights
        from xradiff.reconstruction.registry import list_methods

        self._filled = True
        self.ui.packagesLabel.setText(packagesText(listPackages(list_methods())))
        self._weights = list_weights()
        selector = self.ui.weightsSelector
        index = max(selector.property("currentIndex"), 0)
        blocked = selector.blockSignals(True)
        selector.clear()
        for found in self._weights:
            selector.addItem(found.name if found.path else _("{name} (missing)").format(name=found.name), found.name)
        selector.setCurrentIndex(index)
        selector.blockSignals(blocked)
        self.onWeights()

    def _chosenWeights(self) -> Any:
        index = self.ui.weightsSelector.property("currentIndex")
        return self._weights[index] if 0 <= index < len(self._weights) else None

    def onWeights(self, *_args: Any) -> None:
        """Show the chosen weights."""
        found = self._chosenWeights()
        self.ui.weightsLabel.setText(weightsText(found) if found is not None else "")
        there = found is not None and found.path is not None
        self.ui.verifyWeightsButton.setEnabled(there)
        self.ui.removeWeightsButton.setEnabled(there and not found.shipped)

    # ---- weights ----------------------------------------------------------------------------

    def onVerify(self, *_args: Any) -> None:
        """Compare the chosen weights with their checksum."""
        self._work(["--verify", self._chosenWeights().name])

    def onAdd(self, *_args: Any) -> None:
        """Add weights from a file."""
        path = self.application.chooseFile(_("Weights"), _("Weights (*.safetensors)"))
        if path:
            self._work(["--add", path])

    def onRemove(self, *_args: Any) -> None:
        """Delete the chosen weights."""
        self._work(["--remove", self._chosenWeights().name])

    def _work(self, arguments: list[str]) -> None:
        def done(message: str) -> None:
            self.fill()
            self._say(message)

        try:
            self.logic.startWeightsCommand(
                arguments, onFinished=done, onFailed=lambda message, _cancelled: done(message)
            )
        except RuntimeError as error:
            self._say(str(error))

    # ---- folders ----------------------------------------------------------------------------

    def onChooseFolder(self, edit: Any) -> None:
        """Choose one of the folders."""
        if folder := self.application.chooseFolder(_("Folder")):
            edit.setText(folder)
            self.onFolders()

    def onFolders(self) -> None:
        """Remember the folders."""
        for edit, setting in ((self.ui.weightsFolderEdit, WEIGHTS_SETTING), (self.ui.wheelFolderEdit, WHEELS_SETTING)):
            folder = str(edit.property("text")).strip()
            if folder and not Path(folder).is_dir():
                self._say(_("{folder} is not a folder.").format(folder=folder))
            elif folder != self.application.setting(setting):
                self.application.storeSetting(setting, folder)
        _useWeightsFolder(self.application.setting(WEIGHTS_SETTING))
        self.fill()


def interruptedMethod(application: Any) -> str:
    """Return the method for which Slicer was restarted while its packages were installed, "" if it was not."""
    process, _space, name = application.setting(RESUME_SETTING).partition(" ")
    return name if process != str(os.getpid()) else ""


def _useWeightsFolder(folder: str) -> None:
    """Look for weights in `folder` first; "" leaves a folder that was set outside Slicer alone."""
    if folder:
        os.environ[WEIGHTS_VARIABLE] = folder


def packagesText(packages: list[Package]) -> str:
    """Return a table of packages as rich text."""
    rows = [
        (found.name, found.version, megabytes(found.size), found.licence, found.folder)
        if found.version
        else (found.name, _("missing"), "", "", "")
        for found in packages
    ]
    cells = "".join(
        "<tr>" + "".join(f"<td>{html.escape(word)}&nbsp;&nbsp;</td>" for word in row[:4]) + "</tr>" for row in rows
    )
    folders = "<br>".join(dict.fromkeys(html.escape(row[4]) for row in rows if row[4]))
    return f"<table>{cells}</table>{folders}"


def weightsText(found: Any) -> str:
    """Return what is known of a weight file as rich text."""
    if found.path is None:
        return _("For the method {method}. Missing: load them from a file.").format(method=found.method)
    part = _("part of the extension") if found.shipped else _("added by you")
    licence = html.escape(found.licence)
    words = _("For the method {method}, {size}, {part}. Licence: {licence}.")
    text = words.format(method=found.method, size=megabytes(found.size), part=part, licence=licence)
    return f"{text}<br>{html.escape(str(found.path))}"


def megabytes(size: int) -> str:
    """Return a size in megabytes for people."""
    return f"{size / 1e6:.1f} MB" if size < 1e9 else f"{size / 1e9:.1f} GB"
