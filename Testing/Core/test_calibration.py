"""Calibration: the closed form, the search from masks, bundle adjustment, landmarks, the report."""

from __future__ import annotations

import itertools
import json
import sys
from dataclasses import replace

import numpy as np
import pytest
from xradiff.calibration import Landmarks, calibrate, read_landmarks
from xradiff.calibration.closed_form import PRIOR_MM, Gaps, held_back, solve_shifts
from xradiff.calibration.evidence import Consistency, _weighted_median
from xradiff.calibration.frame import pair_frame, ray_normals
from xradiff.calibration.frontier import frontier_points
from xradiff.calibration.misfit import misfit, worst_gap_mm
from xradiff.calibration.outline import trace_outline
from xradiff.calibration.report import EXACT_MM, MOST_MM, CalibrationReport, ViewCorrection
from xradiff.datatypes import Acquisition, AngiogramView
from xradiff.errors import InputError
from xradiff.geometry import camera_of
from xradiff.geometry.epipolar import epipolar_normal
from xradiff.synthetic import CorruptionOptions, corrupt_mask, random_tubes, silhouette
from xradiff.synthetic.tubes import Tube, TubeTree

ANGLES = {"right": ((40.0, -8.0), (-39.0, 6.0)), "left": ((45.0, -25.0), (-30.0, 25.0))}
ZERO = np.zeros(3)

DAMAGE = CorruptionOptions.only(missing_ends=2, breaks=3, spurs=6)


def empty_view(k, primary, secondary, sid=1080.0, sod=749.0):
    return AngiogramView(f"view {k}", np.zeros((512, 512), np.uint8), Acquisition(primary, secondary, sid, sod, 0.308))


def views_of(tree, angles, shifts):
    """Return views of `tree`, the patient displaced by shifts[k] in view k."""
    views = [empty_view(k, *pair) for k, pair in enumerate(angles)]
    return [v.with_mask(silhouette(tree.translate(t), camera_of(v))) for v, t in zip(views, shifts, strict=True)]


def random_shift(rng, largest=20.0):
    direction = rng.normal(size=3)
    return direction / np.linalg.norm(direction) * rng.uniform(0, largest)


def case(side, seed, damaged=False, shift=None):
    rng = np.random.default_rng(seed)
    tree = random_tubes(side, rng)
    truth = random_shift(rng) if shift is None else np.asarray(shift, float)
    views = views_of(tree, ANGLES[side], (ZERO, truth))
    return [v.with_mask(corrupt_mask(v.mask, rng, DAMAGE)) if damaged else v for v in views], truth


def normal_of(views):
    return epipolar_normal(camera_of(views[0]), camera_of(views[1]))


def error_along_n(views, truth, report):
    return abs((np.asarray(report.corrections[0].shift_lps_mm) - truth) @ normal_of(views))


# --- outline and frontier points ---------------------------------------------------------------------


def test_outline_of_a_disc_is_its_circle():
    row, column = np.indices((101, 101))
    outline = trace_outline(np.hypot(row - 48, column - 55) <= 30)
    (curve,) = outline.curves
    distance = np.hypot(*(curve - [48, 55]).T)
    assert np.abs(distance - 30).max() < 0.6 and abs(distance.mean() - 30) < 0.1
    turned = np.roll(curve, -1, axis=0) - curve
    towards = np.stack([-turned[:, 1], turned[:, 0]], axis=1)  # left hand
    assert ((towards * ([48, 55] - curve)).sum(axis=1) > 0).mean() > 0.99
    assert np.allclose(outline.centre, (48, 55)) and not outline.on_border[0].any()


def test_outline_of_a_ring_is_two_curves_and_the_border_is_marked():
    row, column = np.indices((80, 80))
    distance = np.hypot(row - 40, column - 10)
    outline = trace_outline((distance <= 30) & (distance >= 20))
    assert sum(flags.any() for flags in outline.on_border) >= 1
    ring = trace_outline((np.hypot(row - 40, column - 40) <= 30) & (np.hypot(row - 40, column - 40) >= 20))
    assert len(ring.curves) == 2


