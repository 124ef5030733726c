"""Cases of several kinds in one training: exact, damaged, moved, thick, with more views, each with its share."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..checks import check_choice, check_range
from ..datatypes import AngiogramView
from ..geometry import camera_of
from ..geometry.epipolar import epipolar_normal
from ..reconstruction.trainable import VesselTruth
from ..synthetic.case import CaseOptions, SyntheticCase, draw_case
from .truth import TreeTruth

__all__ = ["MIXTURES", "Ingredient", "MixedCases", "aligned"]

ACROSS_MM, WITHIN_MM, BASELINE_MM = 0.15, 1.5, 3.0
"""Standard deviations of what calibration leaves of a shift between two views: across the epipolar planes it
is found, within them hardly, along the line of the sources not at all."""


@dataclass(frozen=True)
class Ingredient:
    """One kind of cases.

    Attributes:
        share: of all cases, relative to the other kinds.
        options: of the cases.
        aligned: whether a shift between the views is corrected as well as calibration would.
    """

    share: float
    options: CaseOptions
    aligned: bool = False


def _kinds(*kinds: tuple[float, dict[str, Any]]) -> tuple[Ingredient, ...]:
    return tuple(
        Ingredient(share, CaseOptions(**words), words.get("motion", "none") != "none") for share, words in kinds
    )


MIXTURES: dict[str, tuple[Ingredient, ...]] = {
    "exact": _kinds((0.75, {}), (0.25, {"poses": "autocar"})),
    "broad": _kinds(
        (0.38, {}),
        (0.10, {"poses": "autocar"}),
        (0.05, {"thickness": "manual_mask"}),
        (0.10, {"thickness": "cta_label"}),
        (0.08, {"corruption": 0.5}),
        (0.04, {"corruption": 0.5, "thickness": "manual_mask", "poses": "clinical"}),
        (0.04, {"poses": "clinical", "views": 3}),
        (0.03, {"poses": "autocar", "views": 4}),
        (0.09, {"motion": "heart"}),
        (0.09, {"motion": "heart", "corruption": 0.5}),
    ),
    "views": _kinds(
        (0.32, {}),
        (0.08, {"poses": "autocar"}),
        (0.03, {"thickness": "manual_mask"}),
        (0.08, {"thickness": "cta_label"}),
        (0.06, {"corruption": 0.5}),
        (0.15, {"poses": "clinical", "views": 3}),
        (0.03, {"poses": "clinical", "views": 3, "corruption": 0.5, "thickness": "manual_mask"}),
        (0.04, {"poses": "clinical", "views": 3, "motion": "heart"}),
        (0.08, {"poses": "clinical", "views": 4}),
        (0.03, {"poses": "autocar", "views": 4}),
        (0.05, {"motion": "heart"}),
        (0.05, {"motion": "heart", "corruption": 0.5}),
    ),
}
"""What `train --mixture` knows: "views" has three or four of them in a third of its cases, "broad" in 7 %."""


class MixedCases:
    """Synthetic cases of a mixture, in memory; the number alone decides of which kind a case is.

    Raises:
        InputError: an unknown mixture, or no case.
    """

    def __init__(self, mixture: str, seed: int, count: int) -> None:
        check_choice("mixture", mixture, tuple(MIXTURES))
        check_range("number of cases", count, 1)
        self.mixture, self.seed, self._count, self.drawn = mixture, seed, int(count), True

    @property
    def count(self) -> int:
        """Number of cases."""
        return self._count

    def kind(self, number: int) -> Ingredient:
        """Return of which kind case `number` is."""
        return self._drawn(number)[0]

    def case(self, number: int) -> tuple[tuple[AngiogramView, ...], VesselTruth]:
        """Return views and truth of case `number`."""
        kind, chance = self._drawn(number)
        case = draw_case(kind.options, self.seed, number)
        if not kind.aligned:
            return case.views, TreeTruth(case.subject.tree, kind.options.exact_masks)
        views, shift = aligned(case, chance)
        tree = case.subject.tree.with_points(case.subject.tree.points_lps_mm() + shift)
        return views, TreeTruth(tree, kind.options.exact_masks)

    def _drawn(self, number: int) -> tuple[Ingredient, np.random.Generator]:
        """Return the kind of a case and what draws the rest of it."""
        kinds = MIXTURES[self.mixture]
        chance = np.random.default_rng((self.seed, number))
        shares = np.array([kind.share for kind in kinds])
        return kinds[chance.choice(len(kinds), p=shares / shares.sum())], chance

    def describe(self) -> dict[str, Any]:
        """Return mixture and seed."""
        kinds = [
            {"share": kind.share, "aligned": kind.aligned} | asdict(kind.options) for kind in MIXTURES[self.mixture]
        ]
        return {"mixture": kinds, "seed": self.seed, "cases": self.count}


def aligned(case: SyntheticCase, chance: np.random.Generator) -> tuple[tuple[AngiogramView, ...], NDArray[np.float64]]:
    """Return the views with the tree's mean shift in their geometry, as well as calibration finds it.

    What is left of a shift within the epipolar planes moves what the views agree on and can be told by nobody: with
    it comes by how much, (3,) LPS mm, the point nearest to all rays of the tree's middle (see `triangulate`).
    """
    first = case.views[0]
    middle = case.subject.tree.points_lps_mm().mean(axis=0)
    moved, displaced = [first], [np.zeros(3)]  # the other way round than the patient: where its rays pass the middle
    for view, shift in zip(case.views[1:], case.parameters["true_shift_lps_mm"][1:], strict=True):
        error = _calibration_error(first, view, chance)
        displaced.append(-error)
        moved.append(view.with_acquisition(replace(view.acquisition).shifted(np.asarray(shift) + error)))
    rays = np.stack([middle + way - camera_of(view).source for view, way in zip(moved, displaced, strict=True)])
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    across = np.eye(3) - rays[:, :, None] * rays[:, None, :]
    seen = np.linalg.solve(across.sum(axis=0), np.einsum("vij,vj->i", across, np.stack(displaced)))
    return tuple(moved), seen


def _calibration_error(a: AngiogramView, b: AngiogramView, chance: np.random.Generator) -> NDArray[np.float64]:
    """Return an error (3,) in LPS mm: small across the epipolar planes, larger where two masks tell little."""
    across = epipolar_normal(camera_of(a), camera_of(b))
    baseline = camera_of(b).source - camera_of(a).source
    baseline = baseline - (baseline @ across) * across
    baseline /= np.linalg.norm(baseline)
    axes = np.stack([across, np.cross(across, baseline), baseline])
    error: NDArray[np.float64] = (chance.normal(size=3) * [ACROSS_MM, WITHIN_MM, BASELINE_MM]) @ axes
    return error
