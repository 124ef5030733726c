"""Metrics against numbers worked out by hand, and fits of a body with a known silhouette."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from xradiff.datatypes import AngiogramView, SparseVolume, VolumeGrid
from xradiff.errors import InputError
from xradiff.geometry import camera_of
from xradiff.projection.silhouette import silhouette
from xradiff.quantification import (
    coverage,
    dice,
    mask_distances,
    point_distances,
    precision,
    reprojection_fit,
    shares_with_counterpart,
    summarise,
    surface_voxels,
)


def blocks(*parts, shape=(20, 30)):
    mask = np.zeros(shape, dtype=bool)
    for part in parts:
        mask[part] = True
    return mask


def ball(radius_mm=10.0, centre=(0.0, 0.0, 0.0), spacing=0.5):
    grid = VolumeGrid.centred((61, 61, 61), spacing, centre)
    points = grid.centres(np.moveaxis(np.indices(grid.shape), 0, -1))
    return SparseVolume.from_dense(np.linalg.norm(points - centre, axis=-1) <= radius_mm, grid)


def test_overlap_by_counting():
    result, reference = blocks(np.s_[0:4, 0:10]), blocks(np.s_[2:4, 0:15])  # 40, 30, 20 shared
    assert dice(result, reference) == 40 / 70
    assert coverage(result, reference) == 20 / 30
    assert precision(result, reference) == 20 / 40
    assert dice(reference, result) == dice(result, reference)


def test_overlap_of_nothing():
    empty, full = blocks(), blocks(np.s_[:, :])
    assert (dice(empty, empty), coverage(empty, empty), precision(empty, full)) == (1, 1, 1)
    assert (dice(empty, full), coverage(empty, full), precision(full, empty)) == (0, 0, 0)
    with pytest.raises(InputError, match="shapes"):
        dice(empty, full[1:])


def test_chamfer_is_the_sum_and_hd95_the_larger_direction():
    a, b = np.array([[0.0, 0.0]]), np.array([[3.0, 4.0], [0.0, 1.0]])
    found = point_distances(a, b)
    assert (found.mean_a_to_b, found.mean_b_to_a) == (1.0, 3.0)
    assert found.chamfer == 4.0
    assert found.p95_a_to_b == 1.0 and found.p95_b_to_a == pytest.approx(4.8)
    assert found.hd95 == pytest.approx(4.8)


@pytest.mark.parametrize("shape, spacing", [((25, 31), 1.0), ((25, 31), (0.5, 2.0)), ((9, 8, 11), (0.5, 1, 2))])
def test_masks_points_and_brute_force_agree(shape, spacing):
    rng = np.random.default_rng(2)
    a, b = rng.random(shape) < 0.02, rng.random(shape) < 0.03
    points_a, points_b = (np.argwhere(mask) * np.broadcast_to(spacing, len(shape)) for mask in (a, b))
    table = cdist(points_a, points_b)
    to_b, to_a = table.min(axis=1), table.min(axis=0)
    expected = [to_b.mean(), to_a.mean(), np.percentile(to_b, 95), np.percentile(to_a, 95)]
    for found in (mask_distances(a, b, spacing), point_distances(points_a, points_b)):
        got = [found.mean_a_to_b, found.mean_b_to_a, found.p95_a_to_b, found.p95_b_to_a]
        np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_a_shift_is_seen_by_the_distances_of_a_line():
    found = mask_distances(blocks(np.s_[5, 3:20]), blocks(np.s_[9, 3:20]), spacing=0.5)
    assert found.chamfer == 4.0 and found.hd95 == 2.0
    same = blocks(np.s_[5, 3:20])
    assert mask_distances(same, same).chamfer == 0


def test_distances_of_empty_sets():
    empty, full = blocks(), blocks(np.s_[:, :])
    assert mask_distances(empty, empty).chamfer == 0
    assert math.isinf(mask_distances(empty, full).chamfer) and math.isinf(mask_distances(full, empty).hd95)
    assert math.isinf(point_distances(np.zeros((0, 3)), np.zeros((1, 3))).chamfer)
    with pytest.raises(InputError, match="shapes"):
        mask_distances(empty, full[1:])
    with pytest.raises(InputError, match="points"):
        point_distances(np.zeros((2, 3)), np.zeros((2, 2)))


def test_surface_voxels_of_a_cube():
    cube = np.zeros((7, 7, 7), dtype=bool)
    cube[1:6, 1:6, 1:6] = True
    assert surface_voxels(cube).sum() == 5**3 - 3**3
    assert surface_voxels(np.ones((3, 3, 3), dtype=bool)).sum() == 26


def test_a_ball_fits_its_own_silhouettes(sphere_views):
    for view in sphere_views(radius_mm=10.0):
        fit = reprojection_fit(view, ball(10.0))
        assert fit.view_name == view.name
        assert fit.coverage > 0.99 and fit.precision > 0.95 and fit.dice > 0.97
        assert fit.chamfer_px < 0.1 and fit.hd95_px <= 1
        drawn = silhouette(ball(10.0), camera_of(view))
        assert fit.mask_pixels == view.mask.sum() and fit.reprojected_pixels == drawn.sum()


def test_a_smaller_ball_covers_what_the_projected_areas_say(sphere_views):
    for view in sphere_views(radius_mm=12.0):
        fit = reprojection_fit(view, ball(8.0))
        assert fit.coverage == pytest.approx((8 / 12) ** 2, rel=0.06)
        assert fit.precision == 1.0


def test_mm_are_those_at_the_depth_of_the_result(sphere_views):
    view = sphere_views(radius_mm=10.0)[0]  # SID 1050, SOD 750, 0.4 mm pixels
    fit = reprojection_fit(view, ball(8.0))
    assert fit.chamfer_mm / fit.chamfer_px == pytest.approx(0.4 * 750 / 1050, rel=1e-3)
    assert fit.hd95_mm / fit.hd95_px == pytest.approx(0.4 * 750 / 1050, rel=1e-3)


def test_a_result_outside_the_image_and_an_empty_one(sphere_views):
    view = sphere_views(radius_mm=10.0)[0]
    fit = reprojection_fit(view, ball(5.0, centre=(0, 0, 300)))
    assert (fit.reprojected_pixels, fit.coverage) == (0, 0) and math.isinf(fit.chamfer_mm)
    with pytest.raises(InputError, match="empty"):
        reprojection_fit(view, ball(10.0).where(np.zeros(len(ball(10.0).values), dtype=bool)))


def test_summary_of_two_blocks():
    dense = np.zeros((20, 12, 10), dtype=np.float32)
    dense[1:5, 2:4, 3:6] = 0.7  # 24 voxels
    dense[10:12, 2:4, 3:5] = 0.6  # 8 voxels
    summary = summarise(SparseVolume.from_dense(dense, VolumeGrid(dense.shape, 0.5, (1.0, 2.0, 3.0))))
    assert (summary.voxels, summary.components, summary.largest_fraction) == (32, 2, 0.75)
    assert summary.volume_mm3 == 4.0
    assert summary.extent_mm == (5.5, 1.0, 1.5)
    assert summary.centre_lps_mm == (1 + 3.0, 2 + 1.25, 3 + 2.0)


def test_a_vessel_that_another_view_does_not_show_has_no_counterpart(sphere_views):
    views = sphere_views(radius_mm=10.0)
    assert shares_with_counterpart(views, 0.0) == (1.0, 1.0)
    mask = views[0].mask.copy()
    rows, columns = np.nonzero(mask)
    above = slice(rows.min() - 12, rows.min() - 8)  # 2.3 to 3.4 mm above the sphere's epipolar planes
    mask[above, int(columns.mean()) - 3 : int(columns.mean()) + 4] = True
    pair = [views[0].with_mask(mask), views[1]]
    shares = shares_with_counterpart(pair, 0.0)
    assert shares[0] < 1 and shares[0] == pytest.approx(1 - 28 / mask.sum(), abs=2e-3) and shares[1] == 1.0
    assert shares_with_counterpart(pair, 4.0) == (1.0, 1.0)
    assert np.isnan(shares_with_counterpart(pair, 200.0)).all()  # more than the memory holds: nothing is said


def test_of_three_views_two_explain_what_the_third_does_not_see(sphere_views):
    """A third mask that shows the vessel elsewhere takes the counterpart of all; one that ends before it, nothing."""
    views = sphere_views(radius_mm=10.0, angles=((30, 0), (-40, 20), (5, -35)))
    elsewhere = views[2].with_mask(np.roll(views[2].mask, 60, axis=1))
    assert max(shares_with_counterpart([*views[:2], elsewhere], 0.0)) < 0.6
    rows = int(np.nonzero(views[2].mask)[0].mean())  # the image ends in the middle of the sphere
    offset = (0.0, 0.5 * (rows - views[2].mask.shape[0]) * views[2].acquisition.pixel_spacing_mm[0])
    taken = replace(views[2].acquisition, detector_offset_mm=offset)
    cut = AngiogramView("cut", views[2].pixels[:rows], taken, mask=views[2].mask[:rows])
    assert min(shares_with_counterpart([*views[:2], cut], 0.0)) > 0.99
