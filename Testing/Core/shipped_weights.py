"""How well shipped weights of a method that works on a cube do on a new generated case, beside the backprojection."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from xradiff.quantification import dice
from xradiff.reconstruction.backprojection import backprojection_cube
from xradiff.reconstruction.interface import ReconstructionResult
from xradiff.synthetic.case import CaseOptions, draw_case
from xradiff.training.truth import TreeTruth

MODELS = Path(__file__).parents[2] / "XRADiffSlicer" / "Resources" / "Models"
MOST_BYTES = 16e6


def dice_beside_backprojection(reconstruct: Callable[..., ReconstructionResult], name: str, side: str, number: int):
    """Return Dice of `reconstruct(views, weights=PATH)` and of the backprojection, both cut at 0.5.

    The truth is every voxel that a vessel touches.
    """
    path = MODELS / f"{name}.safetensors"
    assert path.stat().st_size < MOST_BYTES
    assert path.with_suffix(".md").is_file()
    case = draw_case(CaseOptions(side=side), 2_000_003, number)
    found = reconstruct(case.views, weights=str(path)).volume
    grid = found.grid
    true = TreeTruth(case.subject.tree).occupancy(grid) > 0
    answer = np.zeros(grid.shape, dtype=bool)
    answer[tuple(found.indices[found.values >= 0.5].T)] = True
    given = backprojection_cube(case.views, grid.shape[0], grid.spacing_mm[0])
    np.testing.assert_allclose(given.grid.centre_lps_mm, grid.centre_lps_mm)
    return dice(answer, true), dice(given.values >= 0.5, true)
