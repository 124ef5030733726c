"""Silhouettes and voxels of analytic tubes, simple trees, the bundled case."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from scipy import ndimage
from xradiff.centreline_tree import Branch, CentrelineTree
from xradiff.datatypes import Acquisition, VolumeGrid
from xradiff.errors import InputError
from xradiff.geometry.camera import camera_from
from xradiff.synthetic import (
    Tube,
    TubeTree,
    occupancy,
    random_tubes,
    silhouette,
    tubes_of,
)
from xradiff.synthetic.sample_case import FOLDER, SHIFT_MM, write_sample_case

ACQUISITION = Acquisition(30, 10, 1050, 750, 0.3)


def tube_of(points, radii):
    return TubeTree((Tube(np.asarray(points, float), np.asarray(radii, float)),))


def ray_distances(camera, point):
    """Return the distance in mm of every pixel's ray to `point`."""
    pixels = np.stack(np.meshgrid(*(np.arange(n) for n in camera.shape), indexing="ij"), axis=-1)
    return np.linalg.norm(np.cross(camera.ray_directions(pixels), point - camera.source), axis=-1)


def test_sphere_silhouette_is_the_rays_that_meet_it():
    camera, centre, radius = camera_from(ACQUISITION, (256, 200)), np.array([6.0, -9.0, 12.0]), 8.0
    mask = silhouette(tube_of([centre, centre + 1e-9], [radius, radius]), camera)
    distance = ray_distances(camera, centre)
    clear = np.abs(distance - radius) > 0.02  # the ellipse is drawn as a circle: 0.1 px at most
    assert np.array_equal(mask[clear], (distance < radius)[clear])
    assert mask.sum() == pytest.approx(np.pi * (8 * 1050 / 750 / 0.3) ** 2, rel=0.05)


@pytest.mark.parametrize("radii", [(2.0, 2.0), (3.0, 0.5)])
def test_cone_silhouette_is_the_rays_that_meet_its_spheres(radii):
    camera = camera_from(ACQUISITION, (160, 160))
    ends = np.array([[-9.0, 4.0, -6.0], [10.0, -8.0, 9.0]])
    mask = silhouette(tube_of(ends, radii), camera)
    shares = np.linspace(0, 1, 400)
    gap = np.min(
        [
            ray_distances(camera, ends[0] + s * (ends[1] - ends[0])) - (radii[0] + s * (radii[1] - radii[0]))
            for s in shares
        ],
        axis=0,
    )
    clear = np.abs(gap) > 0.03
    assert np.array_equal(mask[clear], (gap < 0)[clear])


def test_straight_tube_has_its_diameter_times_the_magnification():
    camera = camera_from(Acquisition(0, 0, 1000, 500, 0.2), (300, 300))
    mask = silhouette(tube_of([[0, 0, -60], [0, 0, 60]], [2.1, 2.1]), camera)
    width = mask.sum(axis=1)
    assert (np.abs(width - 2 * 2.1 * 2 / 0.2) <= 1).all()  # 42 px on every row
    assert np.abs(np.argwhere(mask).mean(axis=0) - 149.5).max() < 0.01


def test_unequal_pitches_only_resample_the_silhouette():
    tree, shape = random_tubes("left", np.random.default_rng(3)), (257, 257)
    fine = silhouette(tree, camera_from(Acquisition(30, 10, 1050, 750, 0.3), (513, 513)))
    for pitch, size, steps in (
        ((0.6, 0.3), (257, 513), (2, 1)),
        ((0.3, 1.2), (513, 129), (1, 4)),
        (0.6, shape, (2, 2)),
    ):
        mask = silhouette(tree, camera_from(Acquisition(30, 10, 1050, 750, pitch), size))
        assert np.array_equal(mask, fine[:: steps[0], :: steps[1]])  # the same rays


def test_tube_beside_the_image_leaves_it_empty():
    camera = camera_from(ACQUISITION, (64, 64))
    assert not silhouette(tube_of([[200, 200, 0], [210, 210, 0]], [2, 2]), camera).any()


