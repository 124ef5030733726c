"""Motion of the heart: what stays still, how far the rest moves, and that space never folds."""

from __future__ import annotations

import json

import numpy as np
import pytest
from xradiff.centreline_tree import Branch, CentrelineTree
from xradiff.errors import InputError
from xradiff.synthetic.motion import (
    CardiacMotion,
    CardiacOptions,
    ImageMotion,
    ImageMotionOptions,
    RigidMotion,
    RigidOptions,
    SmoothDeformation,
    contraction,
    draw_cardiac,
    draw_image_motion,
    draw_rigid,
    moved_tree,
    smooth_deformation,
)

BASE, APEX = (0.0, -17.0, -39.0), (39.0, -78.0, -80.0)
BOX = np.array([[-60.0, -95.0, -110.0], [70.0, 35.0, 20.0]])
RCA = np.array([[-28.8, -36.7, -21.4], [-43.7, -40.4, -48.6], [-37.3, -30.5, -74.2]])  # proximal to distal
LAD_END = np.array([[44.9, -71.9, -87.8]])


def rng(seed=0):
    return np.random.default_rng(seed)


def lattice(box=BOX, count=22):
    sides = [np.linspace(*pair, count) for pair in box.T]
    return np.stack(np.meshgrid(*sides, indexing="ij"), axis=-1).reshape(-1, 3)


def least_determinant(move, points, step=1e-3):
    columns = [(move(points + step * e) - move(points - step * e)) / (2 * step) for e in np.eye(3)]
    return np.linalg.det(np.stack(columns, axis=-1)).min()


def travel(motion, points, phase):
    return np.linalg.norm(motion.moved(np.atleast_2d(points), phase) - points, axis=1)


# --- rigid ---------------------------------------------------------------------------------------------


def test_a_quarter_turn_by_hand():
    motion = RigidMotion((1, 2, 3), (0, 0, 90), (10, 0, 0))
    np.testing.assert_allclose(motion.moved(np.array([[12.0, 0.0, 5.0]])), [[11, 4, 8]], atol=1e-12)


def test_rigid_motion_keeps_distances():
    points, motion = lattice(count=4), draw_rigid(rng(), centre_lps_mm=(5, 6, 7))
    gaps = [np.linalg.norm(p[:, None] - p, axis=-1) for p in (points, motion.moved(points))]
    np.testing.assert_allclose(*gaps, atol=1e-9)


def test_rigid_draws_have_their_mean_and_spread():
    generator, options = rng(), RigidOptions(table_mm=(0, 0, 12))
    drawn = [draw_rigid(generator, options) for _ in range(4000)]
    shift = np.array([motion.shift_lps_mm for motion in drawn])
    np.testing.assert_allclose(shift.mean(axis=0), options.breathing_mean_lps_mm, atol=0.4)
    np.testing.assert_allclose(shift.std(axis=0), [2, 2, np.sqrt(25 + 12**2 / 3)], rtol=0.06)
    angles = np.linalg.norm([motion.rotation_deg for motion in drawn], axis=1)
    assert np.sqrt((angles**2).mean()) == pytest.approx(1.5, rel=0.05)
    assert shift[:, 2].mean() < 0 and (shift[:, 2] > 0).mean() > 0.2  # towards the feet, not always


def test_nothing_drawn_is_nothing_moved():
    still = RigidOptions((0, 0, 0), (0, 0, 0), rotation_sd_deg=0)
    np.testing.assert_allclose(draw_rigid(rng(), still, (1, 2, 3)).moved(lattice()), lattice(), atol=1e-12)


# --- heart cycle ----------------------------------------------------------------------------------------


def test_the_cycle_starts_and_ends_at_end_diastole():
    motion = CardiacMotion(BASE, APEX)
    np.testing.assert_allclose(motion.moved(lattice(), 0.0), lattice(), atol=1e-12)
    assert travel(motion, lattice(), 1 - 1e-6).max() < 1e-3


