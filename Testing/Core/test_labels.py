"""CTA labels: written from known trees, read in any orientation, divided into sides, turned into trees again."""

from __future__ import annotations

import re

import numpy as np
import pytest
import SimpleITK as sitk
from xradiff.centreline_tree import Branch, CentrelineTree
from xradiff.datatypes import VolumeGrid
from xradiff.errors import InputError
from xradiff.synthetic import occupancy
from xradiff.synthetic.anatomy import AnatomyOptions, draw_anatomy
from xradiff.synthetic.labels import (
    LabelVolume,
    one_side,
    read_label,
    resample_label,
    split_sides,
    tree_of,
    write_label,
)
from xradiff.synthetic.labels.pieces import assign_pieces
from xradiff.synthetic.tubes import tubes_of

SCANNER_MM = np.array([20.0, -190.0, 150.0])  # where the left ostium lies in the scanner
FLIPPED = np.diag([-1.0, 1.0, -1.0])
SWAPPED = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def rotation(degrees, axis):
    a, b, c = np.asarray(axis) / np.linalg.norm(axis)
    cross = np.array([[0, -c, b], [c, 0, -a], [-b, a, 0]])
    angle = np.deg2rad(degrees)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def branch(points, radii, parent=-1, at=-1):
    points = np.asarray(points, dtype=float)
    return Branch("V", points, np.broadcast_to(radii, len(points)).astype(float), np.full(len(points), ""), parent, at)


def line(start, stop, radius, count=60):
    return branch(np.linspace(start, stop, count), radius)


def anatomical_pair(seed, thickness=1.0):
    """Return (left, right) trees of a random patient, as they lie in a scanner."""
    anatomy = draw_anatomy(np.random.default_rng(seed), AnatomyOptions(occlusion=0)).translated(SCANNER_MM)
    return [tree.with_radii(np.concatenate([b.radii_mm for b in tree]) * thickness) for tree in anatomy.trees.values()]


def grid_around(tree, spacing_mm=0.5):
    points = tree.points_lps_mm()
    first = np.floor((points.min(axis=0) - 8) / spacing_mm)
    shape = np.ceil((points.max(axis=0) + 8) / spacing_mm) - first
    return VolumeGrid(tuple(shape), spacing_mm, tuple(first * spacing_mm))


def overlap(truth, volume):
    """Dice of two sparse volumes on one grid."""
    a, b = (np.ravel_multi_index(tuple(v.indices.T), v.grid.shape) for v in (truth, volume))
    return 2 * len(np.intersect1d(a, b)) / (len(a) + len(b))


def dice_of(truth, tree):
    grid = grid_around(truth)
    return overlap(occupancy(tubes_of(truth), grid), occupancy(tubes_of(tree), grid))


def label_of(trees, path, **options):
    write_label(path, trees, **options)
    return read_label(path)


def balls(centres, radius):
    """Return specks as the smallest trees there are."""
    return [CentrelineTree("left", (line(c, np.add(c, (0.01, 0, 0)), radius, 2),)) for c in centres]


def broken(tree, number, gap_mm=4.0, rest_mm=12.0):
    """Return the tree with a break in one end branch; `rest_mm` of vessel lie behind it."""
    whole = tree.branches[number]
    to_end = whole.length_mm - whole.arclength_mm
    near, far = to_end > rest_mm + gap_mm, to_end < rest_mm
    first = branch(whole.points_lps_mm[near], whole.radii_mm[near], whole.parent, whole.parent_point)
    piece = branch(whole.points_lps_mm[far], whole.radii_mm[far])
    branches = list(tree.branches)
    branches[number] = first
    return [CentrelineTree(tree.side, tuple(branches)), CentrelineTree(tree.side, (piece,))]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "label.nii.gz"


@pytest.mark.parametrize(
    ("seed", "thickness", "direction"),
    [(1, 1.0, np.eye(3)), (2, 1.5, FLIPPED), (3, 1.0, rotation(25, (1, 2, 3)) @ SWAPPED)],
    ids=["lumen", "thick, flipped", "lumen, oblique, axes swapped"],
)
def test_a_pair_comes_back_from_its_label(path, seed, thickness, direction):
    pair = anatomical_pair(seed, thickness)
    split = split_sides(label_of(pair, path, direction=direction))
    for truth, label in zip(pair, (split.left, split.right), strict=True):
        tree = tree_of(label, truth.side)
        assert tree.side == truth.side
        assert dice_of(truth, tree) > 0.96
        ostium = tree.branches[0].points_lps_mm[0] - truth.branches[0].points_lps_mm[0]
        assert np.linalg.norm(ostium) < 1.0
    assert split.notes == ()


