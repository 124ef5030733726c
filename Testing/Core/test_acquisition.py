"""Poses, lumen thickness, raw angiogram runs and the XA files made of them."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from scipy import ndimage
from xradiff.datatypes import Acquisition
from xradiff.errors import InputError
from xradiff.geometry import view_separation_deg
from xradiff.geometry.camera import camera_from
from xradiff.synthetic import Tube, TubeTree, random_tubes, silhouette
from xradiff.synthetic.acquisition import (
    CLINICAL_VIEWS,
    SOURCES,
    AngiogramOptions,
    Bolus,
    PoseRange,
    draw_poses,
    lumen_chords,
    path_length,
    simulate_run,
    write_xa,
)
from xradiff.synthetic.acquisition.background import body_attenuation, catheter
from xradiff.synthetic.acquisition.contrast import cone_distance_mm
from xradiff.views import read_view

ACQUISITION = Acquisition(30, 10, 1050, 750, 0.3)
SMALL = (160, 128)
WIDE = Acquisition(-30, 20, 1050, 750, 1.1)  # shows the whole tree on SMALL
BARE = {"with_body": False, "with_catheter": False, "scatter": 0, "blur_mm": 0, "noise": 0, "collimator_px": 0}
FULL = Bolus(start_ms=0, duration_ms=1e5, speed_mm_s=1e6, rise_ms=1)


def tube_of(points, radii):
    return Tube(np.asarray(points, float), np.asarray(radii, float))


def tree_of(points, radii):
    return TubeTree((tube_of(points, radii),))


def distances(camera, point):
    """Return the distance in mm of every pixel's ray to `point`."""
    rays = camera.ray_directions(np.moveaxis(np.indices(camera.shape), 0, -1))
    return np.linalg.norm(np.cross(rays, point - camera.source), axis=-1)


@pytest.fixture(scope="module")
def run():
    return simulate_run(random_tubes("left", np.random.default_rng(0)), WIDE, SMALL, np.random.default_rng(5))


# Poses


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("source", SOURCES)
def test_views_lie_apart_and_repeat_with_the_seed(source, side):
    for seed in range(40):
        first, second = draw_poses(source, side, np.random.default_rng(seed))
        assert view_separation_deg(camera_from(first, (512, 512)), camera_from(second, (512, 512))) >= 25
        assert draw_poses(source, side, np.random.default_rng(seed)) == (first, second)


def test_published_table_is_kept_and_filled():
    rng = np.random.default_rng(0)
    right = [draw_poses("xradiff", "right", rng) for _ in range(300)]
    left = [draw_poses("xradiff", "left", rng) for _ in range(300)]
    for poses, number, name, low, high in (
        (right, 0, "primary_deg", 0, 50),
        (right, 0, "secondary_deg", -20, 20),
        (right, 0, "sid_mm", 970, 1010),
        (right, 1, "primary_deg", -42, -18),
        (right, 1, "sid_mm", 1050, 1070),
        (right, 1, "sod_mm", 742, 788),
        (left, 0, "primary_deg", -18, 18),
        (left, 1, "secondary_deg", -10, 45),
        (left, 1, "sod_mm", 737, 852),
    ):
        values = np.array([getattr(pair[number], name) for pair in poses])
        assert low <= values.min() < low + 0.1 * (high - low), name
        assert high - 0.1 * (high - low) < values.max() <= high, name
    assert all(pair[0].secondary_deg == 0 for pair in left)
    assert all(0.2769 <= pose.pixel_spacing_mm[0] < 0.2789 for pair in right + left for pose in pair)


