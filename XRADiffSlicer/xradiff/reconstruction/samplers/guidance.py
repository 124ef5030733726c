"""Classifier-free guidance: one network call for the conditional and the unconditional half."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["Predictor", "guided"]

Predictor = Callable[[Tensor, Tensor], Tensor]
"""x_t (B, ...) at time steps (B,) -> what the schedule says is predicted: noise, x_0 or velocity (B, ...)."""


def guided(conditional_then_not: Predictor, scale: float) -> Predictor:
    """Return the guided predictor p_u + scale (p_c - p_u).

    Ho and Salimans 2022 (arXiv:2207.12598) with XRA-Diff's gamma as `scale`: 0 is unconditional, 1
    conditional, more pushes away from the unconditional prediction. At a time step noise, x_0 and velocity depend on
    each other linearly, so that guiding any of them is the same.

    Args:
        conditional_then_not: predicts for a batch whose first half has its condition and
            whose second half, the same volumes again, has none.
        scale: the guidance scale gamma.
    """

    def predict(noisy: Tensor, times: Tensor) -> Tensor:
        both = conditional_then_not(torch.cat([noisy, noisy]), torch.cat([times, times]))
        conditional, unconditional = both.chunk(2)
        return unconditional + scale * (conditional - unconditional)

    return predict