def test_specks_a_break_and_a_bridge_do_no_harm(path):
    left, right = anatomical_pair(5, 1.5)
    tip, stem = right.branches[0].points_lps_mm[-1], left.branches[1].points_lps_mm
    bridge = CentrelineTree("left", (line(tip, stem[np.argmin(np.linalg.norm(stem - tip, axis=1))], 0.6),))
    places = ((-60, 30, 10), (30, -90, -20), (0, 20, -10), (70, 0, -80))
    specks = balls(np.add(SCANNER_MM, places), 0.8)
    damaged = [*broken(left, left.names.index("LAD")), *broken(right, right.names.index("PDA")), bridge, *specks]
    split = split_sides(label_of(damaged, path, direction=rotation(-30, (2, 1, 0)) @ FLIPPED))
    for truth, label in ((left, split.left), (right, split.right)):
        assert dice_of(truth, tree_of(label, truth.side)) > 0.95
    said = " ".join(split.notes)
    assert "cut the trees apart" in said
    assert len(re.findall("reattached a piece of [0-9]+ voxels to the left", said)) == 1
    assert len(re.findall("reattached a piece of [0-9]+ voxels to the right", said)) == 1
    assert "dropped 4 loose pieces" in said


def test_trees_that_touch_at_their_stems_are_cut_between_the_stems(path):
    left, right = anatomical_pair(5, 1.3)
    ends = [tree.branches[0].points_lps_mm[0] for tree in (left, right)]
    split = split_sides(label_of([left, right, CentrelineTree("left", (line(*ends, 0.7),))], path))
    for truth, label in ((left, split.left), (right, split.right)):
        assert dice_of(truth, tree_of(label, truth.side)) > 0.94  # the bridge itself, 36 mm long, goes to one side


def test_loose_voxels_are_no_trees():
    inside = np.zeros((40, 40, 40), dtype=bool)
    inside[::5, ::5, ::5] = True
    with pytest.raises(InputError, match="only loose pieces"):
        split_sides(LabelVolume(inside, (0.4, 0.4, 0.4), np.eye(3), np.zeros(3)))


@pytest.mark.parametrize("seed", [2, 6])
@pytest.mark.parametrize("side", [0, 1], ids=["left", "right"])
def test_one_tree_alone_is_not_divided(path, seed, side):
    tree = anatomical_pair(seed, 1.4)[side]
    longest = int(np.argmax([branch.length_mm for branch in tree]))
    label = label_of(broken(tree, longest, rest_mm=40.0), path)
    with pytest.raises(InputError, match="one tree only"):
        split_sides(label)
    kept = one_side(label, tree.side)
    assert kept.inside.sum() == label.inside.sum()


def test_one_side_drops_specks_and_keeps_the_broken_piece(path):
    truth = CentrelineTree("right", (line((0, 0, 40), (0, 0, 0), 1.2),))
    piece = CentrelineTree("right", (line((0, 0, -4), (0, 0, -20), 1.0),))
    clean = one_side(label_of([truth, piece], path), "right")
    label = one_side(label_of([truth, piece, *balls([np.array([15.0, 0, 0])], 0.7)], path), "right")
    assert label.inside.sum() == clean.inside.sum()
    tree = tree_of(label, "right")
    assert len(tree.branches) == 1
    assert tree.branches[0].length_mm == pytest.approx(60, abs=0.5)
    assert np.abs(tree.branches[0].points_lps_mm[:, :2]).max() < 0.15


@pytest.mark.parametrize("radius", [0.45, 0.8, 2.0])
def test_a_straight_tube_keeps_its_place_length_and_radius(path, radius):
    axis = np.array([0.36, 0.48, -0.8])
    start = np.array([3.1, -20.7, 55.2])
    truth = CentrelineTree("left", (line(start, start + 30 * axis, radius),))
    tree = tree_of(label_of([truth], path), "left")
    assert tree.names == ("B1",)
    found = tree["B1"]
    offset = found.points_lps_mm - start
    assert np.linalg.norm(np.cross(offset, axis), axis=1).max() < 0.12
    assert found.length_mm == pytest.approx(30, abs=0.5)
    assert np.linalg.norm(offset[0]) < 0.35  # the upper end is the ostium
    assert np.median(found.radii_mm) == pytest.approx(radius, rel=0.03)
    assert np.abs(found.radii_mm / radius - 1).max() < 0.15


