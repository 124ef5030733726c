"""The sparse path and the visual hull: analytic hulls, the dense answer, tolerance, any number of views, refusals."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import xradiff.memory
from xradiff.datatypes import Acquisition, AngiogramView, VolumeGrid
from xradiff.errors import Cancelled, InputError
from xradiff.geometry import camera_of
from xradiff.geometry.camera import camera_from
from xradiff.geometry.placement import common_space, grid_around
from xradiff.progress import silent
from xradiff.projection import MaskCone, backproject_masks, signed_distance_px, silhouette
from xradiff.reconstruction.interface import ReconstructionInputs, check_separation
from xradiff.reconstruction.methods.visual_hull.config import VisualHullConfig
from xradiff.reconstruction.methods.visual_hull.method import VisualHull

CENTRE = (12.0, -20.0, 15.0)


def hull(views, spacing_mm=1.0, progress=silent, **settings):
    inputs = ReconstructionInputs(tuple(views), spacing_mm)
    config = VisualHullConfig(**settings)
    generator = np.random.default_rng(0)
    return VisualHull().reconstruct(inputs, config, generator=generator, progress=progress).volume


def cones_of(views):
    return [MaskCone.of(view.mask, camera_of(view)) for view in views]


def test_signed_distance_is_zero_between_mask_and_background():
    mask = np.zeros((9, 9), bool)
    mask[3:6, 3:6] = True
    distance = signed_distance_px(mask)
    assert distance[4, 4] == -1.5
    assert (distance[4, 2], distance[4, 3]) == (0.5, -0.5)
    full_height = np.zeros((5, 9), bool)
    full_height[:, 3:6] = True
    assert np.all(signed_distance_px(full_height)[:, 4] == -1.5)  # the image border is not an edge


@pytest.mark.parametrize("shape", [(256, 256), (160, 230)])
def test_sparse_equals_the_dense_answer(sphere_views, shape):
    """Coarse to fine must keep every voxel that testing all voxels one by one finds; small images cut the ball."""
    views = sphere_views(CENTRE, 9.0, angles=((30, 0), (-40, 20), (5, -35)), shape=shape)
    grid = VolumeGrid.centred((41, 38, 43), 0.75, CENTRE)
    cones = cones_of(views)
    sparse = backproject_masks(cones, grid, 0.6)
    everywhere = grid.centres(np.argwhere(np.ones(grid.shape, bool)))
    told = np.stack([told_by_hand(view, everywhere, 0.6) for view in views])
    outside = np.stack([cone.distance_mm(everywhere) for cone in cones])
    worst = np.where(told, outside, -np.inf).max(axis=0) - 0.6
    values = np.where(told.sum(axis=0) >= 2, np.clip(0.5 - worst / 0.75, 0, 1), 0)
    found = np.zeros(grid.shape)
    found[tuple(sparse.indices.T)] = sparse.values
    np.testing.assert_allclose(found.ravel(), values, atol=2e-4)  # single precision: 1e-4 px
    assert shape == (256, 256) or (~told.all(axis=0) & (values >= 0.5)).any()
    chosen = np.argwhere(np.random.default_rng(0).random(grid.shape) < 0.3)[::-1]
    some = backproject_masks(cones, grid, 0.6, among=chosen)
    expected = np.zeros(grid.shape)
    expected[tuple(chosen.T)] = found[tuple(chosen.T)]
    found = np.zeros(grid.shape)
    found[tuple(some.indices.T)] = some.values
    np.testing.assert_allclose(found, expected, atol=2e-4)
    assert np.array_equal(some.indices, np.argwhere(found > 0))


def told_by_hand(view, points, tolerance_mm):
    """Beyond a side that the ball touches a view tells nothing; beyond the others that there is no ball."""
    camera, (rows, columns), mask = camera_of(view), view.mask.shape, view.mask
    row, column = camera.project(points).T
    edge = tolerance_mm / camera.pixel_size_mm(camera.depth(points)) - 0.5
    unknown = (row < edge) & mask[0].any() | (row > rows - 1 - edge) & mask[-1].any()
    return ~(unknown | (column < edge) & mask[:, 0].any() | (column > columns - 1 - edge) & mask[:, -1].any())


@pytest.mark.parametrize(("gap_px", "open_side"), [(0, True), (4, True), (12, False)])
def test_a_side_is_open_where_the_mask_comes_near_to_it(gap_px, open_side):
    """Within 2 % of the image's size: 5.1 px here. Behind the source a view tells that there is nothing."""
    mask = np.zeros((256, 200), bool)
    mask[100:110, gap_px : gap_px + 10] = True
    camera = camera_from(Acquisition(0, 0, 1050.0, 750.0, (0.4, 0.4)), mask.shape)
    left, right = (camera.source + 750 * ray for ray in camera.ray_directions(np.array([[105, -20], [105, 230.0]])))
    behind = camera.source - 50 * camera.d - 30 * camera.u
    told = MaskCone.of(mask, camera).tells_of(np.stack([left, right, behind]))
    assert told.tolist() == [not open_side, True, True]