def test_occupancy_has_the_capsules_volume_and_middle():
    grid = VolumeGrid.centred((150, 50, 50), 0.16, (1, 2, 3))
    volume = occupancy(tube_of([[-7, 2, 3], [9, 2, 3]], [3, 3]), grid)
    expected = np.pi * 9 * 16 + 4 / 3 * np.pi * 27
    assert len(volume.indices) * 0.16**3 == pytest.approx(expected, rel=0.01)
    assert np.allclose(volume.points_lps_mm().mean(axis=0), (1, 2, 3), atol=0.02)
    assert (volume.values == 1).all()


def test_every_voxel_projects_into_the_silhouette():
    tree, camera = random_tubes("right", np.random.default_rng(5)), camera_from(ACQUISITION, (600, 600))
    points = occupancy(tree, VolumeGrid.centred((260,) * 3, 0.6)).points_lps_mm()
    rows, columns = np.rint(camera.project(points)).astype(int).T
    inside = (rows >= 0) & (rows < 600) & (columns >= 0) & (columns < 600)
    near = ndimage.binary_dilation(silhouette(tree, camera))
    assert inside.mean() > 0.99 and near[rows[inside], columns[inside]].all()


def test_displaced_tree_equals_displaced_camera():
    tree, shift = random_tubes("left", np.random.default_rng(1)), np.array([4.0, -7.0, 3.0])
    moved = silhouette(tree.translate(shift), camera_from(ACQUISITION, (300, 300)))
    assert np.array_equal(moved, silhouette(tree, camera_from(ACQUISITION.shifted(shift), (300, 300))))


@pytest.mark.parametrize("side", ["left", "right"])
def test_random_tubes_are_whole_and_near_the_isocentre(side):
    for seed in range(10):
        tree, again = (random_tubes(side, np.random.default_rng(seed)) for _ in range(2))
        assert np.array_equal(tree.points(), again.points())
        assert np.linalg.norm(tree.points().min(axis=0) + tree.points().max(axis=0)) / 2 < 15.1
        for tube in tree.tubes:
            assert np.linalg.norm(np.diff(tube.points_lps_mm, axis=0), axis=1).max() < 1.2
            assert 0.1 < tube.radii_mm.min() <= tube.radii_mm.max() < 6


def test_an_occluded_stretch_leaves_a_gap():
    points = np.stack([np.zeros(50), np.zeros(50), np.linspace(0, 24.5, 50)], axis=1)
    radii = np.where((np.arange(50) > 20) & (np.arange(50) < 30), 0.0, 1.0)
    tree = CentrelineTree("left", (Branch("LAD", points, radii, np.full(50, "6")),))
    lengths = [len(tube.points_lps_mm) for tube in tubes_of(tree).tubes]
    assert lengths == [21, 20]
    with pytest.raises(InputError, match="no open vessel"):
        tubes_of(tree.with_radii(np.zeros(50)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Tube(np.zeros((1, 3)), np.ones(1)), r"N >= 2"),
        (lambda: Tube(np.zeros((2, 3)), np.array([1.0, 0.0])), r"radii above 0 mm, got least radius 0"),
        (
            lambda: silhouette(tube_of([[0, 0, 0], [-400, 700, -150]], [1, 1]), camera_from(ACQUISITION, (9, 9))),
            r"in front",
        ),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(InputError, match=message):
        make()


def _parts(text):
    """Return what stands between the numbers of a text, and the numbers."""
    number = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
    return number.sub("#", text), [float(found) for found in number.findall(text)]


def test_bundled_case_is_the_one_this_code_makes(tmp_path):
    write_sample_case(tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == sorted(path.name for path in FOLDER.iterdir())
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 300_000
    for name in names:  # words to the letter, numbers as far as all processors agree
        if not name.endswith(".png"):
            (words, numbers), (others, expected) = (_parts((at / name).read_text()) for at in (tmp_path, FOLDER))
            assert words == others, name
            np.testing.assert_allclose(numbers, expected, rtol=1e-9, atol=1e-12, err_msg=name)
    case = json.loads((FOLDER / "case.json").read_text())
    assert case["true_shift_lps_mm"][1] == list(SHIFT_MM)