def test_clusters_are_nine_and_distances_correlate():
    rng = np.random.default_rng(1)
    poses = [pose for _ in range(400) for pose in draw_poses("autocar", "left", rng)]
    angles = np.array([(pose.primary_deg, pose.secondary_deg) for pose in poses])
    centres = np.array([(a, b) for a in (-35, 0, 40) for b in (-28, 0, 28)])
    nearest = np.linalg.norm(angles[:, None] - centres, axis=-1)
    assert np.bincount(nearest.argmin(axis=1), minlength=9).min() > 40
    assert nearest.min(axis=1).max() < 2.5 * 6 * np.sqrt(2)
    sid, sod, pitch = np.array([(p.sid_mm, p.sod_mm, p.pixel_spacing_mm[0]) for p in poses]).T
    assert sod.min() >= 700 and sod.max() <= 810 and (sid - sod).min() >= 150 and sid.max() <= 1200
    assert np.corrcoef(sid, sod)[0, 1] > 0.15 and np.corrcoef(sid, pitch)[0, 1] > 0.15
    assert np.median(pitch) == pytest.approx(0.3, abs=0.01) and pitch.max() > 0.39


@pytest.mark.parametrize("side", ["left", "right"])
def test_clinical_views_are_the_named_ones(side):
    named = np.array(list(CLINICAL_VIEWS[side].values()))
    for seed in range(30):
        for pose in draw_poses("clinical", side, np.random.default_rng(seed), count=3):
            off = np.abs(named - (pose.primary_deg, pose.secondary_deg)).max(axis=1)
            assert off.min() <= 5


def test_own_poses_keep_their_order_and_larger_images_their_field():
    own = [Acquisition(a, 0, 1000, 750, 0.3) for a in (-60, -50, 0, 40)]
    for seed in range(10):
        chosen = draw_poses(own, "left", np.random.default_rng(seed), count=3)
        assert chosen in [(own[0], own[2], own[3]), (own[1], own[2], own[3])]
    many = [Acquisition(a, 0, 1000, 750, 0.3) for a in range(60)]
    assert len(draw_poses(many, "left", np.random.default_rng(0))) == 2
    small, large = (draw_poses("xradiff", "left", np.random.default_rng(2), shape=(n, n)) for n in (512, 1024))
    assert large[0].pixel_spacing_mm[0] == small[0].pixel_spacing_mm[0] / 2
    assert large[1].primary_deg == small[1].primary_deg


RANGE = {"primary_deg": (0, 10), "secondary_deg": (0, 10), "sid_mm": (1000, 1100), "sod_mm": (700, 800)}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda rng: draw_poses("guess", "left", rng), r"source of poses must be one of xradiff"),
        (lambda rng: draw_poses("xradiff", "both", rng), r"side must be one of left, right"),
        (lambda rng: draw_poses("xradiff", "left", rng, count=3), r"has 2 views of the left tree, 3 were asked for"),
        (lambda rng: draw_poses("xradiff", "left", rng, count=0), r"number of views"),
        (lambda rng: draw_poses("clinical", "left", rng, count=12), r"12 were asked for"),
        (lambda rng: draw_poses([ACQUISITION, ACQUISITION], "left", rng), r"no 2 lie at least 25 deg apart"),
        (lambda rng: draw_poses([], "left", rng), r"among the 0 given poses"),
        (lambda rng: draw_poses([PoseRange(**RANGE)] * 2, "left", rng), r"no 2 views at least 25 deg"),
        (lambda rng: draw_poses("xradiff", "left", rng, shape=(0, 5)), r"at least one row"),
        (lambda rng: PoseRange(**(RANGE | {"primary_deg": (20, 10)})), r"from low to high, got \(20, 10\)"),
        (lambda rng: PoseRange(**(RANGE | {"sod_mm": (700, 1000)})), r"SOD must stay below SID"),
        (lambda rng: PoseRange(**(RANGE | {"secondary_deg": (0, 99)})), r"secondary angle"),
    ],
)
def test_impossible_poses_are_named(make, message):
    with pytest.raises(InputError, match=message):
        make(np.random.default_rng(0))


# Lumen thickness


