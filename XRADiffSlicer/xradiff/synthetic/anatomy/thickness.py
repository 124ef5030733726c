"""The same tree as other sources of truth show it: CTA labels are thicker than the lumen, people's masks too.

The factors are our own reading of published masks: labels of coronary CT angiography are 1.5-2.5 times as
wide as the lumen, begin and end bluntly, and merge vessels that lie side by side.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from ...centreline_tree import Branch, CentrelineTree
from ...checks import check_choice

__all__ = ["THICKNESSES", "with_thickness"]

THICKNESSES = ("lumen", "cta_label", "manual_mask")
_LABEL_FACTOR = (1.5, 2.5)
_MANUAL_FACTOR = (0.95, 1.35)
_WAVE_MM = 8.0  # over which the thickness of a hand-drawn mask varies
_POINTS_PER_MM = 2.0


def with_thickness(tree: CentrelineTree, thickness: str, rng: np.random.Generator) -> CentrelineTree:
    """Return the tree as a source of truth shows it.

    Args:
        tree: tree with lumen radii.
        thickness: "lumen" as it is; "cta_label" 1.5-2.5 times as wide, without what CT does not resolve
            and with blunt ends; "manual_mask" 0.95-1.35 times as wide, uneven, thin ends missing.
        rng: the only source of chance.

    Raises:
        InputError: another thickness.
    """
    check_choice("thickness", thickness, THICKNESSES)
    if thickness == "lumen":
        return tree
    if thickness == "cta_label":
        factor, unseen, uneven = rng.uniform(*_LABEL_FACTOR), rng.uniform(1.2, 1.6), 0.06
    else:
        factor, unseen, uneven = rng.uniform(*_MANUAL_FACTOR), rng.uniform(0.9, 1.3), 0.12
    return _without_ends(_widened(tree, factor, uneven, rng), tree, unseen)


def _widened(tree: CentrelineTree, factor: float, uneven: float, rng: np.random.Generator) -> CentrelineTree:
    """Return the tree with radii times a factor that varies along each branch."""
    radii = []
    for branch in tree:
        noise = ndimage.gaussian_filter1d(rng.normal(size=len(branch.radii_mm)), _WAVE_MM * _POINTS_PER_MM / 4)
        noise -= noise.mean()  # a short branch is all but constant here
        radii.append(branch.radii_mm * factor * np.exp(uneven * noise / max(float(noise.std()), 1e-9)))
    return tree.with_radii(np.concatenate(radii))


def _without_ends(wide: CentrelineTree, lumen: CentrelineTree, least_diameter_mm: float) -> CentrelineTree:
    """Return `wide` without the distal points whose lumen is thinner than `least_diameter_mm`."""
    branches: list[Branch] = []
    number: dict[int, int] = {}
    ends: dict[int, int] = {}
    for index, branch in enumerate(wide):
        seen = np.flatnonzero(2 * lumen.branches[index].radii_mm >= least_diameter_mm)
        end = int(seen[-1]) + 1 if len(seen) else 0
        ends[index] = end
        lost = branch.parent >= 0 and (branch.parent not in number or branch.parent_point >= ends[branch.parent])
        if index and (lost or end < 2 * _POINTS_PER_MM):
            continue
        end = max(end, 2)
        number[index] = len(branches)
        points, radii, segments = branch.points_lps_mm[:end], branch.radii_mm[:end], branch.segments[:end]
        parent = number.get(branch.parent, -1)
        branches.append(Branch(branch.name, points, radii, segments, parent, branch.parent_point))
    return replace(wide, branches=tuple(branches))
