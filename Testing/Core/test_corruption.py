"""Damage to masks: each kind does what it says and no other, and the same seed gives the same mask."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import ndimage
from xradiff.datatypes import Acquisition
from xradiff.errors import InputError
from xradiff.geometry.camera import camera_from
from xradiff.synthetic import CorruptionOptions, corrupt_mask, random_tubes, silhouette
from xradiff.synthetic.mask_damage import with_other_thickness

EIGHT = np.ones((3, 3), bool)
only = CorruptionOptions.only


CAMERA = camera_from(Acquisition(30, 10, 1050, 750, 0.3), (512, 512))
TREE = random_tubes("right", np.random.default_rng(0))


@pytest.fixture(scope="module")
def mask():
    return silhouette(TREE, CAMERA)


def damaged(mask, options=None, seed=3, proximal_px=None):
    return corrupt_mask(mask, np.random.default_rng(seed), options, proximal_px)


def pieces(mask):
    return ndimage.label(mask, EIGHT)[1]


def band(width=40, height=200):
    mask = np.zeros((height, 120), bool)
    mask[20:-20, 40 : 40 + width] = True
    return mask


def test_no_damage_changes_nothing(mask):
    before = mask.copy()
    assert np.array_equal(damaged(mask, CorruptionOptions(strength=0)), mask)
    assert np.array_equal(damaged(mask, only()), mask)
    damaged(mask)
    assert np.array_equal(mask, before)


def test_the_same_seed_gives_the_same_mask(mask):
    assert np.array_equal(damaged(mask), damaged(mask))
    assert not np.array_equal(damaged(mask), damaged(mask, seed=4))


def test_spurs_are_short_lines_at_the_edge(mask):
    added = damaged(mask, only(spurs=4, spur_px=(6, 6))) & ~mask
    assert (damaged(mask, only(spurs=4)) >= mask).all() and added.any()
    assert ndimage.distance_transform_edt(~mask)[added].max() < 8
    assert pieces(mask | added) == pieces(mask)


def test_a_missing_end_shortens_one_vessel(mask):
    for seed in range(6):
        gone = mask & ~damaged(mask, only(missing_ends=1, end_px=(30, 30)), seed)
        assert pieces(gone) == 1
        extent = np.ptp(np.argwhere(gone), axis=0) + 1
        assert 18 < np.hypot(*extent) < 45
        assert (damaged(mask, only(missing_ends=1), seed) <= mask).all()


def test_a_break_cuts_a_band_in_two():
    mask = band(10)
    for seed in range(5):
        cut = damaged(mask, only(breaks=1, gap_px=(8, 8)), seed)
        gone = mask & ~cut
        assert gone.any() and (cut <= mask).all() and pieces(gone) == 1
        middle = np.argwhere(gone)[:, 0].mean()
        if 60 < middle < 140:
            assert pieces(cut) == 2
            assert 12 <= np.ptp(np.argwhere(gone)[:, 0]) + 1 <= 28


def test_false_pieces_keep_clear_of_the_tree(mask):
    for seed in range(5):
        false = damaged(mask, only(blobs=3, lines=2), seed) & ~mask
        assert 1 <= pieces(false) <= 5
        assert ndimage.distance_transform_edt(~mask)[false].min() > 3
        assert (damaged(mask, only(blobs=3), seed) >= mask).all()


def test_blobs_have_their_size():
    empty = np.zeros((300, 300), bool)
    empty[0, 0] = True
    false = damaged(empty, only(blobs=1, blob_px=(10, 10))) & ~empty
    extent = np.ptp(np.argwhere(false), axis=0) + 1
    assert extent.min() >= 9 and extent.max() <= 19  # 10 px wide, 18 px long


@pytest.mark.parametrize("seed", range(8))
def test_a_catheter_runs_from_the_border_to_the_tree(mask, seed):
    proximal = np.rint(CAMERA.project(TREE.tubes[0].points_lps_mm[:1])[0]).astype(int)  # the ostium
    result = damaged(mask, only(catheter=1, catheter_french=(6, 6), pixel_mm=0.25), seed, tuple(proximal))
    added = result & ~mask
    assert (result >= mask).all()
    number = ndimage.label(added | ndimage.binary_dilation(mask, EIGHT) & result, EIGHT)[0]
    end = number == number[tuple(proximal)]
    assert (end & added)[0].any() or (end & added)[-1].any()  # an arch may leave the image and come back
    widest = ndimage.distance_transform_edt(np.pad(added, 1, mode="edge")).max()
    assert 3.0 < widest < 6.5  # 2 mm are 8 px wide


def test_the_catheter_comes_as_often_as_asked(mask):
    count = sum(damaged(mask, only(catheter=0.5), seed).sum() > mask.sum() for seed in range(40))
    assert 11 <= count <= 29


def test_thickness_moves_edges_by_the_shift_on_average():
    mask, perimeter = band(), 2 * (160 + 40)
    shifts = []
    for seed in range(60):
        result = with_other_thickness(mask, np.random.default_rng(seed), 0.5, 0.0, 0.4)
        normal = np.clip(np.random.default_rng(seed).normal(), -2, 2)  # the first number that is drawn
        shifts.append((0.5 * normal, (result.sum() - mask.sum()) / perimeter))
    asked, found = np.array(shifts).T
    slope, offset = np.polyfit(asked, found, 1)
    assert slope == pytest.approx(1, abs=0.12) and abs(offset) < 0.08
    assert np.corrcoef(asked, found)[0, 1] > 0.97


@pytest.mark.parametrize("width", [1, 2, 3, 6])
def test_thin_vessels_get_thinner_but_stay_whole(width):
    mask = band(width)
    for seed in range(6):
        result = damaged(mask, only(thickness_px=2, variation_px=0.5, edge_px=0.4), seed)
        assert pieces(result) == 1 and np.ptp(np.argwhere(result)[:, 0]) > 140
    assert width < 3 or min(damaged(mask, only(thickness_px=2), seed).sum() for seed in range(6)) < 0.7 * mask.sum()


def test_thickness_varies_slowly_along_a_vessel():
    mask = band(30, 900)
    result = damaged(mask, only(variation_px=1.5))
    width = result[40:-40].sum(axis=1)
    assert width.std() > 0.6 and np.abs(np.diff(width)).max() <= 3
    left = result[40:-40].argmax(axis=1).astype(float)
    correlation = [np.corrcoef(left[:-lag], left[lag:])[0, 1] for lag in (5, 150)]
    assert correlation[0] > 0.85 and correlation[1] < 0.6


def test_rough_edges_stay_where_they_are_on_average():
    mask = band(30, 900)
    result = damaged(mask, only(edge_px=0.7))
    change = result ^ mask
    assert 0.1 < change.sum() / (2 * 860 + 60) < 0.8
    assert ndimage.distance_transform_edt(np.where(mask, mask, ~mask) & change).max() < 4
    assert abs(result.sum() - mask.sum()) < 0.1 * 860


def test_strength_scales_all_kinds(mask):
    def change(strength):
        return np.mean([(damaged(mask, CorruptionOptions(strength), seed) ^ mask).sum() for seed in range(10)])

    assert 0 < change(0.2) < change(0.5) < change(1.0)


def test_options_survive_json():
    options = CorruptionOptions(strength=0.3, blobs=7, gap_px=(1, 2))
    assert CorruptionOptions(**json.loads(json.dumps(options.parameters()))) == options


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: damaged(np.zeros((4, 4), bool)), r"at least one vessel pixel"),
        (lambda: damaged(np.ones((4, 4), bool), proximal_px=(2, 4)), r"proximal end must lie in the image"),
        (lambda: CorruptionOptions(strength=1.2), r"strength of corruption must lie in \[0, 1\].*got 1.2"),
        (lambda: CorruptionOptions(breaks=1.5), r"number of breaks must be a whole number, got 1.5"),
        (lambda: CorruptionOptions(end_px=(5, 2)), r"end_px must be \(least, most\) above 0, .*got \(5, 2\)"),
        (lambda: CorruptionOptions(edge_px=-1), r"edge_px must lie in \[0, 5\] px, got -1"),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_small_and_crowded_masks_are_taken():
    for mask in (np.ones((1, 1), bool), np.ones((40, 40), bool), np.eye(30, dtype=bool)):
        for seed in range(4):
            assert damaged(mask, CorruptionOptions(catheter=1), seed).shape == mask.shape