def test_sphere_has_its_chords():
    camera, centre = camera_from(ACQUISITION, (128, 100)), np.array([3.0, -4.0, 5.0])
    length = path_length(tree_of([centre, centre + 1e-9], [6, 6]), camera)
    expected = 2 * np.sqrt(np.maximum(36 - distances(camera, centre) ** 2, 0))
    np.testing.assert_allclose(length, expected, atol=1e-4)
    assert length.dtype == np.float32 and length.shape == (128, 100)


@pytest.mark.parametrize("points", [2, 5, 81])
def test_straight_tube_across_has_its_diameter(points):
    camera = camera_from(Acquisition(0, 0, 1000, 500, 0.2), (81, 81))
    z = np.linspace(-40, 40, points)
    length = path_length(tree_of(np.stack([0 * z, 0 * z, z], axis=1), np.full(points, 2.1)), camera)
    assert length[40, 40] == pytest.approx(4.2, abs=1e-5)
    tilt = np.arange(81) - 40  # rows away from the centre see the tube at an angle: 1 / cos
    np.testing.assert_allclose(length[:, 40], 4.2 * np.hypot(1, tilt * 0.2 / 1000), atol=1e-5)


def test_cone_equals_the_spheres_it_wraps():
    camera = camera_from(ACQUISITION, (96, 96))
    ends = np.array([[-6.0, 2.0, -4.0], [5.0, -3.0, 5.0]])
    share = np.linspace(0, 1, 1500)[:, None]
    length = path_length(tree_of(ends, [3, 1]), camera)
    many = path_length(tree_of(ends[0] + share * (ends[1] - ends[0]), 3 - 2 * share[:, 0]), camera)
    np.testing.assert_allclose(length, many, atol=1e-3)


def test_shared_lumen_counts_once_and_crossing_vessels_add():
    camera = camera_from(Acquisition(0, 0, 1000, 500, 0.2), (61, 61))
    upright, across = tube_of([[0, 0, -30], [0, 0, 30]], [2, 2]), tube_of([[-30, 9, 0], [30, 9, 0]], [1.5, 1.5])
    again = tube_of([[0, 0, -10], [0, 0, 10]], [2, 2])
    assert path_length(TubeTree((upright, again)), camera)[30, 30] == pytest.approx(4, abs=1e-4)
    assert path_length(TubeTree((upright, across)), camera)[30, 30] == pytest.approx(7, abs=1e-4)
    chords = lumen_chords(TubeTree((upright, across)), camera)
    assert chords.shape == (61 * 61, 2) and chords.min() >= 0
    np.testing.assert_allclose(chords.toarray()[30 * 61 + 30], [4, 3], atol=1e-4)


@pytest.mark.parametrize("side", ["left", "right"])
def test_thickness_is_where_the_silhouette_is(side):
    tree, camera = random_tubes(side, np.random.default_rng(4)), camera_from(ACQUISITION, (512, 512))
    mask, length = silhouette(tree, camera), path_length(tree, camera)
    assert np.mean(mask != (length > 0)) < 1e-4
    assert not (mask & ~ndimage.binary_dilation(length > 0)).any() and 3 < length.max() < 60


def test_tube_beside_the_image_has_no_thickness():
    camera = camera_from(ACQUISITION, (64, 64))
    assert path_length(tree_of([[200, 200, 0], [210, 210, 0]], [2, 2]), camera).max() == 0


# Raw angiograms


@pytest.mark.parametrize("relationship", ["LIN", "LOG"])
def test_log_attenuation_gives_the_thickness_back(relationship):
    tree = random_tubes("right", np.random.default_rng(2))
    options = AngiogramOptions(frames=3, bits=16, bolus=FULL, relationship=relationship, **BARE)
    frames = simulate_run(tree, WIDE, SMALL, np.random.default_rng(0), options).frames.astype(float)
    log = np.log(np.maximum(frames, 1)) if relationship == "LIN" else 3 * frames / 65535
    length = (log[0] - log[2]) / options.iodine_per_mm
    thin = path_length(tree, camera_from(WIDE, SMALL)) < 15
    np.testing.assert_allclose(length[thin], path_length(tree, camera_from(WIDE, SMALL))[thin], atol=0.01)


