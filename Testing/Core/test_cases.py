"""Synthetic cases: chance, poses, motion, damage, and what training sees."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from xradiff.datatypes import Acquisition
from xradiff.errors import InputError
from xradiff.geometry import camera_of
from xradiff.quantification import dice
from xradiff.synthetic.case import CaseOptions, draw_case
from xradiff.synthetic.motion.between_views import draw_view_motions
from xradiff.synthetic.training_case import training_case, training_cases

SMALL = CaseOptions(side="right", image_px=256)
POSES = (
    Acquisition(40.0, 0.0, 1000.0, 750.0, (0.9, 0.9)),
    Acquisition(-30.0, 0.0, 1000.0, 750.0, (0.9, 0.9)),
)


def _same(a, b):
    np.testing.assert_array_equal(a.subject.tree.points_lps_mm(), b.subject.tree.points_lps_mm())
    for one, other in zip(a.views, b.views, strict=True):
        np.testing.assert_array_equal(one.mask, other.mask)
        assert one.acquisition == other.acquisition
    assert a.parameters == b.parameters


def test_a_case_depends_on_seed_and_number_alone():
    options = replace(SMALL, motion="heart", corruption=0.5)
    _same(draw_case(options, 3, 7), draw_case(options, 3, 7))
    first, second, other_seed = (draw_case(options, *pair).subject.tree for pair in ((3, 7), (3, 8), (4, 7)))
    assert not np.array_equal(first.points_lps_mm()[:5], second.points_lps_mm()[:5])
    assert not np.array_equal(first.points_lps_mm()[:5], other_seed.points_lps_mm()[:5])


def test_the_same_tree_is_seen_with_and_without_motion_and_damage():
    plain = draw_case(SMALL, 0, 1)
    for change in ({"motion": "rigid"}, {"motion": "heart"}, {"motion": "image"}, {"corruption": 1.0}):
        changed = draw_case(replace(SMALL, **change), 0, 1)
        np.testing.assert_array_equal(plain.subject.tree.points_lps_mm(), changed.subject.tree.points_lps_mm())
        np.testing.assert_array_equal(plain.silhouettes[0], changed.silhouettes[0])
        assert not np.array_equal(plain.views[1].mask, changed.views[1].mask)


def test_masks_are_where_the_tree_is():
    case = draw_case(SMALL, 0, 2)
    for view in case.views:
        camera, mask = camera_of(view), view.vessel_mask()
        pixel = np.rint(camera.project(case.subject.tree.points_lps_mm())).astype(int)
        inside = ((pixel >= 0) & (pixel < mask.shape)).all(axis=1)
        assert inside.mean() >= SMALL.least_visible
        assert mask[tuple(pixel[inside].T)].mean() > 0.97


def test_the_tree_is_near_the_isocentre():
    for number in range(5):
        assert np.linalg.norm(draw_case(SMALL, 1, number).subject.middle_lps_mm) <= SMALL.offset_mm + 1e-9


@pytest.mark.parametrize("poses", ["xradiff", "autocar", "clinical", POSES])
def test_any_source_of_poses(poses):
    case = draw_case(replace(SMALL, poses=poses), 0, 0)
    assert len(case.views) == 2
    if not isinstance(poses, str):
        assert [view.acquisition for view in case.views] == list(poses)


def test_more_views():
    case = draw_case(replace(SMALL, poses="clinical", views=3, least_visible=0.7), 0, 0)
    assert len(case.views) == len({view.acquisition.primary_deg for view in case.views}) == 3


def test_views_that_miss_the_tree_are_refused():
    tiny = tuple(replace(pose, pixel_spacing_mm=(0.01, 0.01)) for pose in POSES)
    with pytest.raises(InputError, match="miss the tree.*at least 50%"):
        draw_case(replace(SMALL, poses=tiny), 0, 0)


def test_the_first_view_shows_the_reference():
    case = draw_case(replace(SMALL, motion="heart"), 0, 3)
    motions = draw_view_motions("heart", case.subject, 3, np.random.default_rng(0))
    points = case.subject.tree.points_lps_mm()
    assert motions[0].motions == ()
    for motion in motions[1:]:
        moved = points
        for step in motion.motions:
            moved = step.moved(moved)
        assert 0.3 < np.linalg.norm(moved - points, axis=1).mean() < 25
    assert case.parameters["true_shift_lps_mm"][0] == [0.0, 0.0, 0.0]
    assert case.parameters["deformed"]
    assert not draw_case(SMALL, 0, 3).parameters["deformed"]


def test_runs_beat_and_hold_the_views_tree():
    case = draw_case(replace(SMALL, motion="heart", frames=12, image_px=128), 0, 4)
    run = case.runs[0]
    assert run.frames.shape == (12, 128, 128)
    assert run.phases[0] == 0.0
    assert len(np.unique(run.phases)) == 12
    lumen = [run.masks[k] for k in range(12) if run.masks[k].any()]
    assert dice(lumen[-1], lumen[len(lumen) // 2]) < 0.999


def test_truth_is_the_tubes_at_any_spacing():
    case = draw_case(SMALL, 0, 5)
    volumes = [len(truth.indices) * np.prod(truth.grid.spacing_mm) for truth in map(case.truth, (0.4, 0.8))]
    assert volumes[0] == pytest.approx(volumes[1], rel=0.05)


def test_training_cases_hold_the_truth_inside_the_hull():
    found = list(islice(training_cases(SMALL, 0, first=2), 2))
    assert found[0].case.parameters["number"] == 2
    for sample in found:
        assert sample.vessel.shape == (len(sample.hull.indices),)
        assert 50 < sample.vessel.sum() < 0.2 * len(sample.vessel)
    whole = draw_case(replace(SMALL, least_visible=1.0, side="right"), 0, 6)
    assert training_case(whole).missed <= 0.01 * training_case(whole).vessel.sum()


def test_training_truth_agrees_with_the_case():
    case = draw_case(replace(SMALL, least_visible=1.0), 0, 6)
    sample = training_case(case, spacing_mm=0.8)
    vessel = sample.hull.where(sample.vessel)
    truth = case.truth(0.8)
    assert len(vessel.indices) == pytest.approx(len(truth.indices), rel=0.08)
    near = (
        np.abs(vessel.points_lps_mm()[:, None] - case.subject.tree.points_lps_mm()[None, ::5]).sum(axis=-1).min(axis=1)
    )
    assert near.max() < 6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"side": "both"}, "side must be one of"),
        ({"views": 1}, "number of views"),
        ({"poses": "random"}, "source of poses"),
        ({"image_px": 5}, "image size"),
        ({"motion": "earthquake"}, "motion must be one of"),
        ({"corruption": 2}, "corruption"),
        ({"thickness": "thick"}, "thickness"),
        ({"truth_spacing_mm": 0}, "spacing of the truth"),
        ({"motion": "image", "frames": 3}, "cannot be combined"),
        ({"labels": ("a.nii.gz",), "thickness": "cta_label"}, "a label has its own"),
    ],
)
def test_impossible_options_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        CaseOptions(**change)
