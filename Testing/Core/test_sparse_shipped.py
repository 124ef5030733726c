"""The weights shipped with sparse XRA-Diff, on new generated cases: lumens, CTA-like thickness, noisy masks."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("diffusers")

from xradiff.geometry import camera_of
from xradiff.pipeline import reconstruct
from xradiff.synthetic.acquisition.background import catheter
from xradiff.synthetic.case import CaseOptions, draw_case
from xradiff.synthetic.tubes import TubeTree, silhouette, tubes_of
from xradiff.training.truth import TreeTruth

MODEL = Path(__file__).parents[2] / "XRADiffSlicer" / "Resources" / "Models" / "sparse_diffusion_both.safetensors"
SEED = 2_000_003


def dice_of(views, tree, method="sparse_diffusion"):
    """Dice of a whole reconstruction of exact views with the truth in its grid."""
    found = reconstruct(views, method, calibrate_mode="off").segmentation
    true = TreeTruth(tree).voxels(found.grid).indices
    both = np.isin(*(np.ravel_multi_index(tuple(one.T), found.grid.shape) for one in (true, found.indices))).sum()
    return 2 * both / (len(true) + len(found.indices))


def case_of(side, thickness="lumen"):
    return draw_case(CaseOptions(side=side, thickness=thickness), SEED, 0)


@lru_cache
def clean(side, thickness="lumen"):
    case = case_of(side, thickness)
    return dice_of(case.views, case.subject.tree)


def with_islands(view, rng):
    """A view whose mask has 15 discs of 1 to 4 px radius anywhere."""
    mask = view.vessel_mask().copy()
    row, column = np.ogrid[: mask.shape[0], : mask.shape[1]]
    for _ in range(15):
        place = rng.integers(20, np.subtract(mask.shape, 20))
        mask |= (row - place[0]) ** 2 + (column - place[1]) ** 2 <= rng.uniform(1, 4) ** 2
    return replace(view, mask=mask)


def test_the_file_is_small_and_has_its_card():
    assert MODEL.stat().st_size < 16e6 and MODEL.with_suffix(".md").is_file()


@pytest.mark.parametrize(("side", "least"), [("right", 0.8), ("left", 0.65)])
def test_lumens_are_found_that_the_hull_hides(side, least):
    case = case_of(side)
    assert clean(side) > max(least, dice_of(case.views, case.subject.tree, "visual_hull") + 0.3)


@pytest.mark.parametrize(("side", "least"), [("right", 0.8), ("left", 0.65)])
def test_trees_as_thick_as_cta_labels_are_found_too(side, least):
    assert clean(side, "cta_label") > least


def test_islands_of_noise_in_the_masks_become_no_vessels():
    case, rng = case_of("right"), np.random.default_rng(0)
    noisy = tuple(with_islands(view, rng) for view in case.views)
    assert dice_of(noisy, case.subject.tree) > clean("right") - 0.05


def test_several_samples_differ_where_the_network_is_unsure():
    """In the single step of the default all of them would be equal, and the uncertainty 0 everywhere."""
    views = case_of("right").views
    found = reconstruct(views, "sparse_diffusion", calibrate_mode="off", settings={"samples": 2})
    assert found.uncertainty is not None and found.uncertainty.values.max() > 0.05
    first, second = (sample.values for sample in found.samples)
    vessel = np.maximum(first, second) > 0.1
    assert (np.abs(first - second)[vessel] > 0.1).mean() > 0.1, "they differ at hardly any voxel"
    assert np.array_equal(found.samples[0].indices, found.probability.indices)


def test_what_only_the_masks_asked_for_is_told():
    """The network alone explains less than 99.9 % of this tree's masks, but more than the default asks for."""
    views = case_of("left").views
    settings = {"least_coverage": 0.999}
    found = reconstruct(views, "sparse_diffusion", calibrate_mode="off", settings=settings)
    assert any("By itself the network found vessels for" in note for note in found.notes)
    assert not any("By itself" in note for note in reconstruct(views, "sparse_diffusion", calibrate_mode="off").notes)


def test_a_catheter_in_the_masks_changes_little_of_the_tree():
    """It is drawn as a vessel where both masks hold it: nothing in a mask tells it from one."""
    case = case_of("right")
    tubes = TubeTree((*tubes_of(case.subject.tree).tubes, *catheter(tubes_of(case.subject.tree)).tubes))
    masks = [silhouette(tubes, camera_of(view)) for view in case.views]
    assert all((mask & ~view.vessel_mask()).sum() > 500 for mask, view in zip(masks, case.views, strict=True))
    both = tuple(replace(view, mask=mask) for view, mask in zip(case.views, masks, strict=True))
    assert dice_of(both, case.subject.tree) > clean("right") - 0.1
    assert dice_of((both[0], case.views[1]), case.subject.tree) > clean("right") - 0.05