def test_contraction_is_smooth_with_one_peak_and_a_rest():
    phase = np.linspace(0, 1, 2000, endpoint=False)
    share = np.array([contraction(p) for p in phase])
    assert share.min() == 0 and share.max() == pytest.approx(1, abs=1e-4)
    assert phase[share.argmax()] == pytest.approx(0.37, abs=1e-3)
    assert (np.diff(share)[: share.argmax()] > 0).all() and (np.diff(share)[share.argmax() + 1 :] < 0).all()
    speed = np.diff(np.append(share, share[0])) * 2000
    assert np.abs(np.diff(speed)).max() < 0.15  # no jump of the speed, not at the R wave either
    assert np.abs(speed[(phase > 0.71) & (phase < 0.75)]).max() < 0.3 * np.abs(speed).max()


@pytest.mark.parametrize(("excursion", "window", "least", "most"), [
    (14.5, (0.25, 0.50), 42, 110), (14.5, (0.6, 0.9), 23, 130),
    (9.0, (0.25, 0.50), 55, 140), (9.0, (0.6, 0.9), 70, 170),
])  # fmt: skip
def test_rest_periods_are_near_the_measured_ones(excursion, window, least, most):
    """Longest time within 1 mm, in ms at 70 beats a minute."""
    phase = np.arange(*window, 1 / 857)
    position = excursion * np.array([contraction(p) for p in phase])
    longest = max(
        count for count in range(1, len(phase))
        if min(np.ptp(position[i : i + count]) for i in range(len(phase) - count)) < 1
    )  # fmt: skip
    assert least < longest < most


def test_excursions_are_those_of_hearts():
    generator, base, apex, right = rng(), [], [], []
    for _ in range(100):
        motion = draw_cardiac(generator, BASE, APEX)
        base.append(travel(motion, np.array(BASE), motion.end_systole)[0])
        apex.append(max(travel(motion, LAD_END, motion.end_systole)[0], travel(motion, np.array(APEX), 0.37)[0]))
        right.append(travel(motion, RCA, motion.end_systole))
    assert min(base) >= 8 and max(base) <= 15
    assert max(apex) < 3
    assert np.mean(right, axis=0).min() > 10 and np.mean(right, axis=0).max() < 16
    assert (np.array(right)[:, 1] > base).all()  # the right groove moves most
    assert np.std(base) > 1  # a population, not one heart


def test_the_plane_descends_and_walls_come_in():
    motion = CardiacMotion(BASE, APEX, base_twist_deg=0, apex_twist_deg=0)
    axis = np.subtract(APEX, BASE) / np.linalg.norm(np.subtract(APEX, BASE))
    shift = motion.moved(np.array([BASE]), 0.37)[0] - BASE
    np.testing.assert_allclose(np.cross(shift, axis), 0, atol=1e-9)
    assert shift @ axis == pytest.approx(11, abs=0.6)  # and the start of the right side's extra
    across = np.cross(axis, [0.0, 0.0, 1.0])
    across /= np.linalg.norm(across)
    for side in (-1, 1):
        point = np.array(BASE) + 0.4 * np.subtract(APEX, BASE) + side * 45 * across
        moved = motion.moved(point[None], 0.37)[0] - point
        assert 2 < -side * moved @ across <= 5.01


def test_base_and_apex_turn_in_opposite_directions():
    motion = CardiacMotion(BASE, APEX, 0, 0, 0, -3, 7)
    axis = np.subtract(APEX, BASE) / np.linalg.norm(np.subtract(APEX, BASE))
    across = np.cross(axis, [1.0, 0.0, 0.0])
    across /= np.linalg.norm(across)
    for middle, degrees in ((BASE, -3), (APEX, 7)):
        moved = motion.moved(np.array([middle + 20 * across]), 0.37)[0] - middle
        assert np.rad2deg(np.arctan2(moved @ np.cross(axis, across), moved @ across)) == pytest.approx(
            degrees, abs=1e-6
        )


def test_hearts_never_fold():
    generator, points = rng(), lattice(BOX + np.array([[-40.0], [40.0]]))
    for _ in range(12):
        motion = draw_cardiac(generator, BASE, APEX)
        assert least_determinant(motion.at(motion.end_systole).moved, points) > 0.4
    for extreme in (
        CardiacMotion(BASE, APEX, 20, 10, 10, -15, 25),
        CardiacMotion(BASE, APEX, 20, 10, 7.5, 15, -25, radius_mm=30),
        CardiacMotion((0, 0, 0), (0, 0, -40), 12, 4, 7.5, -15, 25, radius_mm=30),
    ):
        assert least_determinant(extreme.at(extreme.end_systole).moved, points) > 0.1


