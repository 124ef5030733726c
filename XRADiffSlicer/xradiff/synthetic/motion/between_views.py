"""What happened between the views of a case, as a list of motions for each view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .cardiac import CardiacMotion, draw_cardiac
from .rigid import draw_rigid
from .smooth import smooth_deformation
from .tree import Motion

__all__ = ["MOTIONS", "ViewMotion", "draw_view_motions"]

MOTIONS = ("none", "rigid", "heart", "image")
_PHASE_SD = 0.045  # 40 ms at 70 beats a minute: what phase matching by hand leaves
_RESIDUAL_MM, _RESIDUAL_WAVELENGTH_MM = (0.5, 1.5), 45.0


class _Heart(Protocol):
    """What a moving subject says about itself; positions (3,) in LPS mm."""

    @property
    def base_lps_mm(self) -> NDArray[np.float64]: ...
    @property
    def apex_lps_mm(self) -> NDArray[np.float64]: ...
    @property
    def middle_lps_mm(self) -> NDArray[np.float64]: ...


@dataclass(frozen=True)
class ViewMotion:
    """How the patient differs in one view from the first.

    Attributes:
        heart: the beating, None where it stands still.
        phase: phase of the heart at which the view's mask is taken, in [0, 1).
        others: what comes after it: deformation, breathing.
    """

    heart: CardiacMotion | None = None
    phase: float = 0.0
    others: tuple[Motion, ...] = ()

    @property
    def motions(self) -> tuple[Motion, ...]:
        """What to apply, in order, for the view's mask."""
        return self.at(self.phase)

    def at(self, phase: float) -> tuple[Motion, ...]:
        """Return what to apply, in order, at another phase of the heart."""
        if self.heart is None or phase == 0:
            return self.others
        return (self.heart.at(phase), *self.others)


def draw_view_motions(kind: str, heart: _Heart, views: int, rng: np.random.Generator) -> tuple[ViewMotion, ...]:
    """Return the motion of every view; the first view shows the reference position at end-diastole.

    Args:
        kind: "rigid" for breathing, "heart" for breathing, a phase that differs by 40 ms (SD) and a smooth
            deformation; otherwise nothing moves here.
        heart: what moves.
        views: how many views.
        rng: the only source of chance.
    """
    if kind not in ("rigid", "heart"):
        return (ViewMotion(),) * views
    middle = heart.middle_lps_mm
    centre = (float(middle[0]), float(middle[1]), float(middle[2]))
    if kind == "rigid":
        return (ViewMotion(), *(ViewMotion(others=(draw_rigid(rng, None, centre),)) for _ in range(views - 1)))
    beat = draw_cardiac(rng, heart.base_lps_mm.tolist(), heart.apex_lps_mm.tolist())
    found = [ViewMotion(beat)]
    for _ in range(views - 1):
        box = [middle - 80, middle + 80]
        residual = smooth_deformation(rng, box, float(rng.uniform(*_RESIDUAL_MM)), _RESIDUAL_WAVELENGTH_MM)
        phase = float(rng.normal(0, _PHASE_SD)) % 1.0
        found.append(ViewMotion(beat, phase, (residual, draw_rigid(rng, None, centre))))
    return tuple(found)