def test_frontier_points_of_a_sphere_are_its_tangent_planes(sphere_views):
    centre = np.array([3.0, -5.0, 8.0])
    views = sphere_views(centre_mm=centre, radius_mm=10.0)
    a, b = (camera_of(v) for v in views)
    outlines = [trace_outline(v.mask) for v in views]
    frame = pair_frame(a, b, outlines[0].centre, outlines[1].centre)
    for outline, camera in zip(outlines, (a, b), strict=True):
        points = frontier_points(outline, frame, camera)
        assert sorted(points.kinds) == [0, 3]  # largest s with the vessel below, smallest s with it above
        middle = (centre - frame.origin) @ frame.n
        assert np.allclose(np.sort(points.across_mm), [middle - 10, middle + 10], atol=0.12)


def test_epipolar_coordinate_is_the_same_in_both_views():
    views = [empty_view(k, *pair) for k, pair in enumerate(ANGLES["left"])]
    a, b = (camera_of(v) for v in views)
    frame = pair_frame(a, b, (250, 250), (250, 250))
    points = np.random.default_rng(0).uniform(-50, 50, (40, 3))
    s = [frame.coordinate_mm(c, c.project(points)) for c in (a, b)]
    assert np.allclose(*s)
    on_axis = frame.origin + np.array([-20.0, 0.0, 30.0])[:, None] * frame.n
    assert np.allclose(frame.coordinate_mm(a, a.project(on_axis)), [-20, 0, 30])


# --- closed form --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "limit_mm"), [(1, 0.33), (3, 0.22), (6, 0.14), (12, 0.10)])
def test_closed_form_reaches_the_known_accuracy(count, limit_mm):
    """rms error along n with 1 px noise and displacements N(0, (3, 3, 6) mm)."""
    rng = np.random.default_rng(count)
    cameras = [camera_of(AngiogramView("v", np.zeros((512, 512)), Acquisition(*p, 1050, 750, 0.3)))
               for p in ((-30, -20), (45, 20))]  # fmt: skip
    n = epipolar_normal(*cameras)
    errors = []
    for _ in range(200):
        points, truth = rng.normal(size=(count, 3)) * 25 / np.sqrt(3), rng.normal(size=3) * (3, 3, 6)
        seen = [
            c.project(p) + rng.normal(size=(count, 2)) for c, p in zip(cameras, (points, points + truth), strict=True)
        ]
        gaps = Gaps(0, 1, *ray_normals(*cameras, *seen), np.ones(count))
        errors.append((solve_shifts([gaps], 2).shifts_mm[1] - truth) @ n)
    assert np.sqrt(np.mean(np.square(errors))) < 1.2 * limit_mm


def test_what_two_views_hardly_tell_is_held_back_and_the_rest_is_not():
    """Well known: n. Half known: m. Not known: b, which the prior of 10 mm alone holds."""
    n, known = np.array([0.0, 0, 1]), np.diag([PRIOR_MM**2, 3.0**2, 0.1**2])
    still = held_back(np.array([4.0, 6.0, 0.05]), known, n)
    assert np.abs(still[:2]).max() < 0.1 and still[2] == pytest.approx(0.05)
    breathed = held_back(np.array([4.0, 6.0, 12.0]), known, n)
    assert breathed[2] == pytest.approx(12) and 4 < breathed[1] < 6 and breathed[0] < breathed[1]