def test_contrast_arrives_in_order_and_leaves():
    points = np.stack([np.zeros(121), np.zeros(121), np.linspace(40, -40, 121)], axis=1)
    bolus = Bolus(start_ms=100, duration_ms=400, speed_mm_s=100, rise_ms=50, washout_ms=150)
    options = AngiogramOptions(frames=40, frame_time_ms=50, bolus=bolus, bits=16, **BARE)
    straight = Acquisition(0, 0, 1000, 500, 1.0)
    run = simulate_run(tree_of(points, np.full(121, 2.0)), straight, (181, 41), np.random.default_rng(0), options)
    darkness = run.frames.max() - run.frames[:, :, 20].astype(int)
    rows = np.arange(
        12, 169
    )  # row r shows z = (90 - r) / 2 mm, where the front comes (40 - z) / 100 s after the ostium
    half = np.argmax(darkness[:, rows] > darkness.max() / 2, axis=0)
    expected = (100 + 25 + (40 - (90 - rows) / 2) * 10) / 50
    assert (np.diff(half) >= 0).all() and np.abs(half - expected).max() <= 1.01
    assert not run.masks[0].any() and not run.masks[-1].any() and run.masks[14].sum() > 300
    assert (darkness[-1] < 0.05 * darkness.max()).all()


def test_a_branch_fills_after_the_vessel_it_leaves():
    z = np.linspace(0, 30, 4)
    stem = tube_of(np.stack([0 * z, 0 * z, z], axis=1), np.full(4, 2.0))
    branch = tube_of([[0, 0, 20], [6, 0, 20], [12, 0, 20]], [1, 1, 1])
    np.testing.assert_allclose(cone_distance_mm(TubeTree((stem, branch))), [5, 15, 25, 23, 29])


def test_blur_and_scatter_are_as_asked():
    tree, share = random_tubes("right", np.random.default_rng(2)), 0.4

    def light(**changes):
        options = AngiogramOptions(frames=2, bits=16, bolus=FULL, **(BARE | changes))
        return simulate_run(tree, WIDE, SMALL, np.random.default_rng(0), options).frames[1] / 65535 * 1.08

    sharp = light()
    blurred = ndimage.gaussian_filter(sharp, 2.2 / 1.1, truncate=3)
    np.testing.assert_allclose(light(blur_mm=2.2), blurred, atol=1e-4)
    np.testing.assert_allclose(light(scatter=share), (1 - share) * sharp + share, atol=1e-4)


def test_catheter_leads_to_the_ostium_and_is_no_vessel():
    tree, camera = random_tubes("right", np.random.default_rng(2)), camera_from(WIDE, SMALL)
    options = AngiogramOptions(frames=1, bits=16, **(BARE | {"with_catheter": True}))
    run = simulate_run(tree, WIDE, SMALL, np.random.default_rng(0), options)
    tube = catheter(tree)
    assert np.linalg.norm(tube.points() - tree.points()[0], axis=1).min() < 2
    expected = 65535 / 1.08 * np.exp(-0.05 * path_length(tube, camera))
    np.testing.assert_allclose(run.frames[0], expected, atol=1.5)
    assert not run.masks.any() and expected.min() < 0.92 * expected.max()


@pytest.mark.parametrize(("primary", "side"), [(45, 1), (-40, -1)])
def test_spine_lies_right_in_lao_and_left_in_rao(primary, side):
    camera = camera_from(Acquisition(primary, 0, 1050, 750, 1.2), (256, 256))
    for seed in range(5):
        body = body_attenuation((0, 0, 0), camera, np.random.default_rng(seed))
        column = round(camera.project(np.array([-24.0, 88.0, 0.0]))[1])
        assert side * (column - 127.5) > 30 and body.shape == (256, 256) and body.min() >= 0
        assert body[:128, column].mean() > 1.25 * body[:128, 255 - column].mean()


