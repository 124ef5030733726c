"""Section 2 of the panel: method, its settings from its config dataclass, device, and what a run will cost."""

from __future__ import annotations

import json
from typing import Any

from slicer.i18n import tr as _

from .Estimates import estimateText
from .SettingsForm import SettingsForm


class MethodSection:
    """Behavior of Resources/UI/Method.ui. Settings that differ from their defaults are kept in the parameters.

    :param ui: the widgets of the form, by name.
    :param panel: has `parameters` and `application`.
    """

    def __init__(self, ui: Any, panel: Any) -> None:
        from xradiff.reconstruction.registry import list_methods

        self.ui = ui
        self.panel = panel
        self.methods = list_methods()
        self._built = ""
        self.basic = SettingsForm(ui.basicSettingsWidget, panel.application, self.onSetting)
        self.more = SettingsForm(ui.moreSettingsWidget, panel.application, self.onSetting)
        for spec in self.methods:
            ui.methodSelector.addItem(spec.title, spec.name)
        ui.methodSelector.currentIndexChanged.connect(self.onMethod)
        ui.resetSettingsButton.clicked.connect(lambda *_args: self.onReset())

    def method(self) -> Any:
        """Return the spec of the chosen method."""
        name = self.panel.parameters.method if self.panel.parameters is not None else ""
        return next((spec for spec in self.methods if spec.name == name), self.methods[0])

    def settings(self) -> dict[str, Any]:
        """Return the settings of the chosen method that differ from their defaults."""
        return dict(self._all().get(self.method().name, {}))

    def problem(self) -> str:
        """Return one sentence on a setting that is not accepted, "" if all are."""
        from xradiff.config import config_from
        from xradiff.errors import InputError
        from xradiff.reconstruction.registry import config_class

        spec = self.method()
        try:
            config_from(config_class(spec), self.settings())
        except InputError as error:
            return f"{spec.title}: {error}."
        if self.panel.parameters.device.value == "cuda" and "torch" not in spec.needs:
            return _("{title} runs on the CPU only; choose the device Automatic or CPU.").format(title=spec.title)
        return ""

    def refresh(self) -> None:
        """Show the chosen method, its settings, its cost and the device."""
        from xradiff.config import describe
        from xradiff.devices import expected_device
        from xradiff.memory import available_bytes
        from xradiff.reconstruction.registry import config_class

        spec = self.method()
        self.ui.methodSelector.setCurrentIndex(self.methods.index(spec))
        self.ui.methodDescriptionLabel.setText(spec.description)
        self.ui.methodDescriptionLabel.setToolTip(spec.reference)
        device = expected_device("torch" in spec.needs)
        wanted = self.panel.parameters.device.value if self.panel.parameters is not None else "auto"
        self.ui.deviceLabel.setText(deviceText(device, wanted))
        runsOn = device.name if wanted == "auto" else wanted
        self.ui.estimateLabel.setText(estimateText(spec, runsOn, available_bytes()))
        if self._built != spec.name:
            self._built = spec.name
            fields = describe(config_class(spec))
            self.basic.build([field for field in fields if field["basic"]])
            self.more.build([field for field in fields if not field["basic"]])
        for form in (self.basic, self.more):
            form.show(self.settings())
        self.ui.moreSettingsGroupBox.setVisible(bool(self.more.fields))

    def onMethod(self, choice: Any) -> None:
        """Remember the chosen method: its index, or its title as Qt 5 may say it."""
        if self.panel.updating:
            return
        for index, spec in enumerate(self.methods):
            if self.panel.parameters is not None and choice in (index, spec.title):
                self.panel.parameters.method = spec.name
        self.panel.refresh()

    def onSetting(self, name: str, value: Any, default: Any) -> None:
        """Keep a setting that the user changed."""
        if self.panel.parameters is None:
            return
        settings = self.settings()
        settings.pop(name, None)
        if value != default:
            settings[name] = value
        self._keep(settings)

    def onReset(self) -> None:
        """Set all settings of the chosen method back to their defaults."""
        if self.panel.parameters is not None:
            self._keep({})

    def _all(self) -> dict[str, dict[str, Any]]:
        text = self.panel.parameters.methodSettings if self.panel.parameters is not None else ""
        kept: dict[str, dict[str, Any]] = json.loads(text or "{}")
        return kept

    def _keep(self, settings: dict[str, Any]) -> None:
        kept = {**self._all(), self.method().name: settings}
        self.panel.parameters.methodSettings = json.dumps({name: own for name, own in kept.items() if own})
        self.panel.refresh()


def deviceText(device: Any, wanted: str) -> str:
    """Return where a run will take place and why.

    :param device: what is expected of "auto", see `xradiff.devices.expected_device`.
    :param wanted: "auto", "cpu" or "cuda".
    """
    if wanted == "cuda" and device.name == "cpu":
        return _("CUDA will most likely fail: {reason}.").format(reason=device.reason)
    name = {"cpu": "CPU", "cuda": "CUDA"}[device.name if wanted == "auto" else wanted]
    return _("{name}: {reason}.").format(name=name, reason=device.reason if wanted == "auto" else _("as chosen"))