@pytest.mark.parametrize("side", ["right", "left"])
def test_a_heart_of_another_size_is_not_shifted_along_the_epipolar_planes(side):
    """A tree that is 0.6 % smaller in the second view looks like one 6 mm away along m."""
    for seed in range(3):
        tree = random_tubes(side, np.random.default_rng(seed))
        views = views_of(tree, ANGLES[side], (ZERO, ZERO))
        middle = tree.points().mean(axis=0)
        small = TubeTree(tuple(Tube(middle + 0.994 * (t.points_lps_mm - middle), t.radii_mm) for t in tree.tubes))
        views[1] = views[1].with_mask(silhouette(small, camera_of(views[1])))
        shift = np.asarray(calibrate(views, mode="shift").corrections[0].shift_lps_mm)
        assert np.linalg.norm(shift) < 1.0


def without_common_scale(cameras, rest):
    """Return displacements (V, 3) less their part in proportion to S_k - S_0, which no view can tell."""
    scale = np.array([c.source - cameras[0].source for c in cameras])
    return rest - scale * (rest * scale).sum() / (scale**2).sum()


def test_three_views_tell_all_but_a_common_scale():
    """Exact correspondences of three views; displacements in proportion to S_k - S_0 open no gap."""
    rng = np.random.default_rng(0)
    cameras = [camera_of(empty_view(k, *p)) for k, p in enumerate(((40, -8), (-39, 6), (0, 40)))]
    points, truth = rng.uniform(-40, 40, (30, 3)), np.array([[0, 0, 0], [3, -4, 5], [-6, 2, 1.0]])
    seen = [c.project(points + t) for c, t in zip(cameras, truth, strict=True)]
    gaps = [
        Gaps(i, j, *ray_normals(cameras[i], cameras[j], seen[i], seen[j]), np.ones(30))
        for i, j in ((0, 1), (0, 2), (1, 2))
    ]
    solution = solve_shifts(gaps, 3)
    assert np.abs(without_common_scale(cameras, solution.shifts_mm - truth)).max() < 0.05
    variances = np.linalg.eigvalsh(solution.covariance)
    assert variances[-1] > 50 and variances[-2] < 0.5  # one direction as wide as the prior, five known


# --- shifts from masks ---------------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize(("damaged", "median_mm"), [(False, 0.15), (True, 0.5)])
def test_shift_is_recovered_from_masks_and_never_made_worse(side, damaged, median_mm):
    errors = []
    for seed in range(9):
        views, truth = case(side, seed, damaged)
        report = calibrate(views)
        errors.append(error_along_n(views, truth, report))
        assert report.consistency_after.score >= report.consistency_before.score
    assert np.median(errors) < median_mm
    if not damaged:
        assert max(errors) < 1.0


@pytest.mark.parametrize("tau_mm", [-20.0, 7.0, 20.0])
def test_large_shift_along_n(tau_mm):
    views, _ = case("right", 3, shift=ZERO)
    n = normal_of(views)
    views, _ = case("right", 3, shift=tau_mm * n)
    report = calibrate(views)
    assert report.corrections[0].shift_along_n_mm == pytest.approx(tau_mm, abs=0.2)
    assert report.corrections[0].sigma_mm["n"] < 0.5
    assert "b" in report.corrections[0].undetermined
    assert "n" not in report.corrections[0].undetermined
    after = report.views[1].acquisition.table_shift_mm
    assert np.allclose(after, report.corrections[0].shift_lps_mm)


@pytest.mark.parametrize("side", ["right", "left"])
def test_consistent_views_stay(side):
    for seed in range(4):
        views, truth = case(side, seed, shift=ZERO)
        report = calibrate(views)
        assert error_along_n(views, truth, report) < 0.15
        assert report.views[0] is not None and report.views[0].acquisition == views[0].acquisition


def test_a_moved_view_leaves_a_tolerance_and_consistent_ones_none():
    still, _ = case("right", 0, shift=ZERO)
    moved, _ = case("right", 0)
    assert calibrate(still).tolerance_mm == 0 and calibrate(moved, mode="off").tolerance_mm == 0
    assert 0 < calibrate(moved).tolerance_mm <= MOST_MM