def test_run_is_complete_and_repeats_with_the_seed(run):
    tree = random_tubes("left", np.random.default_rng(0))
    again = simulate_run(tree, WIDE, SMALL, np.random.default_rng(5))
    other = simulate_run(tree, WIDE, SMALL, np.random.default_rng(6))
    assert np.array_equal(run.frames, again.frames) and np.array_equal(run.masks, again.masks)
    assert not np.array_equal(run.frames, other.frames)
    assert run.frames.shape == run.masks.shape == (30, *SMALL) and run.frames.max() <= 4095
    assert (run.masks <= silhouette(tree, camera_from(WIDE, SMALL))).all()
    assert run.masks[0].sum() < run.masks[18].sum() and run.frames[:, 0, 0].max() == 0
    steps = np.diff(run.phases) % 1.0
    np.testing.assert_allclose(steps, 70 / 60 / 15)
    assert all(run.phases[index] < run.phases[index - 1] for index in run.r_wave_frames)


def test_vessels_are_dark_and_the_noise_is_as_asked():
    tree = random_tubes("left", np.random.default_rng(0))
    settings = {"bolus": FULL, "frames": 24, "with_catheter": False, "scatter": 0.0}
    noisy, clean = (
        simulate_run(tree, WIDE, SMALL, np.random.default_rng(1), AngiogramOptions(noise=n, **settings))
        for n in (0.02, 0.0)
    )
    mask = noisy.masks[-1]
    assert noisy.frames[-1][mask].mean() < 0.95 * noisy.frames[0][mask].mean()
    inside = np.zeros(SMALL, bool)
    inside[40:-40, 40:-40] = True
    relative = noisy.frames[2:].std(axis=0)[inside] / clean.frames[2][inside]
    assert np.median(relative) == pytest.approx(0.02, rel=0.35)
    assert clean.frames[2:].std(axis=0).max() == 0


def test_a_moving_heart_moves_the_vessels_and_keeps_their_filling():
    tree = random_tubes("right", np.random.default_rng(3))
    trees = [tree.translate((0, 0, 2.0 * k)) for k in range(4)]
    phases = [0.1, 0.6, 0.95, 0.2]
    options = AngiogramOptions(bolus=FULL)
    run = simulate_run(trees, WIDE, SMALL, np.random.default_rng(0), options, phases)
    rows = [np.argwhere(mask)[:, 0].mean() for mask in run.masks[1:]]
    assert (np.diff(rows) < -1).all()  # upwards in the image
    assert list(run.phases) == phases and run.r_wave_frames == (3,)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda tree, rng: simulate_run([], WIDE, SMALL, rng), r"at least one tree"),
        (lambda tree, rng: simulate_run(tree.translate((900, 0, 0)), WIDE, SMALL, rng), r"misses the tree"),
        (
            lambda tree, rng: simulate_run([tree] * 2, WIDE, SMALL, rng, phases=[0.5, 1.0]),
            r"2 heart phases in \[0, 1\)",
        ),
        (
            lambda tree, rng: simulate_run([tree, TubeTree(tree.tubes[:1])], WIDE, SMALL, rng),
            r"same number of points",
        ),
        (lambda tree, rng: AngiogramOptions(bits=17), r"bits must lie in \[8, 16\]"),
        (lambda tree, rng: AngiogramOptions(frame_time_ms=0), r"frame time"),
        (lambda tree, rng: AngiogramOptions(relationship="SQRT"), r"LIN, LOG"),
        (lambda tree, rng: Bolus(speed_mm_s=0), r"speed_mm_s"),
    ],
)
def test_bad_runs_are_named(make, message):
    with pytest.raises(InputError, match=message):
        make(random_tubes("left", np.random.default_rng(0)), np.random.default_rng(0))


# XA files

UNEVEN = Acquisition(-31.7, 22.35, 1043.2, 751.9, (1.1, 1.05), detector_offset_mm=(4.25, -2.5))