def test_a_vessel_close_by_does_not_widen_the_wall(path):
    turn = np.linspace(0, np.pi, 30)
    bend = np.stack([1.4 * np.cos(turn), 0 * turn, -1.4 * np.sin(turn)], axis=1)
    legs = [np.linspace((1.4, 0, 20), (1.4, 0, 0), 40)[:-1], bend, np.linspace((-1.4, 0, 0), (-1.4, 0, 12), 30)[1:]]
    tree = tree_of(label_of([CentrelineTree("left", (branch(np.concatenate(legs), 1.0),))], path), "left")
    points, radii = tree["B1"].points_lps_mm, tree["B1"].radii_mm
    beside = (points[:, 2] > 3) & (points[:, 2] < 11)
    assert np.abs(np.abs(points[beside, 0]) - 1.4).max() < 0.08
    assert np.abs(radii[beside] - 1).max() < 0.06


def test_a_piece_goes_where_it_points_rather_than_where_it_is_nearest():
    steps = np.arange(0, 12, 0.5)[:, None]
    ahead, piece, beside = steps * (1, 0, 0), (17, 0, 0) + steps * (1, 0, 0), (23, 4, 0) + steps * (0, 1, 0)
    parts = np.repeat([0, 1, 2], len(steps))
    side, notes = assign_pieces(np.concatenate([ahead, piece, beside]), parts, np.array([1, -1, 0])[parts])
    assert (side[parts == 1] == 1).all()
    assert "to the left tree, 5.5 mm away" in notes[0]


def test_the_main_branch_is_the_longest_and_the_others_begin_on_it(path):
    stem = line((0, 0, 60), (0, 0, 0), 1.5, 121)
    fork = branch(np.linspace((0, 0, 40), (16, 0, 20), 60), 1.0, 0, 40)
    small = branch(np.linspace((0, 0, 20), (0, -12, 12), 40), 0.8, 0, 80)
    tree = tree_of(label_of([CentrelineTree("left", (stem, small, fork))], path), "left")
    assert tree.names == ("B1", "B2", "B3")
    assert [b.parent for b in tree] == [-1, 0, 0]
    assert tree["B1"].length_mm == pytest.approx(60, abs=1)
    assert tree["B2"].points_lps_mm[-1] == pytest.approx((16, 0, 20), abs=0.4)
    assert tree["B3"].points_lps_mm[-1] == pytest.approx((0, -12, 12), abs=0.4)
    for child in tree.branches[1:]:
        assert child.points_lps_mm[0] == pytest.approx(tree["B1"].points_lps_mm[child.parent_point], abs=0.3)
        assert set(child.segments) == {""}


def test_where_the_array_begins_and_which_way_it_runs_does_not_matter(path):
    truth = CentrelineTree("right", (branch(np.array([[0, 0, 30.0], [4, 6, 20], [2, 9, 8], [-5, 4, 0]]), 1.3),))
    for direction in (np.eye(3), FLIPPED, SWAPPED, rotation(40, (3, -1, 2))):
        tree = tree_of(label_of([truth], path, direction=direction, spacing_mm=(0.3, 0.4, 0.5)), "right")
        assert len(tree.branches) == 1
        assert np.linalg.norm(tree["B1"].points_lps_mm[0] - (0, 0, 30)) < 0.4
        assert dice_of(truth, tree) > 0.96


def test_a_ring_is_opened(path):
    angle = np.linspace(0, 2 * np.pi, 120)
    ring = branch(np.stack([10 * np.cos(angle), 10 * np.sin(angle), 0 * angle], axis=1), 1.0, 0, 59)
    truth = CentrelineTree("left", (line((10, 0, 30), (10, 0, 0), 1.5), ring))
    tree = tree_of(label_of([truth], path), "left")
    assert dice_of(truth, tree) > 0.93
    assert sum(b.parent < 0 for b in tree) == 1


def test_resampling_keeps_shape_and_volume(path):
    truth = CentrelineTree("left", (line((0, 0, 0), (30, 12, 9), np.linspace(1.6, 0.9, 60)),))
    label = label_of([truth], path, direction=rotation(20, (1, 1, 0)))
    grid = grid_around(truth, 0.25)
    exact, fine = occupancy(tubes_of(truth), grid), resample_label(label, grid)
    assert overlap(exact, fine) > 0.96
    assert len(fine.indices) == pytest.approx(len(exact.indices), rel=0.02)
    own = resample_label(label, 0.25)
    assert np.allclose(np.asarray(own.grid.origin_lps_mm) / 0.25 % 1, 0)
    assert {tuple(p) for p in own.points_lps_mm().round(6)} == {tuple(p) for p in fine.points_lps_mm().round(6)}


def test_a_grid_that_misses_the_label_stays_empty(path):
    label = label_of([CentrelineTree("left", (line((0, 0, 0), (9, 0, 0), 1.0),))], path)
    assert len(resample_label(label, VolumeGrid((4, 4, 4), 0.5, (100, 100, 100))).indices) == 0