def test_a_view_twice_changes_nothing(sphere_views):
    """Two views from nearly the same direction, whose images cut the ball, do not tell the depth for a third one."""
    shape = (160, 230)
    once = sphere_views(CENTRE, 9.0, angles=((30, 0), (-40, 20)), shape=shape)
    twice = sphere_views(CENTRE, 9.0, angles=((30, 0), (-40, 20), (30, 0)), shape=shape)
    grids = [grid_around(views, 1.0, 1.0) for views in (once, twice)]
    assert grids[1].extent_mm == pytest.approx(grids[0].extent_mm, abs=3.0)
    found = [backproject_masks(cones_of(views), grids[0]) for views in (once, twice)]
    beside = {tuple(index) for index in found[1].indices} ^ {tuple(index) for index in found[0].indices}
    assert len(beside) < 0.03 * len(found[0].indices)  # a voxel along the border of the images


def test_near_an_open_side_a_misplaced_view_takes_no_vessel(sphere_views):
    """Within the tolerance of the border the ball may lie beyond it."""
    views = sphere_views(CENTRE, 4.0, angles=((30, 0), (-40, 20), (5, -35)), shape=(300, 300))
    far = sphere_views((CENTRE[0], CENTRE[1], CENTRE[2] + 20.0), 4.0, angles=((5, -35),), shape=(300, 300))[0]
    row = camera_of(far).project(np.array([CENTRE]))[0, 0]
    rows = int(np.ceil(row)) + 3  # the image ends 0.9 mm below the ball's middle; another vessel leaves it there
    mask = far.mask[:rows].copy()
    mask[-3:, :10] = True
    offset = (0.0, 0.5 * (rows - 300) * far.acquisition.pixel_spacing_mm[0])
    cut = AngiogramView("cut", far.pixels[:rows], replace(far.acquisition, detector_offset_mm=offset), mask=mask)
    cones = cones_of([*views[:2], cut])
    middle = VolumeGrid.centred((3, 3, 3), 0.2, CENTRE)
    assert len(backproject_masks(cones, middle, 0.0).indices) == 0
    assert len(backproject_masks(cones, middle, 2.0).indices) == 27


def test_what_lies_beside_one_image_is_found_by_two_others(sphere_views):
    """A third view that shows half of the ball takes nothing from it; two views, one of which cuts it, lose half."""
    views = sphere_views(CENTRE, 9.0, angles=((30, 0), (-40, 20), (5, -35)))
    rows = int(camera_of(views[2]).project(np.array([CENTRE]))[0, 0])  # the image ends at the ball's middle
    offset = (0.0, 0.5 * (rows - views[2].mask.shape[0]) * views[2].acquisition.pixel_spacing_mm[0])
    taken = replace(views[2].acquisition, detector_offset_mm=offset)
    cut = AngiogramView("cut", views[2].pixels[:rows], taken, mask=views[2].mask[:rows])
    counts = [(hull(chosen, 0.5).values >= 0.5).sum() for chosen in (views[:2], (*views[:2], cut), (views[0], cut))]
    ball = 4 / 3 * np.pi * 9.0**3 / 0.5**3
    assert counts[0] > counts[1] > ball > 0.7 * counts[2]


