"""clDice: do two tubular masks agree along their skeletons?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .overlap import precision
from .thinning import skeleton

__all__ = ["ClDice", "cldice"]

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class ClDice:
    """Agreement of two tubular masks along their skeletons (Shit et al. 2021, doi:10.1109/CVPR46437.2021.01629).

    Attributes:
        precision: fraction of the result's skeleton inside the reference.
        sensitivity: fraction of the reference's skeleton inside the result.
    """

    precision: float
    sensitivity: float

    @property
    def value(self) -> float:
        """Harmonic mean of the two (AutoCAR eq. 18); 0 where both are 0."""
        total = self.precision + self.sensitivity
        return 2 * self.precision * self.sensitivity / total if total else 0.0


def cldice(result: Mask, reference: Mask, *, skeletons: tuple[Mask, Mask] | None = None) -> ClDice:
    """Return clDice of two 3D masks of one shape.

    SDF-CAR prints the Dice of two skeletons under this name, which is another and much smaller
    number. 1 for a part whose skeleton is empty.

    Args:
        result: (nx, ny, nz) boolean.
        reference: the same shape.
        skeletons: of result and reference, where they are known already.

    Raises:
        InputError: the shapes differ, or the masks are not 3D.
    """
    own, other = skeletons or (skeleton(result), skeleton(reference))
    return ClDice(precision(own, reference), precision(other, result))