@pytest.mark.parametrize(("bits", "relationship"), [(8, "LIN"), (10, "LOG"), (12, "LIN"), (16, "LOG")])
def test_file_comes_back_with_its_pixels_and_geometry(tmp_path, bits, relationship):
    options = AngiogramOptions(frames=5, bits=bits, relationship=relationship)
    tree = random_tubes("right", np.random.default_rng(0))
    run = simulate_run(tree, UNEVEN, SMALL, np.random.default_rng(0), options)
    path = write_xa(run, tmp_path / "run.dcm", seed=4)
    for frame in (0, 3):
        view = read_view(path, frame=frame)
        assert np.array_equal(view.pixels, run.frames[frame])
        read, written = view.acquisition, UNEVEN
        for name in ("primary_deg", "secondary_deg", "sid_mm", "sod_mm", "pixel_spacing_mm", "detector_offset_mm"):
            assert getattr(read, name) == pytest.approx(getattr(written, name), abs=1e-6), name
    assert np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(path))), run.frames)
    dataset = pydicom.dcmread(path)
    assert np.array_equal(dataset.pixel_array, run.frames)
    assert float(dataset.FrameTime) == pytest.approx(run.frame_time_ms) and dataset.BitsStored == bits


def test_file_is_marked_synthetic_and_the_same_for_the_same_seed(tmp_path, run):
    first, again = (write_xa(run, tmp_path / name, seed=4) for name in ("a.dcm", "b.dcm"))
    assert first.read_bytes() == again.read_bytes()
    a, b = pydicom.dcmread(first), pydicom.dcmread(write_xa(run, tmp_path / "c.dcm", seed=4, series_number=2))
    c = pydicom.dcmread(write_xa(run, tmp_path / "d.dcm", seed=5))
    assert str(a.PatientName).startswith("SYNTHETIC") and "Synthetic" in a.PatientComments
    assert a.StudyInstanceUID == b.StudyInstanceUID != c.StudyInstanceUID
    assert len({d.SeriesInstanceUID for d in (a, b, c)}) == len({d.SOPInstanceUID for d in (a, b, c)}) == 3
    waves = np.atleast_1d(a.RWavePointer)
    assert [wave - 1 for wave in waves] == list(run.r_wave_frames)


@pytest.mark.parametrize(("bits", "relationship"), [(8, "LIN"), (12, "LIN"), (12, "LOG"), (16, "LOG")])
def test_a_validator_finds_no_error(tmp_path, bits, relationship):
    program = shutil.which("dciodvfy")
    if program is None:
        pytest.skip("dciodvfy (Debian package dicom3tools) is not installed")
    options = AngiogramOptions(bits=bits, relationship=relationship)
    run = simulate_run(random_tubes("left", np.random.default_rng(0)), WIDE, SMALL, np.random.default_rng(0), options)
    path = write_xa(run, tmp_path / "run.dcm", seed=1)
    report = subprocess.run([program, str(path)], capture_output=True, text=True, check=False)
    assert report.returncode == 0 and "XAImage" in report.stdout + report.stderr
    assert "Error" not in report.stdout + report.stderr


def test_files_that_cannot_be_written_are_named(tmp_path, run):
    rolled = simulate_run(
        random_tubes("left", np.random.default_rng(0)),
        Acquisition(0, 0, 1000, 750, 1.1, roll_deg=3),
        SMALL,
        np.random.default_rng(0),
        AngiogramOptions(frames=1),
    )
    with pytest.raises(InputError, match=r"detector roll, got 3 deg"):
        write_xa(rolled, tmp_path / "x.dcm", seed=0)
    with pytest.raises(InputError, match=r"does not exist"):
        write_xa(run, tmp_path / "no" / "x.dcm", seed=0)
    with pytest.raises(InputError, match=r"seed and series number"):
        write_xa(run, tmp_path / "x.dcm", seed=-1)