def test_a_balls_hull_holds_the_ball_and_not_much_more(sphere_views):
    """From three perpendicular directions the hull of a ball is the Steinmetz solid, 8 (2 - sqrt 2) r^3."""
    radius = 10.0
    views = sphere_views((0, 0, 0), radius, angles=((0, 0), (90, 0), (0, 90)))
    volume = hull(views, 0.5)
    inside = volume.points_lps_mm()[volume.values >= 0.5]
    assert len(inside) * 0.5**3 == pytest.approx(8 * (2 - np.sqrt(2)) * radius**3, rel=0.02)
    distance = np.linalg.norm(inside, axis=1)
    ball = 4 / 3 * np.pi * radius**3
    assert np.count_nonzero(distance <= radius) * 0.5**3 == pytest.approx(ball, rel=0.01)


def test_more_views_never_add_voxels(sphere_views):
    views = sphere_views(CENTRE, 8.0, angles=((30, 0), (-40, 20), (5, -35), (80, 10)))
    grid = grid_around(views[:2], 1.0, 2.0)
    counts = [(backproject_masks(cones_of(views[:n]), grid).values >= 0.5).sum() for n in (2, 3, 4)]
    assert counts[0] > counts[1] > counts[2] > 0


def test_order_of_views_does_not_matter(sphere_views):
    views = sphere_views(CENTRE, 8.0, angles=((30, 0), (-40, 20), (5, -35)))
    grid = grid_around(views, 1.0)
    results = [backproject_masks(cones_of(order), grid) for order in itertools.permutations(views)]
    for other in results[1:]:
        np.testing.assert_array_equal(other.indices, results[0].indices)
        np.testing.assert_allclose(other.values, results[0].values)


def test_tolerance_moves_the_edge_by_millimetres(sphere_views):
    angles = ((0, 0), (90, 0))
    reach = []
    for tolerance in (0.0, 2.0):
        volume = hull(sphere_views((0, 0, 0), 8.0, angles=angles), 0.5, tolerance_mm=tolerance)
        reach.append(volume.points_lps_mm()[volume.values >= 0.5][:, 2].max())
    assert reach[1] - reach[0] == pytest.approx(2.0, abs=0.5)


def test_soft_and_hard_agree(sphere_views):
    views = sphere_views(CENTRE, 8.0)
    soft, hard = hull(views), hull(views, output="hard")
    np.testing.assert_array_equal(soft.indices[soft.values >= 0.5], hard.indices)
    assert set(hard.values) == {1.0}
    assert 0 < soft.values.min() < 0.5


def test_grid_follows_a_tree_far_from_the_isocentre(sphere_views):
    """An isocentred grid of the same size would clip it."""
    centre = np.array([60.0, -45.0, 50.0])
    grid = grid_around(sphere_views(centre, 6.0, shape=(900, 900)), 1.0)
    assert np.all(np.abs(grid.indices(centre) - (np.array(grid.shape) - 1) / 2) < 4)
    assert np.all(grid.extent_mm < 40)


@pytest.mark.parametrize(("spacing_mm", "parts"), [(0.5, 1), (1.0, 2), (0.7, 1), (1.2, 3)])
def test_grids_of_any_views_share_their_voxels(sphere_views, spacing_mm, parts):
    """The parts' centres are multiples of their edge: nothing has to be interpolated to compare two results."""
    for centre, margin_mm in ((CENTRE, 0.0), ((60.3, -45.2, 50.1), 1.3)):
        views = sphere_views(centre, 6.0, shape=(900, 900))
        grid = grid_around(views, spacing_mm, margin_mm, parts=parts)
        steps = np.divide(grid.divided(parts).origin_lps_mm, spacing_mm / parts)
        np.testing.assert_allclose(steps, np.rint(steps), atol=1e-9)
        places = grid.indices(common_space(views, margin_mm))
        assert places.min() >= 0 and (places <= np.subtract(grid.shape, 1)).all()
        assert places.min() < 1 and places.max(axis=0) == pytest.approx(np.subtract(grid.shape, 1), abs=1.0)


def test_silhouette_of_the_hull_covers_the_masks(sphere_views):
    views = sphere_views(CENTRE, 10.0)
    volume = hull(views, 0.5)
    solid = volume.where(volume.values >= 0.5)
    for view in views:
        drawn = silhouette(solid, camera_of(view))
        assert (drawn & view.mask).sum() / view.mask.sum() > 0.995
        halo = 2 * (0.25 + 0.05) / 10.0  # half a voxel and the tolerance around a disc of 10 mm radius
        assert (drawn & ~view.mask).sum() / view.mask.sum() < 1.2 * halo


