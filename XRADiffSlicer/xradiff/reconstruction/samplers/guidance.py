"""Classifier-free guidance: one network call for the conditional and the unconditional half."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["NoisePredictor", "guided"]

NoisePredictor = Callable[[Tensor, Tensor], Tensor]
"""Noise (B, ...) in x_t (B, ...) at time steps (B,)."""


def guided(conditional_then_not: NoisePredictor, scale: float) -> NoisePredictor:
    """Return the guided noise predictor eps_u + scale (eps_c - eps_u).

    Ho and Salimans 2022 (arXiv:2207.12598) with XRA-Diff's gamma as `scale`: 0 is unconditional, 1
    conditional, more pushes away from the unconditional prediction.

    Args:
        conditional_then_not: predicts the noise of a batch whose first half has its condition and
            whose second half, the same volumes again, has none.
        scale: the guidance scale gamma.
    """

    def predict(noisy: Tensor, times: Tensor) -> Tensor:
        both = conditional_then_not(torch.cat([noisy, noisy]), torch.cat([times, times]))
        conditional, unconditional = both.chunk(2)
        return unconditional + scale * (conditional - unconditional)

    return predict
