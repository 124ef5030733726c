"""The frame of each run: contrast curve, heart phase with and without ECG, matching, the user's own choice."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from xradiff.datatypes import Acquisition
from xradiff.errors import InputError
from xradiff.masks import choose_frames
from xradiff.masks.contrast import contrast_curve
from xradiff.masks.frames import BY_MOTION, FILLED
from xradiff.masks.heartbeat import descent_px, onsets_ms
from xradiff.masks.vessel_maps import vessel_maps
from xradiff.synthetic import random_tubes
from xradiff.synthetic.acquisition import AngiogramOptions, Bolus, simulate_run, write_xa
from xradiff.synthetic.case import CaseOptions, draw_case
from xradiff.views import opening_of, read_run

PX = 128


def without_ecg(run):
    return dataclasses.replace(run, ecg=None)


def part(run, first, last):
    """Return the frames from `first` to before `last` of a run."""
    pieces = run.source.pieces[first:last]
    times = run.times_ms[first:last] - run.times_ms[first]
    return dataclasses.replace(
        run, times_ms=times, facts=run.facts[first:last], source=dataclasses.replace(run.source, pieces=pieces)
    )


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """Return beating cases as (runs read from XA files, the simulated runs with their truth)."""
    folder = tmp_path_factory.mktemp("runs")
    found = []
    for number in range(2):
        case = draw_case(CaseOptions(frames=34, image_px=PX, motion="heart", poses="clinical"), 5, number)
        paths = [write_xa(run, folder / f"{number}-{k}.dcm", number, k) for k, run in enumerate(case.runs)]
        found.append(([read_run(path, name=f"view {k}") for k, path in enumerate(paths)], case.runs))
    return found


@pytest.fixture(scope="module")
def chosen(cases):
    """Return {with ECG: the choices of each case}."""
    return {
        ecg: [choose_frames(runs if ecg else [without_ecg(run) for run in runs]) for runs, _ in cases]
        for ecg in (True, False)
    }


@pytest.fixture
def still_run(tmp_path):
    """Return make(options) -> run of a tree that does not move."""

    def make(**options):
        tree = random_tubes("left", np.random.default_rng(0))
        settings = AngiogramOptions(
            **({"frames": 16, "bolus": Bolus(start_ms=200, duration_ms=400, washout_ms=200)} | options)
        )
        pose = Acquisition(-30, 20, 1050, 750, 1.1)
        run = simulate_run(tree, pose, (PX, PX), np.random.default_rng(1), settings)
        return read_run(write_xa(run, tmp_path / "still.dcm", 1))

    return make


def mismatch_frames(choices, truths):
    """Return by how many frames two choices' true heart phases differ."""
    a, b = (truth.phases[choice.frame] for choice, truth in zip(choices, truths, strict=True))
    cycle_ms = 60_000 / np.mean([truth.heart_rate_bpm for truth in truths])
    return abs((a - b + 0.5) % 1 - 0.5) * cycle_ms / truths[0].frame_time_ms


def from_end_diastole(choices, truths):
    phases = np.array([truth.phases[choice.frame] for choice, truth in zip(choices, truths, strict=True)])
    return np.abs((phases + 0.5) % 1 - 0.5)


@pytest.mark.parametrize("ecg", [True, False])
def test_runs_are_paired_within_a_frame_at_end_diastole_and_well_filled(cases, chosen, ecg):
    for (_, truths), choices in zip(cases, chosen[ecg], strict=True):
        assert mismatch_frames(choices, truths) <= 1
        assert from_end_diastole(choices, truths).max() < 0.15
        for choice, truth in zip(choices, truths, strict=True):
            filled = truth.masks.sum(axis=(1, 2))
            assert filled[choice.frame] > 0.7 * filled.max() and choice.curve[choice.frame] >= FILLED
            assert choice.phase_source == ("R-wave pointers" if ecg else BY_MOTION)
            assert choice.phase_source in choice.reason and "matched with 1 other run" in choice.reason


def test_frames_of_a_run_that_ends_soon_after_it_is_filled_are_filled(tmp_path):
    """20 frames hold one heart cycle: end-diastole comes before the tree is filled, and waits."""
    for number in (0, 10):
        case = draw_case(CaseOptions(frames=20, image_px=PX, motion="heart", poses="clinical"), 5077, number)
        paths = [write_xa(run, tmp_path / f"{k}.dcm", number, k) for k, run in enumerate(case.runs)]
        choices = choose_frames([read_run(path, name=path.stem) for path in paths])
        assert mismatch_frames(choices, case.runs) <= 1
        for choice, truth in zip(choices, case.runs, strict=True):
            filled = truth.masks.sum(axis=(1, 2))
            assert filled[choice.frame] > 0.85 * filled.max()


def test_phase_by_motion_is_the_true_phase(cases, chosen):
    for (_, truths), choices in zip(cases, chosen[False], strict=True):
        for choice, truth in zip(choices, truths, strict=True):
            off = (choice.phases - truth.phases + 0.5) % 1 - 0.5
            assert np.abs(off[choice.curve > 0.5]).max() < 0.06


def test_three_runs_are_matched_together(cases):
    runs = [*cases[0][0], cases[1][0][0]]
    truths = [*cases[0][1], cases[1][1][0]]
    choices = choose_frames(runs)
    assert max(mismatch_frames([choices[a], choices[b]], [truths[a], truths[b]]) for a, b in ((0, 1), (0, 2))) <= 1.5
    assert "matched with 2 other runs" in choices[0].reason


