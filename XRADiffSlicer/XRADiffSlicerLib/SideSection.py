"""What the masks say of the coronary side, in section 2 of the panel, and the question where they do not say."""

from __future__ import annotations

from typing import Any

from slicer.i18n import tr as _

from .Outputs import sideOf
from .Parameters import Side
from .ResultViews import overlaysOf, viewOf


class SideSection:
    """Behavior of the row below the side in Resources/UI/Method.ui.

    :param ui: the widgets of the form, by name.
    :param panel: has `parameters`, `views`, `method`, `logic` and `onApply`.
    """

    def __init__(self, ui: Any, panel: Any) -> None:
        self.ui, self.panel = ui, panel
        ui.leftSideButton.clicked.connect(lambda *_args: self.onAnswer(Side.LEFT))
        ui.rightSideButton.clicked.connect(lambda *_args: self.onAnswer(Side.RIGHT))

    def found(self) -> Any:
        """Return what was found of the views that are chosen, None where that is not known or the user said it."""
        parameters = self.panel.parameters
        if parameters is None or parameters.side is not Side.AUTO:
            return None
        segmentation = parameters.outputSegmentation
        seen = [viewOf(overlay) for overlay in overlaysOf(segmentation)]
        chosen = [form.image(parameters) for form in self.panel.views.used]
        return sideOf(segmentation) if seen and seen == chosen else None

    def refresh(self) -> None:
        """Show what was found, and the buttons of the answer where it is not sure."""
        found = self.found()
        words = self._beforehand() if found is None else sideText(found)
        self.ui.sideFoundLabel.setText(words)
        self.ui.sideFoundLabel.setVisible(bool(words))
        for button in (self.ui.leftSideButton, self.ui.rightSideButton):
            button.setVisible(found is not None and found.used == "auto")
            button.setEnabled(not self.panel.logic.running)

    def _beforehand(self) -> str:
        """What to expect of the next run: only methods with weights need the side, and looking takes PyTorch."""
        parameters = self.panel.parameters
        asked = parameters is not None and parameters.side is Side.AUTO and self.panel.method.method().weights
        return _("The run finds it in the masks, and asks afterwards where it is not clear.") if asked else ""

    def onAnswer(self, side: Side) -> None:
        """Take the user's word for the side and reconstruct again."""
        if self.panel.parameters is not None and not self.panel.logic.running:
            self.panel.parameters.side = side
            self.panel.onApply()


def sideText(found: Any) -> str:
    """Return what the masks say, in words.

    :param found: `likely`, `probability` and `used` of `xradiff.masks.side.SideFinding.record`.
    """
    side = {"left": _("left"), "right": _("right")}[found.likely]
    if found.used == "auto":
        words = _("It is not clear whether the masks show a left or a right tree ({side}: {share:.0%}). Which is it?")
        return words.format(side=side, share=found.probability)
    share = _("more than 99.9%") if found.probability > 0.999 else f"{found.probability:.1%}"
    return _("The masks show a {side} tree (probability {share}).").format(side=side, share=share)