def test_silhouette_of_one_voxel_is_its_square(sphere_views):
    view = sphere_views((0, 0, 0), 5.0, angles=((0, 0),))[0]
    grid = VolumeGrid((1, 1, 1), (8.0, 8.0, 8.0), (0.0, 0.0, 0.0))
    volume = backproject_masks(cones_of([view]), grid)
    drawn = np.argwhere(silhouette(volume, camera_of(view)))
    side = 8.0 * 1050 / 750 / 0.4
    assert np.ptp(drawn, axis=0) + 1 == pytest.approx([side, side], abs=1)
    np.testing.assert_allclose(drawn.mean(axis=0), 127.5, atol=0.5)


def test_views_of_different_shape_and_pitch_work_together(sphere_views):
    views = [sphere_views(CENTRE, 8.0, shape=shape)[index] for index, shape in enumerate([(256, 256), (300, 280)])]
    assert (hull(views).values >= 0.5).any()


def test_parallel_views_are_refused_and_narrow_ones_warned_about(sphere_views):
    with pytest.raises(InputError, match=r"only 0\.0 deg apart; at least 10 deg are needed"):
        hull(sphere_views(angles=((30, 0), (30, 0))))
    with pytest.raises(InputError, match=r"only 0\.0 deg apart"):
        hull(sphere_views(angles=((30, 0), (-150, 0))))
    assert "only 15.0 deg apart" in check_separation(sphere_views(angles=((30, 0), (15, 0))))[0]
    assert check_separation(sphere_views(angles=((30, 0), (30, 0), (-30, 0)))) == ()


def test_one_view_is_refused(sphere_views):
    with pytest.raises(InputError, match="two or more views, got 1"):
        hull(sphere_views()[:1])


def test_cones_that_do_not_meet_are_refused(sphere_views):
    views = sphere_views(radius_mm=5.0, angles=((30, 0), (-30, 0)))
    far = views[1].with_acquisition(views[1].acquisition.shifted((0, 0, 60)))
    with pytest.raises(InputError, match="do not see a common space .* miss each other by about"):
        hull([views[0], far])


def test_mask_of_another_shape_than_its_camera_is_refused(sphere_views):
    view = sphere_views()[0]
    with pytest.raises(InputError, match=r"mask has shape \(3, 3\), its camera \(256, 256\)"):
        MaskCone.of(np.ones((3, 3), bool), camera_of(view))


def test_too_large_a_grid_is_refused_before_allocating(sphere_views, monkeypatch):
    monkeypatch.setattr(xradiff.memory, "available_bytes", lambda: 50 << 20)
    with pytest.raises(InputError, match=r"backprojecting at 0\.\d+ mm needs about .* GB .* coarser voxel spacing"):
        hull(sphere_views(radius_mm=25.0), 0.1)


def test_cancelled_in_the_middle(sphere_views):
    def cancel(fraction, message):
        if fraction > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        hull(sphere_views(), progress=cancel)


@pytest.mark.parametrize("settings", [{"tolerance_mm": -1}, {"tolerance_mm": float("nan")}, {"output": "fuzzy"}])
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(InputError):
        VisualHullConfig(**settings)


def test_signed_distance_is_that_of_all_pixels_taken_together():
    """The shortcut around the mask's bounding box changes no value."""
    from scipy.ndimage import distance_transform_edt

    generator = np.random.default_rng(5)
    for _ in range(20):
        mask = np.zeros((40, 50), bool)
        r, c = generator.integers(0, 40, 2), generator.integers(0, 50, 2)
        mask[min(r) : max(r) + 1, min(c) : max(c) + 1] = True
        mask &= generator.random(mask.shape) > 0.1
        if not mask.any():
            continue
        inside = distance_transform_edt(np.pad(mask, 1, mode="edge"))[1:-1, 1:-1]
        expected = np.where(mask, 0.5 - inside, distance_transform_edt(~mask) - 0.5)
        np.testing.assert_allclose(signed_distance_px(mask), expected, atol=1e-5)