def test_the_users_frame_is_kept_and_the_other_run_follows_it(cases, chosen):
    runs, truths = cases[0]
    first = chosen[True][0]
    own = first[0].frame - 6  # half a cycle earlier
    choices = choose_frames(runs, [own, None])
    assert (choices[0].frame, choices[0].reason) == (own, "chosen by the user")
    assert choices[1].frame != first[1].frame
    assert mismatch_frames(choices, truths) <= 1
    with pytest.raises(InputError, match=r"frame must lie in \[0, 33\], got 34"):
        choose_frames(runs, [34, None])
    with pytest.raises(InputError, match="got 1 for 2 runs"):
        choose_frames(runs, [None])
    with pytest.raises(InputError, match="at least one run"):
        choose_frames([])


def test_the_curve_rises_with_the_bolus_and_falls_after_it(still_run):
    (choice,) = choose_frames([still_run(frames=26)])
    assert choice.curve.max() == 1 and choice.curve[:2].max() < 0.3
    assert 200 < choice.curve.argmax() * 1000 / 15 < 1100
    assert choice.curve[-1] < 0.8


def test_a_vessel_is_as_dark_in_logarithmic_pixels(still_run):
    linear, logarithmic = (choose_frames([still_run(relationship=kind)])[0].curve for kind in ("LIN", "LOG"))
    assert np.abs(linear - logarithmic).max() < 0.15


def test_a_still_heart_has_no_phase_and_the_best_frame_is_taken(still_run):
    run = without_ecg(still_run())
    (choice,) = choose_frames([run])
    assert choice.phases is None and choice.phase_source == ""
    assert choice.frame == choice.curve.argmax() and "heart phase is not known" in choice.reason


@pytest.mark.parametrize("noise", [0.0, 0.01, 0.05])
def test_a_run_without_contrast_agent_is_refused(still_run, noise):
    with pytest.raises(InputError, match="no frame of view shows contrast agent.*in 16 frames"):
        choose_frames([still_run(iodine_per_mm=0, noise=noise)])


def test_the_users_frame_needs_no_contrast_agent(still_run):
    (choice,) = choose_frames([still_run(iodine_per_mm=0)], [7])
    assert (choice.frame, choice.reason) == (7, "chosen by the user")


def test_a_run_that_is_filled_from_first_to_last_frame_is_taken(cases):
    for runs, _ in cases:
        assert choose_frames([part(run, 14, 24) for run in runs])[0].curve.min() > 0.3


def test_the_frames_before_the_injection_are_refused(cases):
    with pytest.raises(InputError, match="no frame of view 0 shows contrast agent"):
        choose_frames([part(cases[0][0][0], 0, 3)])


def test_a_file_that_is_wrong_about_its_polarity_is_named(cases):
    for runs, _ in cases:
        turned = read_run(runs[1].source.path, name="view 1", inverted=True)
        with pytest.raises(InputError, match=r"vessels of view 1 are bright .*read the run with inverted=False"):
            choose_frames([turned])


def test_one_frame_is_taken_and_said_so(cases):
    runs = cases[0][0]
    choices = choose_frames([part(runs[0], 16, 17), runs[1]])
    assert choices[0].frame == 0 and "the only frame" in choices[0].reason
    assert choices[1].frame > 0


def test_a_shift_is_measured_between_pixels():
    row, column = np.mgrid[:60, :50].astype(np.float32)
    maps = np.stack([np.exp(-0.5 * (((row - 30 - y) / 3) ** 2 + ((column - 25) / 2) ** 2)) for y in (0, 2.5, 1.2, -8)])
    np.testing.assert_allclose(descent_px(maps), [0, 2.5, 1.2, -8], atol=0.1)


def test_onsets_are_those_of_the_descent():
    times = np.arange(40) * 50.0
    cycle = ((times + 300) / 800) % 1
    descent = 0.002 * times + np.where(cycle < 0.35, 1 - np.cos(2 * np.pi * cycle / 0.35), 0)
    descent[cycle < 0.35] += 0
    found = onsets_ms(times, np.asarray(descent))
    onset = (found[0] + 300) / 800 % 1
    assert min(onset, 1 - onset) < 0.08
    np.testing.assert_allclose(np.diff(found), 800, rtol=0.05)
    assert onsets_ms(times, np.zeros(40)) is None
    assert onsets_ms(times, np.random.default_rng(0).normal(size=40)) is None
    assert onsets_ms(times[:5], descent[:5]) is None


def test_curve_does_not_depend_on_where_vessels_are():
    maps = np.random.default_rng(0).random((6, 40, 40)).astype(np.float32) * 0.01
    for k, level in enumerate((0, 0, 1, 1, 1, 0)):
        maps[k, 5 * k : 5 * k + 3] += level
    curve = contrast_curve(maps)
    assert curve[3] == 1 and curve[2] == pytest.approx(curve[4], rel=0.02) and curve[0] < 0.02


def test_curve_is_the_filled_area_and_has_no_floor_of_noise():
    noise = np.abs(np.random.default_rng(0).normal(size=(12, 64, 64))).astype(np.float32)
    for deep in (20.0, 40.0):  # a darker vessel is not a fuller one
        maps = noise.copy()
        maps[4:8, :6] += deep
        maps[8:, :12] += 20.0
        curve = contrast_curve(maps)
        np.testing.assert_allclose(curve[[2, 5, 6, 10]], [0, 0.5, 0.5, 1], atol=0.02)


def test_maps_are_small_and_see_no_border(still_run):
    run = still_run()
    maps = vessel_maps(run, opening_of(run).usable)
    assert maps.shape == (16, PX, PX) and maps.min() >= 0
    assert not maps[:, :10].any() and not maps[:, :, -10:].any()