def reported(gap_mm, sigma_mm, accepted):
    moved = ViewCorrection("b", (0, 0, 0), 0.0, 0.0, {"n": sigma_mm, "m": 9.0, "b": 9.0}, (), {}, accepted, "")
    return CalibrationReport((), "auto", (moved,), matched_gap_mm=gap_mm).tolerance_mm


def test_the_tolerance_follows_what_is_left_and_how_sure_the_shift_is():
    assert reported(EXACT_MM, 0.2, accepted=False) == 0
    assert reported(EXACT_MM, 0.2, accepted=True) == pytest.approx(0.6)
    assert 0.4 < reported(0.25, 0.2, accepted=False) < reported(0.25, 0.2, accepted=True) < MOST_MM
    assert reported(3.0, 0.1, accepted=True) == MOST_MM and reported(EXACT_MM, 0.01, accepted=True) == 0
    assert reported(float("nan"), 0.2, accepted=False) == 0


def pair_fits(**gaps):
    return {tuple(int(number) for number in pair[1:]): Consistency(1, 1, 1, 1, gap) for pair, gap in gaps.items()}


def test_masks_that_fit_badly_are_told_and_the_view_named_that_does_not_belong():
    names = ("a", "b", "c")
    assert misfit(names, pair_fits(p01=0.1, p02=0.2, p12=0.3)) == ()
    (one,) = misfit(names, pair_fits(p01=0.1, p02=0.6, p12=0.4))
    assert "0.50 mm apart" in one and "without c the others fit" in one
    four = {pair: 0.05 if 3 not in pair else 0.5 for pair in itertools.combinations(range(4), 2)}
    (diluted,) = misfit((*names, "d"), {pair: Consistency(1, 1, 1, 1, gap) for pair, gap in four.items()})
    assert "0.50 mm apart" in diluted and "without d the others fit" in diluted
    (any_of_two,) = misfit(names, pair_fits(p01=0.2, p02=0.2, p12=0.9))
    assert "without" not in any_of_two  # b or c
    (two,) = misfit(names[:2], pair_fits(p01=0.9))
    assert "without" not in two and "an angle may be wrong, or the heart in another phase" in two


def test_a_wrong_angle_of_two_views_is_mostly_noticed():
    """Their rays may still meet plane by plane: what all masks allow would explain them well."""
    noticed = {0: 0, 5: 0}
    for side, seed in itertools.product(("right", "left"), range(3)):
        (first, second), _ = case(side, seed, shift=ZERO)
        pose = second.acquisition
        for degrees in noticed:
            turned = replace(pose, primary_deg=pose.primary_deg + degrees, secondary_deg=pose.secondary_deg + degrees)
            warnings = calibrate((first, second.with_acquisition(turned))).warnings
            noticed[degrees] += any("fit one another badly" in warning for warning in warnings)
    assert noticed[0] == 0 and noticed[5] >= 4


def test_the_matched_gap_is_the_weighted_median_of_near_ones():
    gaps, weights = np.array([0.5, 0.1, 0.2, 0.9, 9.0]), np.array([1.0, 1.0, 4.0, 1.0, 100.0])
    assert _weighted_median(gaps, weights) == 0.2
    assert np.isnan(_weighted_median(gaps[1:], weights[1:])) and np.isnan(_weighted_median(gaps[:0], weights[:0]))


def test_what_hardly_matches_is_no_number_and_leaves_no_tolerance():
    names, none = ("a", "b"), {(0, 1): Consistency(1, 1, 1, 1, float("nan"))}
    assert misfit(names, none) == () and np.isnan(worst_gap_mm(none))
    assert none[0, 1].to_dict()["matched_gap_mm"] is None