def test_motion_follows_the_heart_not_the_room():
    shift = np.array([20.0, -5.0, 9.0])
    here, there = CardiacMotion(BASE, APEX), CardiacMotion(tuple(BASE + shift), tuple(APEX + shift))
    np.testing.assert_allclose(there.moved(RCA + shift, 0.3), here.moved(RCA, 0.3) + shift, atol=1e-9)


# --- smooth deformation ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("amplitude_mm", "wavelength_mm"), [(1.0, 40.0), (2.4, 40.0), (1.2, 20.0)])
def test_smooth_deformation_has_its_amplitude_and_does_not_fold(amplitude_mm, wavelength_mm):
    points = rng(9).uniform(*BOX, size=(20_000, 3))
    for seed in range(3):
        field = smooth_deformation(rng(seed), BOX, amplitude_mm, wavelength_mm)
        length = np.linalg.norm(field.moved(points) - points, axis=1)
        assert np.sqrt((length**2).mean()) == pytest.approx(amplitude_mm, rel=0.05)
        assert least_determinant(field.moved, lattice(count=30)) > 0.2


def test_smooth_deformation_is_smooth_and_ends():
    field = smooth_deformation(rng(), BOX, 2.0, 40.0)
    line = np.linspace(BOX[0], BOX[1], 2000)
    moved = field.moved(line) - line
    assert np.abs(np.diff(moved, n=2, axis=0)).max() < 1e-3
    assert np.abs(np.diff(moved, axis=0)).max() / 0.113 < 0.5
    far = BOX[1] + 200
    np.testing.assert_array_equal(field.moved(far[None])[0], far)


# --- image motion ---------------------------------------------------------------------------------------


def image(rows=41, columns=61):
    picture = np.zeros((rows, columns))
    picture[20, 30] = 1.0  # the centre
    picture[12:15, 40:44] = 0.5
    return picture


def test_whole_shifts_move_pixels_and_nothing_else():
    moved = ImageMotion((3, -5)).moved(image())
    expected = np.zeros_like(image())
    expected[3:, :-5] = image()[:-3, 5:]
    np.testing.assert_allclose(moved, expected, atol=1e-6)


def test_scale_is_about_the_centre():
    moved = ImageMotion((0, 0), 2.0).moved(image())
    assert moved[20, 30] == 1 and np.argmax(moved) == 20 * 61 + 30
    heavy = np.argwhere(np.isclose(moved, 0.5))
    offset = np.argwhere(image() == 0.5).mean(axis=0) - (20, 30)
    far = heavy[np.abs(heavy - (20, 30)).max(axis=1) > 3]
    np.testing.assert_allclose(far.mean(axis=0), (20, 30) + 2 * offset, atol=0.3)


def test_masks_stay_masks_and_keep_their_area():
    row, column = np.indices((201, 201))
    disc = np.hypot(row - 100, column - 100) <= 50
    moved = ImageMotion((7.5, -3.25), 0.8).moved(disc)
    assert moved.dtype == np.bool_ and moved.sum() == pytest.approx(0.64 * disc.sum(), rel=0.01)
    np.testing.assert_allclose(np.argwhere(moved).mean(axis=0), (107.5, 96.75), atol=0.05)
    assert ImageMotion((0.4, 0)).moved((disc * 200).astype(np.uint8)).dtype == np.uint8


def test_borders_are_empty_or_mirrored():
    ones = np.ones((9, 9), bool)
    assert not ImageMotion((4, 0)).moved(ones)[:4].any()
    assert ImageMotion((4, 0), border="reflect").moved(ones).all()


def test_image_draws_stay_in_their_range():
    generator = rng()
    drawn = [draw_image_motion(generator) for _ in range(500)]
    shifts, scales = np.array([d.shift_px for d in drawn]), np.array([d.scale for d in drawn])
    assert 18 < np.abs(shifts).max() <= 20 and 0.8 <= scales.min() < 0.81 < 1.19 < scales.max() <= 1.2
    assert draw_image_motion(rng(), ImageMotionOptions(0, 0)) == ImageMotion()


# --- all together ---------------------------------------------------------------------------------------


