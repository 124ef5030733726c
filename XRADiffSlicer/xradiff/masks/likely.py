"""What a method of segmentation says of a frame, before clean-up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Likely"]


@dataclass(frozen=True, eq=False)
class Likely:
    """Vessels of a frame as a method sees them.

    Attributes:
        probability: (rows, columns) in [0, 1]; a rank of belief, not calibrated.
        vessel: (rows, columns) pixels that are vessel if their part holds a certain one.
        certain: (rows, columns) pixels that are vessel for certain.
        notes: what the user should know, one sentence each.
    """

    probability: NDArray[np.float32]
    vessel: NDArray[np.bool_]
    certain: NDArray[np.bool_]
    notes: tuple[str, ...]