def test_corrected_view_reprojects_the_reference_tree():
    """The convention: P_B'(p) = P_B(p + t)."""
    rng = np.random.default_rng(11)
    tree = random_tubes("left", rng)
    truth = 8 * epipolar_normal(*(camera_of(empty_view(k, *p)) for k, p in enumerate(ANGLES["left"])))
    views = views_of(tree, ANGLES["left"], (ZERO, truth))
    corrected = calibrate(views).views[1]
    again = silhouette(tree, camera_of(corrected))
    assert (again & views[1].mask).sum() > 0.7 * views[1].mask.sum()  # 1 mm within the epipolar planes moves it
    unmoved = silhouette(tree, camera_of(views[1]))
    assert (unmoved & views[1].mask).sum() < 0.5 * views[1].mask.sum()


def test_unrelated_masks_never_lose_consistency():
    for seed in range(4):
        right, _ = case("right", seed, shift=ZERO)
        left, _ = case("left", seed + 50, shift=ZERO)
        report = calibrate([right[0], right[1].with_mask(left[1].mask)])
        assert report.consistency_after.score >= report.consistency_before.score


def test_wrong_estimate_is_refused(monkeypatch):
    """Whatever the search finds, a less consistent pose is never used."""
    module = sys.modules["xradiff.calibration.calibrate"]
    views, _ = case("right", 2, shift=ZERO)
    honest = module.estimate_shifts

    def wrong(scene, progress):
        shifts = np.array([ZERO, 9 * normal_of(views)])
        return replace(honest(scene, progress), shifts_mm=shifts, consistency=scene.consistency(shifts))

    monkeypatch.setattr(module, "estimate_shifts", wrong)
    report = calibrate(views)
    assert report.views[1].acquisition == views[1].acquisition
    assert not report.corrections[0].accepted and report.corrections[0].reason.startswith("kept")


def test_wrong_bundle_adjustment_is_refused(monkeypatch):
    module = sys.modules["xradiff.calibration.calibrate"]
    views, _ = case("right", 2, shift=ZERO)
    tilted = replace(views[1].acquisition, secondary_deg=12.0)
    monkeypatch.setattr(module, "adjust", lambda stated, *_: (stated[0], tilted))
    report = calibrate(views, mode="bundle")
    assert report.views[1].acquisition.secondary_deg == views[1].acquisition.secondary_deg
    assert "nothing better" in report.corrections[0].reason


def test_three_views_are_solved_together():
    angles = ((40.0, -8.0), (-39.0, 6.0), (0.0, 35.0))
    errors = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        tree, shifts = random_tubes("right", rng), (ZERO, random_shift(rng, 12), random_shift(rng, 12))
        views = views_of(tree, angles, shifts)
        report = calibrate(views)
        found = np.array([ZERO, *(c.shift_lps_mm for c in report.corrections)])
        rest = without_common_scale([camera_of(v) for v in views], found - np.array(shifts))
        errors += list(np.linalg.norm(rest[1:], axis=1))
        assert len(report.searches) == 3
    assert np.median(errors) < 0.4 and max(errors) < 1.0  # in every direction; the shifts are 6 mm at the median


def test_views_along_the_same_line_are_left_alone():
    tree = random_tubes("right", np.random.default_rng(0))
    report = calibrate(views_of(tree, ((40, 0), (45, 0)), (ZERO, (0, 0, 5.0))))
    assert report.corrections == () and "15 degrees apart" in report.warnings[0]


def test_mask_cut_off_at_the_border_gives_no_false_tips():
    views, truth = case("right", 3, shift=(1.0, -2.0, -6.0))
    cut = views[1].mask.copy()
    cut[400:] = False
    cropped = AngiogramView(
        "view 1",
        np.zeros((400, 512), np.uint8),
        Acquisition(*ANGLES["right"][1], 1080, 749, 0.308, detector_offset_mm=(0.0, -56 * 0.308)),
        mask=cut[:400],
    )
    report = calibrate([views[0], cropped])
    assert error_along_n(views, truth, report) < 0.5
    outlines = [trace_outline(v.mask) for v in (views[0], cropped)]
    a, b = camera_of(views[0]), camera_of(cropped)
    frame = pair_frame(a, b, outlines[0].centre, outlines[1].centre)
    assert frontier_points(outlines[1], frame, b).pixels[:, 0].max() < 397


