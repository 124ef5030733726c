"""Metrics of a result against the truth: balls and tubes whose numbers follow from geometry."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation
from xradiff.datatypes import Acquisition, AngiogramView, SparseVolume, VolumeGrid
from xradiff.errors import InputError
from xradiff.geometry.camera import camera_from
from xradiff.quantification import (
    ALIGNED,
    DEFINITIONS,
    Correspondences,
    align_points,
    cldice,
    compare,
    correspondence_scores,
    definition_of,
    dice,
    dice_after_dilation,
    dice_after_erosion,
    on_common_grid,
    overlap_within,
    psnr,
    skeleton,
    title_of,
    view_metrics,
    xradiff_scores,
)
from xradiff.synthetic import Tube, TubeTree, occupancy, silhouette


def ball(radius_mm, centre=(0.0, 0.0, 0.0), spacing=0.5, origin=(0.0, 0.0, 0.0)):
    """Voxels of a ball; `origin` moves the grid, not the ball."""
    grid = VolumeGrid.centred((81, 81, 81), spacing, origin)
    points = grid.centres(np.moveaxis(np.indices(grid.shape), 0, -1))
    return SparseVolume.from_dense(np.linalg.norm(points - centre, axis=-1) <= radius_mm, grid)


def tree(shift=(0.0, 0.0, 0.0)):
    """A stem and two branches, none parallel: no rigid motion but none maps it onto itself."""
    t = np.linspace(0, 1, 60)[:, None]
    stem = np.hstack([30 * t - 15, 6 * np.sin(3 * t), 4 * t**2])
    first = stem[20] + t * [4, 14, 3]
    second = stem[45] + t * [6, -9, 12]
    radii = np.full(60, 1.5)
    return TubeTree(tuple(Tube(line, radii) for line in (stem, first, second))).translate(shift)


def voxels(tubes, spacing=0.5, origin=(0.0, 0.0, 0.0)):
    return occupancy(tubes, VolumeGrid.centred((100, 100, 100), spacing, origin))


def named(metrics):
    return {metric.name: metric.value for metric in metrics}


def test_two_balls_of_one_centre():
    found = named(compare(ball(8.0), ball(10.0)))
    assert found["dice"] == pytest.approx(2 * 8**3 / (8**3 + 10**3), abs=0.01)
    assert (found["precision"], found["components"]) == (1.0, 1.0)
    assert found["coverage"] == pytest.approx(0.8**3, abs=0.01)
    assert found["chamfer_mm"] == pytest.approx(2 * 2.0, abs=0.25)  # 2 mm each way, and the sum is taken
    assert found["hd95_mm"] == pytest.approx(2.0, abs=0.4)
    assert found["overlap_2mm"] == pytest.approx(1.0, abs=0.04)
    small, within = 8**3, 9**3 - 8**3  # of the shell between them, the inner millimetre lies within 1 mm
    assert found["overlap_1mm"] == pytest.approx((2 * small + within) / (8**3 + 10**3), abs=0.03)


def test_a_result_that_is_the_truth():
    volume = voxels(tree())
    found = named(compare(volume, volume))
    for name in ("dice", "cldice", "overlap_1mm", "xradiff_dice", "xradiff_overlap_1vox", "components"):
        assert found[name] == 1.0, name
    for name in ("chamfer_mm", "hd95_mm", "centreline_chamfer_mm", "xradiff_chamfer_vox"):
        assert found[name] == 0.0, name
    assert found["psnr_db"] == math.inf


def test_a_tube_moved_sideways():
    line = np.stack([np.linspace(-20, 20, 81), np.zeros(81), np.zeros(81)], axis=1)
    tube = TubeTree((Tube(line, np.full(81, 1.5)),))
    found = named(compare(voxels(tube.translate((0, 6, 0))), voxels(tube)))
    assert found["dice"] == found["cldice"] == found["overlap_1mm"] == 0
    assert found["centreline_chamfer_mm"] == pytest.approx(12.0, abs=0.3)
    assert found["hd95_mm"] == pytest.approx(6.0, abs=0.5)  # the far side is 6 mm from the other's far side
    assert found["xradiff_chamfer_vox"] == pytest.approx((6 - 1) / (0.8 * 128 / 60), abs=0.7)  # half the sum


def test_grids_that_differ_are_brought_together():
    truth = ball(10.0)
    for result in (ball(10.0, origin=(0.13, -0.2, 0.24)), ball(10.0, spacing=0.4), ball(10.0, spacing=0.7)):
        place = on_common_grid(result, truth)
        assert place.grid.spacing_mm == (0.5, 0.5, 0.5)
        assert dice(place.result, place.truth) > 0.96
        assert place.truth.sum() == len(truth.indices)
    same = on_common_grid(truth, truth)
    np.testing.assert_array_equal(same.result, same.truth)


def test_a_soft_border_is_kept_between_voxels():
    grid = VolumeGrid.centred((60, 60, 60), 0.8, (0.3, 0.1, -0.2))
    distance = np.linalg.norm(grid.centres(np.moveaxis(np.indices(grid.shape), 0, -1)), axis=-1)
    soft = SparseVolume.from_dense(np.clip(0.5 + (10.0 - distance) / 1.6, 0, 1), grid)
    hard = SparseVolume.from_dense(distance <= 10.0, grid)
    scores = [dice(place.result, place.truth) for place in (on_common_grid(v, ball(10.0)) for v in (soft, hard))]
    assert scores[0] > 0.99 > scores[1]


def test_empty_volumes_are_refused():
    empty = ball(5.0).where(np.zeros(len(ball(5.0).indices), dtype=bool))
    for pair in ((empty, ball(5.0)), (ball(5.0), empty)):
        with pytest.raises(InputError, match="no voxel"):
            compare(*pair)
        with pytest.raises(InputError, match="no voxel"):
            xradiff_scores(*pair)


def test_cldice_of_a_thin_and_a_thick_tube_with_one_skeleton():
    line = np.stack([np.linspace(-15, 15, 61), np.zeros(61), np.zeros(61)], axis=1)
    thin, thick = (voxels(TubeTree((Tube(line, np.full(61, radius)),))) for radius in (0.8, 2.5))
    place = on_common_grid(thin, thick)
    found = cldice(place.result, place.truth)
    assert found.precision == 1.0 and found.sensitivity > 0.93  # only the ends of the thick one stick out
    assert dice(place.result, place.truth) < 0.25
    assert cldice(place.truth, place.truth).value == 1.0


def test_cldice_halves_by_counting():
    long, short = np.zeros((5, 5, 44), dtype=bool), np.zeros((5, 5, 44), dtype=bool)
    long[2, 2, 2:42] = True
    short[2, 2, 2:12] = True
    found = cldice(short, long)
    assert (found.precision, found.sensitivity) == (1.0, 0.25)
    assert found.value == pytest.approx(2 * 0.25 / 1.25)
    assert cldice(long[::-1, :, :], np.roll(long, 2, axis=0)).value == 0


def test_a_skeleton_keeps_parts_tunnels_and_branches():
    mask = on_common_grid(voxels(tree()), voxels(tree())).result
    line = skeleton(mask)
    assert not (line & ~mask).any()
    neighbours = ndimage.convolve(line.astype(int), np.ones((3, 3, 3), dtype=int)) - 1
    assert (neighbours[line] == 1).sum() == 4  # two ends of the stem, one of each branch: no spurs
    y, x, z = np.mgrid[-20:21, -20:21, -6:7]
    ring = np.hypot(np.hypot(x, y) - 14, z) <= 3.2
    loop = skeleton(ring)
    closed = ndimage.convolve(loop.astype(int), np.ones((3, 3, 3), dtype=int)) - 1
    assert (closed[loop] >= 2).all() and ndimage.label(loop, np.ones((3, 3, 3)))[1] == 1
    assert np.abs(np.hypot(x, y)[loop] - 14).max() < 1.5
    two = np.zeros((40, 20, 20), dtype=bool)
    two[2:16, 5:11, 5:11] = two[20:38, 5:9, 5:9] = True
    assert ndimage.label(skeleton(two), np.ones((3, 3, 3)))[1] == 2
    assert skeleton(np.ones((9, 9, 9), dtype=bool)).sum() == 1
    assert skeleton(np.zeros((4, 4, 4), dtype=bool)).sum() == 0
    with pytest.raises(InputError, match="3D mask"):
        skeleton(np.ones((4, 4), dtype=bool))


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 6, 8])
def test_bars_of_even_width_do_not_vanish(width):
    line = skeleton(np.ones((width, width, 60), dtype=bool))
    assert 60 - 2 * width <= line.sum() <= 60
    assert ndimage.label(line, np.ones((3, 3, 3)))[1] == 1
    assert np.ptp(np.argwhere(line)[:, :2], axis=0).max() <= 1


def test_overlap_within_by_counting():
    a = np.array([[0.0, 0, 0], [5, 0, 0], [10, 0, 0]])
    b = np.array([[0.0, 1, 0], [5, 2, 0]])
    assert overlap_within(a, b, 1.0) == 2 / 5
    assert overlap_within(a, b, 2.0) == 4 / 5
    assert overlap_within(a, b, 0.0) == 0
    assert overlap_within(a, a, 0.0) == 1
    empty = np.zeros((0, 3))
    assert (overlap_within(empty, empty, 1), overlap_within(a, empty, 1)) == (1, 0)
    with pytest.raises(InputError, match=r"tolerance must lie in \[0, inf\)"):
        overlap_within(a, b, -1)


def test_dilation_and_erosion_by_counting():
    a, b = np.zeros((20, 20), dtype=bool), np.zeros((20, 20), dtype=bool)
    a[5, 5], b[5, 7] = True, True  # 3 x 3 squares share one column of three
    assert dice(a, b) == 0
    assert dice_after_dilation(a, b, 1) == 2 * 3 / 18
    a[0, 0] = True  # at the border the square goes on outside
    assert dice_after_dilation(a, a, 2) == 1
    thick, shifted = np.zeros((20, 20), dtype=bool), np.zeros((20, 20), dtype=bool)
    thick[2:12, 2:12], shifted[2:12, 4:14] = True, True
    assert dice_after_erosion(thick, shifted) == 2 * (8 * 6) / (2 * 64)
    assert dice_after_erosion(a, b) == 1  # both vanish


def test_xradiff_scores_of_single_voxels():
    edge = 0.8 * 128 / 60
    grid = VolumeGrid.centred((60, 60, 60), edge)

    def voxel(*index):
        return SparseVolume(grid, np.array([index], dtype=np.int32), np.ones(1, dtype=np.float32))

    found = xradiff_scores(voxel(30, 30, 30), voxel(33, 34, 30))
    assert found.dice == 0
    assert found.chamfer_vox == pytest.approx(5.0)  # half of 5 + 5
    assert found.overlap_1vox == 0  # 3^3 cubes three apart along x do not meet
    assert found.overlap_2vox == pytest.approx((5 - 3) * (5 - 4) * 5 / 125)
    assert found.psnr_db == pytest.approx(10 * math.log10(60**3 / 2))


def test_psnr_by_hand():
    assert psnr(np.array([0, 4.0]), np.array([0, 3.0])) == pytest.approx(10 * math.log10(16 / 0.5))
    assert psnr(np.zeros(4), np.ones(4)) == -math.inf
    with pytest.raises(InputError, match="shapes"):
        psnr(np.zeros(3), np.zeros(4))


@pytest.mark.parametrize("degrees, shift", [(0, (4.0, -3.0, 2.0)), (12, (1.0, 2.0, -5.0)), (0, (25.0, 10.0, 0.0))])
def test_alignment_finds_a_known_motion(degrees, shift):
    points = tree().points()
    turn = Rotation.from_rotvec(np.deg2rad(degrees) * np.array([1, 2, 2]) / 3).as_matrix()
    moved = points @ turn.T + shift
    found = align_points(moved, points)
    np.testing.assert_allclose(found.apply(moved), points, atol=0.02)
    np.testing.assert_allclose(found.undo(found.apply(moved)), moved, atol=1e-9)
    assert found.angle_deg == pytest.approx(degrees, abs=0.05)
    assert np.linalg.det(found.rotation) == pytest.approx(1)


def test_alignment_is_not_drawn_away_by_false_branches():
    points = tree().points()
    ghost, shift = points[:80] + np.array([0, 0, 22.0]), np.array([3.0, -2.0, 1.0])
    found = align_points(np.concatenate([points, ghost]) + shift, points)
    np.testing.assert_allclose(found.apply(points + shift), points, atol=0.1)


def test_a_displaced_tree_scores_well_only_after_alignment():
    found = named(compare(voxels(tree((3.0, -2.0, 4.0))), voxels(tree()), align=True))
    assert found["dice"] < 0.2 and found[f"dice{ALIGNED}"] > 0.9
    assert found[f"chamfer_mm{ALIGNED}"] < 0.3 < 3 < found["chamfer_mm"]
    assert found["alignment_shift_mm"] == pytest.approx(math.sqrt(29), abs=0.2)
    assert found["alignment_angle_deg"] < 0.5
    assert not any(name.endswith(ALIGNED) for name in named(compare(voxels(tree()), voxels(tree()))))


def views_of(tubes, angles=((30, 0), (-40, 20), (0, 35))):
    views = []
    for number, (primary, secondary) in enumerate(angles):
        acquisition = Acquisition(primary, secondary, 1050.0, 750.0, (0.3, 0.3))
        mask = silhouette(tubes, camera_from(acquisition, (256, 256)))
        views.append(AngiogramView(f"view {number}", mask.astype(np.uint8), acquisition, mask=mask))
    return views


def test_reprojection_of_the_truth_and_of_a_displaced_tree():
    view = views_of(tree())[0]
    right, wrong = view_metrics(view, voxels(tree())), view_metrics(view, voxels(tree((0, 0, 8.0))))
    assert right["reprojection_dice"] > 0.9 and right["reprojection_chamfer_px"] < 0.3
    assert wrong["reprojection_dice"] < 0.4 and wrong["reprojection_chamfer_px"] > 10
    assert right["reprojection_dice_dilated"] > right["reprojection_dice"]
    assert 0 < right["reprojection_dice_eroded"] < 1
    views = views_of(tree())
    found = named(compare(voxels(tree()), voxels(tree()), views=views[:2], held_out=views[2:]))
    assert found["reprojection_dice_view0"] == right["reprojection_dice"]
    assert {"reprojection_dice_view1", "reprojection_dice_held_out_view2"} <= set(found)


def test_correspondences_by_hand():
    cameras = [camera_from(Acquisition(a, 0, 1000.0, 500.0, (0.5, 0.5)), (201, 201)) for a in (0, 90)]
    truth = np.array([[0.0, 0, 0], [0, 0, 20.0]])
    given = Correspondences(*cameras, *(camera.project(truth) for camera in cameras))
    perfect = correspondence_scores(truth, given)
    assert (perfect.coverage, perfect.accuracy, perfect.followed_accuracy) == (1, 1, 1)
    assert perfect.end_point_error_mm == pytest.approx(0, abs=1e-9)
    half = correspondence_scores(truth[:1], given)  # the second point is 20 mm away, magnified twice
    assert (half.coverage, half.accuracy) == (0.5, 0.25)
    assert half.end_point_error_mm == pytest.approx(20.0)
    # a point in front of the true one in view A: eq. 23 takes its neighbour in view B, following it does not
    ghost = np.array([[0.0, 10.0, 0.0], [0.5, 0.0, 0.0], [0, 0, 20.0]])
    found = correspondence_scores(ghost, given)
    assert found.end_point_error_mm == pytest.approx(0, abs=1e-9) and found.accuracy == 1
    assert found.followed_error_mm == pytest.approx(10 * 2 / 2)
    assert found.followed_accuracy == 0.5
    with pytest.raises(InputError, match="no points"):
        correspondence_scores(np.zeros((0, 3)), given)
    with pytest.raises(InputError, match="corresponding pixels"):
        Correspondences(*cameras, np.zeros((0, 2)), np.zeros((0, 2)))


def test_every_number_has_a_definition():
    views = views_of(tree())
    cameras = [camera_from(view.acquisition, view.shape) for view in views]
    points = tree().points()
    given = Correspondences(cameras[0], cameras[1], cameras[0].project(points), cameras[1].project(points))
    found = compare(
        voxels(tree()), voxels(tree()), views=views[:2], held_out=views[2:], correspondences=given, align=True
    )
    assert len({metric.name for metric in found}) == len(found)
    for metric in found:
        assert definition_of(metric.name).unit == metric.unit
        assert metric.unit in title_of(metric.name)
    assert title_of("reprojection_dice_held_out_view2") == "2D Dice, held-out view 2"
    assert len({definition.title for definition in DEFINITIONS}) == len(DEFINITIONS)
    assert all(definition.meaning.endswith(".") for definition in DEFINITIONS)
    with pytest.raises(InputError, match="unknown metric 'beauty'; known are dice"):
        definition_of("beauty")