@pytest.mark.parametrize("name", ["label.nii.gz", "label.nrrd"])
def test_what_is_written_is_read(tmp_path, name):
    truth = CentrelineTree("left", (line((-3, 40, 7), (9, 44, 20), 1.0),))
    label = label_of([truth], tmp_path / name, direction=SWAPPED, spacing_mm=(0.3, 0.35, 0.5))
    assert label.spacing_mm == pytest.approx((0.3, 0.35, 0.5))
    assert np.allclose(label.direction, SWAPPED)
    points = label.points_lps_mm(np.argwhere(label.inside))
    axis = np.array([12, 4, 13]) / np.linalg.norm([12, 4, 13])
    assert np.linalg.norm(np.cross(points - (-3, 40, 7), axis), axis=1).max() <= 1.0 + 1e-4
    assert np.allclose(label.indices(points), np.argwhere(label.inside), atol=1e-6)
    assert label.inside[0].any() and label.inside[-1].any()  # cropped


def image_of(array, spacing=(0.4, 0.4, 0.5)):
    image = sitk.GetImageFromArray(array)
    if image.GetDimension() == 3:
        image.SetSpacing(spacing)
    return image


def block(value=1):
    array = np.zeros((8, 8, 8), dtype=np.uint8)
    array[2:5, 2:5, 2:5] = value
    return array


def two_values():
    array = block()
    array[6, 6, 6] = 2
    return array


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (image_of(block(0)), "is empty"),
        (image_of(np.ones((4, 4, 4), dtype=np.uint8)), "must be binary"),
        (image_of(two_values()), "must be binary .* got 0 to 2"),
        (image_of(block(), spacing=(8.0, 8.0, 8.0)), "spacing must lie in"),
        (image_of(np.stack([block(), block()])), "must be one 3-D volume"),
        (sitk.Compose([image_of(block())] * 3), "must be one 3-D volume"),
        (image_of(block()[0].copy()), "must be one 3-D volume"),
    ],
    ids=["empty", "full", "two values", "spacing", "4-D", "vector", "2-D"],
)
def test_labels_that_cannot_be_used_are_refused(path, image, message):
    sitk.WriteImage(image, str(path))
    with pytest.raises(InputError, match=message) as caught:
        read_label(path)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_image_is_refused(tmp_path, path):
    with pytest.raises(InputError, match="does not exist"):
        read_label(path)
    with pytest.raises(InputError, match="must be a file"):
        read_label(tmp_path)
    path.write_bytes(b"no image at all")
    with pytest.raises(InputError, match="cannot be read as an image"):
        read_label(path)


def test_a_header_without_orientation_is_refused(tmp_path):
    path = tmp_path / "label.nii"
    sitk.WriteImage(image_of(block()), str(path))
    raw = bytearray(path.read_bytes())
    raw[252:256] = bytes(4)  # qform_code and sform_code of the NIfTI-1 header
    path.write_bytes(raw)
    with pytest.raises(InputError, match="no orientation"):
        read_label(path)


def test_a_single_time_point_and_another_label_value_are_accepted(path):
    image = sitk.JoinSeries([image_of(block(255))])
    sitk.WriteImage(image, str(path))
    assert read_label(path).inside.sum() == 27


def test_wrong_requests_are_refused(path):
    tree = CentrelineTree("left", (line((0, 0, 0), (9, 0, 0), 1.0),))
    with pytest.raises(InputError, match="at least one tree"):
        write_label(path, [])
    with pytest.raises(InputError, match="label spacing must lie in"):
        write_label(path, [tree], spacing_mm=(0, 1, 1))
    with pytest.raises(InputError, match="orthonormal"):
        write_label(path, [tree], direction=np.ones((3, 3)))
    label = label_of([tree], path)
    for verb in (tree_of, one_side):
        with pytest.raises(InputError, match="side must be one of left, right"):
            verb(label, "top")


@pytest.mark.parametrize("count", [2, 5, 27])
def test_the_smallest_labels_give_a_tree_too(count):
    inside = np.zeros(27, dtype=bool)
    inside[:count] = True
    tree = tree_of(LabelVolume(inside.reshape(3, 3, 3), (0.4, 0.4, 0.4), np.eye(3), np.zeros(3)), "left")
    assert tree.names == ("B1",)
    with pytest.raises(InputError, match="a single voxel"):
        tree_of(LabelVolume(np.ones((1, 1, 1), dtype=bool), (0.4, 0.4, 0.4), np.eye(3), np.zeros(3)), "left")