# --- modes, landmarks, report ----------------------------------------------------------------------------


def test_off_changes_nothing():
    views, _ = case("right", 0)
    report = calibrate(views, mode="off")
    assert all(a is b for a, b in zip(report.views, views, strict=True))


def marked(tree, views, shifts, count, rng, noise_px=1.0):
    """Return landmarks at centreline points of the tree's longest tube that all views show."""
    points = max((tube.points_lps_mm for tube in tree.tubes), key=len)
    pixels = [camera_of(v).project(points + t) for v, t in zip(views, shifts, strict=True)]
    shown = np.flatnonzero(np.all([((p > 5) & (p < 505)).all(axis=1) for p in pixels], axis=0))
    chosen = shown[np.linspace(0, 0.8 * len(shown), count + 2).astype(int)[1:-1]]
    seen = [p[chosen] + rng.normal(size=(count, 2)) * noise_px for p in pixels]
    return Landmarks({f"point {i}": {k: tuple(seen[k][i]) for k in range(len(views))} for i in range(count)})


def test_landmarks_settle_the_shift():
    errors = []
    for seed in range(6):
        rng = np.random.default_rng(100 + seed)
        tree, truth = random_tubes("left", rng), random_shift(rng)
        views = views_of(tree, ANGLES["left"], (ZERO, truth))
        damage = CorruptionOptions.only(missing_ends=2, breaks=6, spurs=12)
        views = [v.with_mask(corrupt_mask(v.mask, rng, damage)) for v in views]
        report = calibrate(views, landmarks=marked(tree, views, (ZERO, truth), 3, rng))
        errors.append(error_along_n(views, truth, report))
        assert any("landmarks" in note for note in report.notes)
    assert np.median(errors) < 0.15 and max(errors) < 0.8


@pytest.mark.parametrize("with_landmarks", [True, False])
def test_bundle_recovers_a_wrong_angle_better_than_nothing(with_landmarks):
    """A secondary angle 1.5 degrees off: it moves towards the truth and consistency gains."""
    errors = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        tree = random_tubes("left", rng)
        views = views_of(tree, ANGLES["left"], (ZERO, ZERO))
        primary, secondary = ANGLES["left"][1]
        stated = [
            views[0],
            views[1].with_acquisition(Acquisition(primary, secondary + 1.5, 1080, 749, 0.308)),
        ]
        landmarks = marked(tree, views, (ZERO, ZERO), 12, rng, 0.3) if with_landmarks else None
        report = calibrate(stated, mode="bundle", landmarks=landmarks)
        shift_only = calibrate(stated, mode="shift", landmarks=landmarks)
        assert report.consistency_after.score >= shift_only.consistency_after.score
        assert report.consistency_after.score >= report.consistency_before.score
        assert report.views[0].acquisition == views[0].acquisition
        errors.append(abs(report.views[1].acquisition.secondary_deg - secondary))
    assert np.mean(errors) < (1.0 if with_landmarks else 1.4), errors


def test_report_is_json_ready():
    views, _ = case("right", 1)
    report = calibrate(views)
    facts = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert facts["tolerance_mm"] == report.tolerance_mm > 0
    assert facts["matched_gap_mm"] == pytest.approx(report.matched_gap_mm, abs=1e-3)
    assert calibrate(views, mode="off").to_dict()["matched_gap_mm"] is None  # nothing was measured
    assert facts["mode"] == "auto" and set(facts["corrections"][0]["sigma_mm"]) == {"n", "m", "b"}
    search = facts["searches"][0]
    assert len(search["shift_mm"]) == len(search["share"]) == 501 and max(search["share"]) <= 1


