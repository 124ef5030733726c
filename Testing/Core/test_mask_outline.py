"""The outline of a mask as a smooth curve: where it passes, what it gains over stairs, where it changes nothing."""

from __future__ import annotations

import numpy as np
import pytest
from xradiff.projection import signed_distance_px
from xradiff.reconstruction.methods.sparse_diffusion.edges import averaged_along
from xradiff.reconstruction.methods.sparse_diffusion.outline import (
    Outline,
    distance_to,
    fitted,
    near_fitted_edges,
    outline,
)

SIZE = 121
ROWS, COLUMNS = np.mgrid[:SIZE, :SIZE].astype(np.float32)


def lines_of(edge: Outline) -> list[list[int]]:
    """Return the closed lines of an outline that never meets the border."""
    left, lines = set(range(len(edge.points_px))), []
    while left:
        line, point = [], left.pop()
        while point not in line:
            line.append(point)
            left.discard(point)
            point = int(edge.following[point])
        assert point == line[0]
        lines.append(line)
    return lines


def area(points: np.ndarray) -> float:
    """Return what a closed line encloses, above 0 where it runs with its inside on the right (rows go down)."""
    row, column = points.T
    return float(0.5 * (column * np.roll(row, -1) - row * np.roll(column, -1)).sum())


def test_the_outline_of_pixels_runs_around_them_with_the_mask_on_its_right():
    mask = np.zeros((9, 10), dtype=bool)
    mask[3, 4] = True
    edge = outline(mask)
    (line,) = lines_of(edge)
    assert sorted(map(tuple, edge.points_px.tolist())) == [(2.5, 4), (3, 3.5), (3, 4.5), (3.5, 4)]
    assert area(edge.points_px[line]) == pytest.approx(0.5)
    inside = np.array([True, False])
    found = distance_to(edge, np.array([[3, 4], [3, 7]]), inside)
    np.testing.assert_allclose(found, [-np.sqrt(0.125), 2.5], atol=1e-6)
    wide = np.zeros((20, 20), dtype=bool)
    wide[5:15, 5:15] = True
    wide[8:11, 8:11] = False  # a hole: its line turns the other way round
    turns = sorted(area(outline(wide).points_px[line]) for line in lines_of(outline(wide)))
    assert turns == pytest.approx([-8.5, 99.5])  # less half a square px a corner, or more around the hole's


def test_pixels_that_touch_at_a_corner_are_one_piece():
    for mirrored in (False, True):
        mask = np.zeros((8, 8), dtype=bool)
        mask[3, 3] = mask[4, 4] = True
        assert [len(line) for line in lines_of(outline(mask[:, ::-1] if mirrored else mask))] == [8]


def test_a_vessel_that_leaves_the_image_has_no_edge_there():
    mask = np.abs(ROWS - 0.4 * COLUMNS - 30) < 3
    edge = outline(mask)
    ends = edge.points_px[edge.following < 0]
    starts = edge.points_px[edge.previous < 0]
    assert len(ends) == len(starts) == 2
    assert set(np.concatenate([ends, starts])[:, 1]) == {0, SIZE - 1}
    stairs = signed_distance_px(mask)
    found = near_fitted_edges(stairs, stairs, np.ones_like(stairs))
    true = (np.abs(ROWS - 0.4 * COLUMNS - 30) - 3) / np.hypot(1, 0.4)
    assert (found[true < -2] < -1.5).all()  # at the border too
    near = (np.abs(true) < 1.5) & (COLUMNS > 4) & (COLUMNS < 18)  # the longest stretches would leave the image
    assert (found - true)[near].std() < 0.7 * (stairs - true)[near].std()


@pytest.mark.parametrize("degrees", [7.0, 20.0, 33.0, 61.0])
def test_the_fitted_edge_of_a_straight_vessel_errs_less_than_the_averaged_one(degrees):
    angle = np.deg2rad(degrees)
    true = np.abs((ROWS - 60) * np.cos(angle) - (COLUMNS - 60) * np.sin(angle) + 0.3) - 2.6
    stairs, clear = signed_distance_px(true < 0), np.ones((SIZE, SIZE), dtype=np.float32)
    along = np.broadcast_to(np.array([np.sin(angle), np.cos(angle)], dtype=np.float32), (SIZE, SIZE, 2))
    averaged = averaged_along(stairs, along, clear, 2.0)
    found = near_fitted_edges(stairs, averaged, clear)
    near = np.abs(true) < 1.5
    near[:20] = near[-20:] = near[:, :20] = near[:, -20:] = False
    assert (found - true)[near].std() < 0.6 * (averaged - true)[near].std() < 0.6 * (stairs - true)[near].std()
    assert abs((found - true)[near].mean()) < 0.03


@pytest.mark.parametrize(("radius_px", "at_most"), [(25, 0.5), (9, 0.75)])
def test_the_fitted_edge_of_a_bend_keeps_its_radius(radius_px, at_most):
    true = np.abs(np.hypot(ROWS - 60, COLUMNS - 60.3) - radius_px) - 2.2
    stairs, clear = signed_distance_px(true < 0), np.ones((SIZE, SIZE), dtype=np.float32)
    found = near_fitted_edges(stairs, stairs, clear)
    near = np.abs(true) < 1.5
    assert (found - true)[near].std() < at_most * (stairs - true)[near].std()
    assert abs((found - true)[near].mean()) < 0.04
    assert np.array_equal(found < 0, true < 0)  # a pixel's centre stays on the side where the mask has it


def test_no_point_leaves_its_pixels_by_much_where_the_mask_has_corners():
    mask = (ROWS > 30) & (ROWS < 60) & (COLUMNS > 20) & (COLUMNS < 90) | (COLUMNS > 50) & (COLUMNS < 56)
    edge = outline(mask)
    moved = np.linalg.norm(fitted(edge) - edge.points_px, axis=1)
    assert moved.max() < 0.75
    straight = (edge.points_px[:, 0] == 30.5) & (edge.points_px[:, 1] > 39) & (edge.points_px[:, 1] < 41)
    assert straight.any() and moved[straight].max() < 1e-4


def test_nothing_changes_far_from_the_edge_nor_where_no_direction_is_clear():
    mask = np.abs((ROWS - 60) * 0.9 - (COLUMNS - 60) * 0.44) < 5.3
    stairs = signed_distance_px(mask)
    averaged = stairs + np.float32(0.1)
    clarity = np.where(COLUMNS < 60, np.float32(0.5), np.float32(1))
    found = near_fitted_edges(stairs, averaged, clarity)
    changed = found != averaged
    assert changed.any() and not changed[:, :60].any()
    assert np.abs(stairs[changed]).max() < 2.5
    empty = np.full((9, 9), 5.0, dtype=np.float32)
    assert near_fitted_edges(empty, empty, np.ones_like(empty)) is empty


def test_a_line_shorter_than_a_stretch_is_not_walked_round_twice():
    mask = np.zeros((30, 30), dtype=bool)
    mask[10, 10] = mask[20, 20:22] = True
    edge = outline(mask)
    assert sorted(len(line) for line in lines_of(edge)) == [4, 6]
    few = edge.points_px[:, 0] < 15
    np.testing.assert_array_equal(fitted(edge)[few], edge.points_px[few])
    stairs = signed_distance_px(mask)
    found = near_fitted_edges(stairs, stairs, np.ones_like(stairs))
    assert np.array_equal(found < 0, mask) and found[10, 10] == pytest.approx(-np.sqrt(0.125))
