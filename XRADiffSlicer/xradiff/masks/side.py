"""Vessel masks -> whether they show the left or the right coronary tree, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..datatypes import AngiogramView
from ..errors import InputError, MissingDependencyError
from ..weights import find_weights, open_weights, read_tensors

__all__ = ["SIDES", "WEIGHTS", "SideFinding", "find_side"]

SIDES = ("auto", "left", "right")
WEIGHTS = "side"
SURE = 0.95
"""Least probability of a side that counts as known."""


@dataclass(frozen=True)
class SideFinding:
    """What the masks say of the side.

    Attributes:
        left: probability, 0 to 1, that the tree is the left one; the right one has the rest.
        weights: SHA-256 of the network's weights.
    """

    left: float
    weights: str

    @property
    def likely(self) -> str:
        """Return the side that is more probable, "left" or "right"."""
        return "left" if self.left >= 0.5 else "right"

    @property
    def probability(self) -> float:
        """Return the probability of that side, 0.5 to 1."""
        return max(self.left, 1 - self.left)

    @property
    def side(self) -> str:
        """Return "left" or "right" where that is sure, else "auto": not known."""
        return self.likely if self.probability >= SURE else "auto"

    def record(self) -> dict[str, str | float]:
        """Return what run.json holds of it."""
        found: dict[str, str | float] = {"likely": self.likely, "probability": round(self.probability, 6)}
        return found | {"used": self.side, "weights": self.weights}

    @property
    def note(self) -> str:
        """Return one sentence for the user: what was found, or what to do."""
        if self.side == "auto":
            return (
                f"It is not clear whether the masks show a left or a right coronary tree ({self.likely}: "
                f"{self.probability:.0%}); the side was taken as unknown. Choose left or right (--side in the shell)."
            )
        certain = "more than 99.9%" if self.probability > 0.999 else f"{self.probability:.1%}"
        other = "right" if self.likely == "left" else "left"
        return f"The masks show a {self.likely} coronary tree (probability {certain}); --side {other} overrides this."


def find_side(views: Sequence[AngiogramView]) -> SideFinding:
    """Return which tree the masks of one or more views show.

    Raises:
        InputError: no view, a view without a mask, or damaged weights.
        MissingDependencyError: torch, safetensors or the weights are missing.
    """
    if not views:
        raise InputError("the side is found from the masks of one or more views, got none")
    for view in views:
        view.vessel_mask()
    try:
        import torch

        from .side_network import SideNetwork, logit_of, shapes_of
    except ImportError as error:
        raise MissingDependencyError("the side is found by a network: install torch, or choose the side") from error
    weights = open_weights(
        find_weights(WEIGHTS, "train some with: python -m xradiff.training.side --out DIR"), WEIGHTS
    )
    with torch.device("meta"):
        network = SideNetwork()
    network.load_state_dict(read_tensors(weights, shapes_of(network)), assign=True)
    logit = float(weights.recipe["scale"]) * logit_of(network.eval(), views)
    return SideFinding(float(1 / (1 + np.exp(-np.clip(logit, -30, 30)))), weights.sha256)