def tree():
    stem = np.linspace(RCA[0], RCA[2], 12)
    side = np.linspace(stem[4], stem[4] + [20, -10, 5], 6)
    names = [np.array(["1"] * n) for n in (12, 6)]
    return CentrelineTree("right", (
        Branch("RCA", stem, np.linspace(2, 1, 12), names[0]), Branch("AM1", side, np.full(6, 0.8), names[1], 0, 4),
    ))  # fmt: skip


def all_motions():
    return (
        draw_cardiac(rng(), BASE, APEX).at(0.3),
        smooth_deformation(rng(), BOX),
        draw_rigid(rng(), centre_lps_mm=BASE),
    )


def test_a_tree_moves_in_the_order_given_and_stays_joined():
    motions = all_motions()
    moved = moved_tree(tree(), *motions)
    expected = tree().points_lps_mm()
    for motion in motions:
        expected = motion.moved(expected)
    np.testing.assert_array_equal(moved.points_lps_mm(), expected)
    np.testing.assert_allclose(moved["AM1"].points_lps_mm[0], moved["RCA"].points_lps_mm[4], atol=1e-9)
    np.testing.assert_array_equal(moved["RCA"].radii_mm, tree()["RCA"].radii_mm)
    np.testing.assert_array_equal(moved_tree(tree()).points_lps_mm(), tree().points_lps_mm())


def test_parameters_in_json_make_the_motion_again():
    cardiac, smooth, rigid = all_motions()
    records = [json.loads(json.dumps(m.parameters())) for m in (cardiac, smooth, rigid, draw_image_motion(rng()))]
    assert [record.pop("kind") for record in records] == ["cardiac", "smooth", "rigid", "image"]
    again = [
        CardiacMotion(**{k: v for k, v in records[0].items() if k != "phase"}).at(records[0]["phase"]),
        SmoothDeformation(**records[1]),
        RigidMotion(**records[2]),
    ]
    for one, two in zip((cardiac, smooth, rigid), again, strict=True):
        np.testing.assert_array_equal(one.moved(RCA), two.moved(RCA))
    assert ImageMotion(**records[3]) == draw_image_motion(rng())


def test_the_same_seed_gives_the_same_motion():
    for draw in (draw_rigid, lambda r: draw_cardiac(r, BASE, APEX), lambda r: smooth_deformation(r, BOX)):
        assert draw(rng(1)) == draw(rng(1)) != draw(rng(2))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RigidMotion((0, 0)), r"shift_lps_mm must hold 3 finite numbers"),
        (lambda: RigidOptions(breathing_sd_lps_mm=(1, -1, 1)), r"SD of breathing must lie in \[0, 50\] mm, got -1"),
        (lambda: CardiacMotion(BASE, BASE), r"base to its apex must lie in \[40, 160\] mm, got 0"),
        (lambda: CardiacMotion((0, 0, 0), (0, 0, 45), 15, 5), r"at most 0.4 of its length, got 20 mm of 45 mm"),
        (
            lambda: CardiacMotion(BASE, APEX, inward_mm=9, radius_mm=30),
            r"at most 0.25 of the heart's radius, got 9 mm",
        ),
        (lambda: CardiacMotion((0, 0, 0), (90, 0, 0)), r"must not point straight to the left or right"),
        (lambda: CardiacMotion(BASE, APEX).moved(RCA, 1.0), r"phase must lie in \[0, 1\), got 1"),
        (lambda: CardiacOptions(shortening_mm=(18, 2)), r"atrioventricular plane must lie in \[0, 20\] mm, got 22"),
        (lambda: smooth_deformation(rng(), BOX, 3.0, 40.0), r"amplitude must lie in \[0, 2.4\] mm, got 3"),
        (lambda: smooth_deformation(rng(), BOX[::-1]), r"lower corner below its upper one"),
        (lambda: smooth_deformation(rng(), BOX, 0.1, 2.0), r"needs \d+ knots in this box"),
        (lambda: ImageMotion(scale=0), r"image scale must lie in \[0.1, 10\]"),
        (lambda: ImageMotion(border="wrap"), r"border must be one of empty, reflect, got 'wrap'"),
        (lambda: ImageMotion().moved(np.zeros((2, 2, 3))), r"\(rows, columns\), got shape \(2, 2, 3\)"),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(InputError, match=message):
        make()