def test_progress_runs_to_the_end():
    views, _ = case("right", 1)
    seen = []
    calibrate(views, progress=lambda fraction, message: seen.append(fraction))
    assert seen == sorted(seen) and seen[-1] == 1.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("landmark,view,row\nostium,0,1\n", "must have the columns landmark, view, row, column"),
        ("landmark,view,row,column\nostium,0,1,2\nostium,one,1,2\n", "line 3: view must be a whole number"),
        (
            "landmark,view,row,column\nostium,0,1,2\nostium,0,1,2\n",
            "line 3: 'ostium' is marked twice in view 0",
        ),
        ("landmark,view,row,column\nostium,0,1,2\n", "must be marked in two or more views, got 1"),
        ("landmark,view,row,column\nostium,0,1,nan\n", "line 2: needs a name"),
        ("landmark,view,row,column\nostium,0,1\n", "line 2: view must be a whole number"),
        ("landmark,view,row,column\n", "at least one landmark, got none"),
    ],
)
def test_bad_landmark_files_are_named(tmp_path, text, message):
    path = tmp_path / "marks.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_landmarks(path)


def test_landmarks_are_read(tmp_path):
    path = tmp_path / "marks.csv"
    path.write_text("landmark, view, row, column\nostium, 0, 10.5, 20\nostium, 1, 30, 40\n")
    assert read_landmarks(path).positions == {"ostium": {0: (10.5, 20.0), 1: (30.0, 40.0)}}
    with pytest.raises(InputError, match="does not exist|cannot be read"):
        read_landmarks(tmp_path / "absent.csv")


def test_bad_input_is_named():
    views, _ = case("right", 0, shift=ZERO)
    with pytest.raises(InputError, match="calibration mode must be one of off, auto, shift, bundle, got 'on'"):
        calibrate(views, mode="on")
    with pytest.raises(InputError, match="two or more views, got 1"):
        calibrate(views[:1])
    with pytest.raises(InputError, match="got an empty mask"):
        calibrate([views[0], views[1].with_mask(np.zeros((512, 512), bool))])
    with pytest.raises(InputError, match="has no vessel mask"):
        calibrate([views[0], empty_view(1, 0, 0)])
    with pytest.raises(InputError, match="names view 2, accepted are 0 to 1"):
        calibrate(views, landmarks=Landmarks({"a": {0: (1.0, 1.0), 2: (1.0, 1.0)}}))
    with pytest.raises(InputError, match="must lie in view 1 .* got row 600, column 1"):
        calibrate(views, landmarks=Landmarks({"a": {0: (1.0, 1.0), 1: (600.0, 1.0)}}))


# --- the real pair ---------------------------------------------------------------------------------------


def real_views(folder):
    import SimpleITK as sitk

    views = []
    for k in (0, 1):
        facts = json.loads((folder / f"params{k}.json").read_text())
        pixels = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / f"xray{k}.png")))
        pixels = pixels if pixels.ndim == 2 else pixels[..., 0]
        acquisition = Acquisition(*(facts[name] for name in ("alpha", "beta", "sid", "sod", "spacing")))
        views.append(AngiogramView(f"view {k}", pixels, acquisition, mask=pixels > 127))
    return views


def test_real_pair_needs_next_to_nothing(clinical_pair):
    report = calibrate(real_views(clinical_pair))
    assert abs(report.corrections[0].shift_along_n_mm) < 0.3
    assert report.consistency_after.coverage > 0.99


@pytest.mark.parametrize("tau_mm", [-12.0, -5.0, 5.0, 12.0])
def test_real_pair_displaced_on_purpose_comes_back(clinical_pair, tau_mm):
    views = real_views(clinical_pair)
    moved = views[1].with_acquisition(views[1].acquisition.shifted(tau_mm * normal_of(views)))
    report = calibrate([views[0], moved])
    assert report.corrections[0].shift_along_n_mm == pytest.approx(-tau_mm, abs=0.4)
