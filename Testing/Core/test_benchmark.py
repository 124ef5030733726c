"""The benchmark on tiny cases: same numbers on any number of workers, nothing done twice, no failure hidden."""

from __future__ import annotations

import csv
import importlib.util
import json
import math
import sys
import time
import types
from dataclasses import dataclass, make_dataclass
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from xradiff.benchmark import plots, settings
from xradiff.benchmark.cases import list_cases, read_truth
from xradiff.benchmark.cost import PeakMemory
from xradiff.benchmark.evaluate import evaluate
from xradiff.benchmark.jobs import jobs_of
from xradiff.benchmark.plots import write_plots
from xradiff.benchmark.run import run_benchmark
from xradiff.benchmark.settings import label_of, settings_of, sweep
from xradiff.benchmark.statistics import bootstrap_mean
from xradiff.cli import main
from xradiff.config import setting
from xradiff.datatypes import VolumeGrid
from xradiff.errors import Cancelled, InputError, MissingDependencyError
from xradiff.export.volumes import shared_box, write_volume
from xradiff.reconstruction.registry import config_class, method_spec
from xradiff.synthetic import occupancy, random_tubes

sys.path.append(str(Path(__file__).parent))

from small_cases import numbers, write_case


@pytest.fixture(scope="module")
def still(tmp_path_factory):
    """Two cases, right and left, nothing moves; a third view in the first."""
    folder = tmp_path_factory.mktemp("still")
    write_case(folder / "case00000", "right", 0, views=3)
    write_case(folder / "case00001", "left", 1)
    return folder


@pytest.fixture(scope="module")
def moved(tmp_path_factory):
    """One case whose patient moved."""
    folder = tmp_path_factory.mktemp("moved")
    write_case(folder / "case00000", "right", 3, shift_mm=(2.0, -4.0, 1.0))
    return folder


def benchmark(data, out, configs=({"spacing_mm": 1.0, "calibrate": "off"},), **options):
    return run_benchmark(data, ["visual_hull"], out, configs=configs, **options)


def csv_rows(folder):
    return list(csv.DictReader((folder / "cases.csv").read_text().splitlines()))


@pytest.fixture(scope="module")
def swept(still, tmp_path_factory):
    """A sweep of one setting over both cases, on one worker."""
    pytest.importorskip("matplotlib", reason="a sweep draws plots with matplotlib")
    out = tmp_path_factory.mktemp("out") / "benchmark"
    configs = sweep({"spacing_mm": "1.0", "calibrate": "off"}, {"tolerance_mm": ["0.05", "1"]})
    return run_benchmark(still, ["visual_hull"], out, configs=configs, command="xradiff benchmark ..."), configs


def test_a_sweep_writes_every_file(swept):
    result, _ = swept
    names = {path.relative_to(result.folder).as_posix() for path in result.folder.rglob("*") if path.is_file()}
    assert {"benchmark.json", "cases.csv", "tables.md", "summary.md", "plots/tolerance_mm.png"} <= names
    assert len([name for name in names if name.startswith("runs/")]) == 4
    assert not any("/." in name for name in names)  # no half-written file
    assert (result.reused, len(result.failures)) == (0, 0)
    image = sitk.ReadImage(str(result.folder / "plots" / "tolerance_mm.png"))
    assert min(image.GetSize()) > 300


def test_a_smaller_tolerance_is_better_and_all_metrics_are_there(swept):
    by_setting = {(run.job.case, run.job.given["tolerance_mm"]): run.metrics for run in swept[0].runs}
    for case in ("case00000", "case00001"):
        tight, wide = by_setting[case, 0.05], by_setting[case, 1.0]
        assert tight["dice"] > wide["dice"] > 0.05
        assert tight["chamfer_mm"] < wide["chamfer_mm"]
        assert {"seconds", "method_seconds", "cldice", "reprojection_dice_view1", "correspondence_epe_mm"} <= set(
            tight
        )
        assert tight["correspondence_coverage"] == 1.0  # a hull covers the masks it was made from
        assert not any(name.endswith("_rigidly_aligned") for name in tight)  # nothing moved
    assert "reprojection_dice_held_out_view2" in by_setting["case00000", 0.05]
    assert "reprojection_dice_held_out_view2" not in by_setting["case00001", 0.05]


def test_csv_has_a_row_for_each_run_and_tables_define_each_column(swept):
    result, _ = swept
    rows = csv_rows(result.folder)
    assert len(rows) == 4 and {row["metric_set"] for row in rows} == {"as reconstructed"}
    for row, run in zip(rows, result.runs, strict=True):
        assert (row["case"], row["side"], row["failed"]) == (run.job.case, run.job.side, "")
        assert float(row["tolerance_mm"]) == run.job.given["tolerance_mm"]
        assert float(row["dice"]) == run.metrics["dice"]
    text = (result.folder / "tables.md").read_text()
    for table in text.split("## ")[1:]:
        head = next(line for line in table.splitlines() if line.startswith("| Side"))
        for column in head.strip("| ").split(" | ")[4:]:
            title = column.split(" [")[0].split(", view")[0].split(", held-out")[0].rstrip(" ↑↓")
            assert f"- **{title}**: " in table, title
    assert "All runs: spacing_mm=1, calibrate=off." in text
    mean = np.mean([run.metrics["dice"] for run in result.runs if run.job.given["tolerance_mm"] == 0.05])
    assert f"| both | Visual hull | tolerance_mm=0.05 | 2 | {mean:.2f} (" in text
    summary = (result.folder / "summary.md").read_text()
    assert "2 cases (1 right, 1 left), 2 views a case (there are more, which only judge the results" in summary
    assert "xradiff benchmark ..." in summary
    assert "- `calibrate`: Calibration mode." in summary and "- `tolerance_mm`: " in summary
    assert "![Metrics by tolerance_mm](plots/tolerance_mm.png)" in summary


def test_resume_computes_only_what_is_missing(swept, still):
    result, configs = swept
    files = sorted((result.folder / "runs").iterdir())
    before = {file.name: file.read_bytes() for file in files}
    files[0].unlink()
    files[1].write_text('{"half written')
    told = []
    again = run_benchmark(
        still, ["visual_hull"], result.folder, configs=configs, progress=lambda fraction, message: told.append(message)
    )
    assert again.reused == 2 and numbers(again.runs) == numbers(result.runs)
    assert [message for message in told if "done" in message] == ["1 of 2 done", "2 of 2 done"]
    for file in files[2:]:
        assert file.read_bytes() == before[file.name]


def test_a_changed_default_is_another_run(still, monkeypatch):
    """Said or not, a setting is the same run; with another default it is not."""

    def keys(config):
        chosen = settings_of("visual_hull", ["visual_hull"], config)
        return {job.key for job in jobs_of(list_cases(still), [chosen], 0)}

    kind = config_class(method_spec("visual_hull"))
    plain, default = keys({}), kind().tolerance_mm
    assert keys({"tolerance_mm": default}) == plain
    assert plain.isdisjoint(keys({"tolerance_mm": default + 0.3}))
    field = ("tolerance_mm", float, setting(default + 0.3, "Another default.", minimum=0))
    other = make_dataclass("Other", [field], bases=(kind,), frozen=True)
    monkeypatch.setattr(settings, "config_class", lambda spec: other)
    assert plain.isdisjoint(keys({}))
    assert keys({"tolerance_mm": default}) == plain


def test_two_workers_give_the_numbers_of_one(swept, still, tmp_path):
    result, configs = swept
    parallel = run_benchmark(still, ["visual_hull"], tmp_path / "out", configs=configs, workers=2)
    assert parallel.reused == 0
    assert numbers(parallel.runs) == numbers(result.runs)


def test_a_failure_is_recorded_counted_and_tried_again(still, tmp_path):
    options = {"configs": [{"spacing_mm": 1.0, "views": 3, "calibrate": "off"}]}
    result = benchmark(still, tmp_path / "out", **options)
    assert [run.job.case for run in result.failures] == ["case00001"]
    record = json.loads((tmp_path / "out" / "runs" / result.failures[0].job.file_name).read_text())
    assert record["failed"] == "InputError: case00001 has 2 views, views=3 was asked for"
    assert "evaluate.py" in record["traceback"]
    text = (tmp_path / "out" / "tables.md").read_text()
    assert "| both | Visual hull | 1 of 2 |" in text and "| left | Visual hull | 0 of 1 | - |" in text
    assert "## Failures (1 of 2 runs)" in text and "case00001 has 2 views" in text
    rows = csv_rows(tmp_path / "out")
    assert [bool(row["failed"]) for row in rows] == [False, True] and rows[1]["dice"] == ""
    assert benchmark(still, tmp_path / "out", **options).reused == 1


def test_whatever_a_method_raises_is_one_failed_run(still, monkeypatch):
    job = jobs_of(list_cases(still), [settings_of("visual_hull", ["visual_hull"], {})], 0)[0]

    def broken(*args, **kwargs):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("xradiff.benchmark.evaluate.reconstruct", broken)
    assert evaluate(job)["failed"] == "ZeroDivisionError: a bug"

    def cancelled(*args, **kwargs):
        raise Cancelled

    monkeypatch.setattr("xradiff.benchmark.evaluate.reconstruct", cancelled)
    with pytest.raises(Cancelled):
        evaluate(job)


def test_a_moved_patient_is_scored_before_and_after_alignment(moved, tmp_path):
    run = benchmark(moved, tmp_path / "out").runs[0]
    assert run.metrics["dice_rigidly_aligned"] > run.metrics["dice"] + 0.1
    assert 0.5 < run.metrics["alignment_shift_mm"] < 8
    assert run.metrics["correspondence_followed_epe_mm"] > 1.0  # the points are where the patient really was
    rows = csv_rows(tmp_path / "out")
    assert [row["metric_set"] for row in rows] == ["as reconstructed", "rigidly aligned"]
    assert float(rows[1]["dice"]) == run.metrics["dice_rigidly_aligned"]
    assert "Volume after rigid alignment" in (tmp_path / "out" / "summary.md").read_text()


@pytest.fixture
def image_motion(monkeypatch):
    """The package of image motions, or one that shifts by whole pixels where it is not there."""
    if importlib.util.find_spec("xradiff.synthetic.motion"):
        return

    @dataclass
    class ImageMotion:
        shift_px: tuple[float, float]
        scale: float

        def moved(self, image):
            return np.roll(image, [round(value) for value in self.shift_px], axis=(0, 1))

    module = types.ModuleType("xradiff.synthetic.motion")
    module.ImageMotion = ImageMotion
    module.draw_image_motion = lambda rng: ImageMotion(tuple(rng.uniform(-20, 20, size=2)), rng.uniform(0.8, 1.2))
    monkeypatch.setitem(sys.modules, "xradiff.synthetic.motion", module)


@pytest.mark.usefixtures("image_motion")
def test_motion_of_the_second_image_costs_accuracy_and_comes_from_the_seed(tmp_path):
    write_case(tmp_path / "data" / "case00000", "right", 0)
    config = {"spacing_mm": 1.0, "calibrate": "off", "tolerance_mm": 1.0}
    runs = [
        benchmark(tmp_path / "data", tmp_path / name, configs=[config | {"motion": amount}], seed=seed).runs[0]
        for name, amount, seed in (("still", 0, 5), ("a", 0.3, 5), ("b", 0.3, 5), ("c", 0.3, 6))
    ]
    assert not any(run.failed for run in runs), runs
    assert runs[1].metrics["dice"] < runs[0].metrics["dice"]
    assert "dice_rigidly_aligned" in runs[1].metrics and "dice_rigidly_aligned" not in runs[0].metrics
    assert numbers(runs[1:2]) == numbers(runs[2:3])
    assert runs[1].metrics["dice"] != runs[3].metrics["dice"]


def test_changed_data_is_not_mixed_with_old_results(tmp_path):
    write_case(tmp_path / "data" / "case00000", "right", 0)
    first = benchmark(tmp_path / "data", tmp_path / "out")
    case = tmp_path / "data" / "case00000" / "case.json"
    case.write_text(json.dumps(json.loads(case.read_text()) | {"note": "made again"}))
    again = benchmark(tmp_path / "data", tmp_path / "out")
    assert again.reused == 0 and again.runs[0].job.key != first.runs[0].job.key


def test_settings_are_checked_before_anything_runs():
    methods = ["visual_hull"]
    found = settings_of("visual_hull", methods, {"views": "3", "visual_hull.tolerance_mm": "2", "output": "hard"})
    assert (found.options.views, found.values) == (3, {"tolerance_mm": 2.0, "output": "hard"})
    assert label_of(found.given) == "views=3, tolerance_mm=2, output=hard"
    assert label_of(settings_of("visual_hull", methods, {}).given) == "default"
    found = settings_of("visual_hull", methods, {"postprocess.threshold": "0.3"})
    assert found.values == {"postprocess.threshold": 0.3}
    for config, message in (
        ({"speed": 1}, "unknown setting 'speed'; accepted are views, motion, calibrate"),
        ({"views": 1}, r"views must lie in \[2, 100\]"),
        ({"tolerance_mm": "far"}, "tolerance_mm must be a number"),
        ({"postprocess.magic": 1}, "unknown setting 'magic'"),
        ({"calibrate": "always"}, "calibrate must be one of"),
    ):
        with pytest.raises(InputError, match=message):
            settings_of("visual_hull", methods, config)
    assert sweep({"a": 1}, {"b": [1, 2], "c": [3]}) == ({"a": 1, "b": 1, "c": 3}, {"a": 1, "b": 2, "c": 3})
    assert sweep({"a": 1}, {}) == ({"a": 1},)


def test_folders_that_cannot_work_are_refused(still, tmp_path):
    with pytest.raises(InputError, match="data folder does not exist"):
        benchmark(tmp_path / "nothing", tmp_path / "out")
    with pytest.raises(InputError, match="no case in"):
        benchmark(tmp_path, tmp_path / "out")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    with pytest.raises(InputError, match="is not of an earlier benchmark"):
        benchmark(still, tmp_path / "mine")
    with pytest.raises(InputError, match="unknown method 'magic'"):
        run_benchmark(still, ["magic"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_cases_that_cannot_be_read_say_why(tmp_path):
    folder = tmp_path / "data" / "case00000"
    write_case(folder, "left", 2)
    facts = json.loads((folder / "case.json").read_text())
    for change, message in (
        ({"side": "middle"}, '"side" must be "left" or "right"'),
        ({"true_shift_lps_mm": [[0, 0, 0]]}, "for each of the 2 views"),
    ):
        (folder / "case.json").write_text(json.dumps(facts | change))
        with pytest.raises(InputError, match=message):
            list_cases(tmp_path / "data")
    (folder / "case.json").write_text("{")
    with pytest.raises(InputError, match="not the description of a case"):
        list_cases(tmp_path / "data")


def test_real_views_are_scored_by_their_masks_alone(tmp_path, monkeypatch):
    folder = tmp_path / "data" / "patient"
    write_case(folder, "right", 2)
    for name in ("truth.nii.gz", "truth_centreline.vtp"):
        (folder / name).unlink(missing_ok=True)
    with pytest.raises(InputError, match=r'the truth of patient \(or "truth": false in case.json\)'):
        list_cases(tmp_path / "data")
    (folder / "case.json").write_text('{"side": "right", "truth": false}')
    result = benchmark(tmp_path / "data", tmp_path / "out")
    metrics = result.runs[0].metrics
    assert not result.failures and "dice" not in metrics
    assert metrics["reprojection_coverage_view0"] > 0.9 and 0 < metrics["volume_ml"] < 50
    summary = (tmp_path / "out" / "summary.md").read_text()
    assert "2D coverage, view 1" in summary and "Volume [ml]" in summary and "clDice" not in summary
    assert "1 case (1 right), 2 views a case, seed 0" in summary
    assert benchmark(tmp_path / "data", tmp_path / "out").reused == 1
    drawn = []
    monkeypatch.setattr(plots, "_draw_curve", lambda axes, curve, name, *rest: drawn.append((name, curve.points)))
    benchmark(tmp_path / "data", tmp_path / "sweep", sweep({"calibrate": "off"}, {"spacing_mm": [1.0, 2.0]}))
    assert len(drawn) == 6 and all(point[name].count == 1 for name, points in drawn for _, point in points)


def test_truth_is_read_where_it_was_written(tmp_path):
    tree = random_tubes("right", np.random.default_rng(1))
    volume = occupancy(tree, VolumeGrid.centred((120, 120, 120), 1.0, (3.0, -5.0, 7.0)))
    write_volume(tmp_path / "truth.nii.gz", volume, *shared_box(volume), binary=True)
    back = read_truth(tmp_path / "truth.nii.gz")
    np.testing.assert_allclose(back.points_lps_mm(), volume.points_lps_mm(), atol=1e-4)
    image = sitk.ReadImage(str(tmp_path / "truth.nii.gz"))
    sitk.WriteImage(sitk.DICOMOrient(image, "RSA"), str(tmp_path / "turned.nii.gz"))
    np.testing.assert_allclose(read_truth(tmp_path / "turned.nii.gz").points_lps_mm(), back.points_lps_mm(), atol=1e-4)
    (tmp_path / "text.nii.gz").write_text("no volume")
    with pytest.raises(InputError, match="not an image that can be read"):
        read_truth(tmp_path / "text.nii.gz")


def test_bootstrap_interval_of_known_values():
    same = bootstrap_mean([0.25] * 30)
    assert (same.mean, same.low, same.high, same.count) == (0.25, 0.25, 0.25, 30)
    rng = np.random.default_rng(3)
    covered, widths = 0, []
    for _ in range(200):
        found = bootstrap_mean(rng.normal(5.0, 2.0, size=40))
        covered += found.low <= 5.0 <= found.high
        widths.append(found.high - found.low)
    assert 180 <= covered <= 199  # 95 % of 200; the percentile interval is a little narrow
    assert np.mean(widths) == pytest.approx(2 * 1.96 * 2 / math.sqrt(40), rel=0.08)
    assert bootstrap_mean([1.0, 2.0, 4.0]) == bootstrap_mean([1.0, 2.0, 4.0])


def test_undefined_values_are_counted_not_hidden():
    found = bootstrap_mean([1.0, math.inf, 3.0, math.nan])
    assert (found.mean, found.count, found.missing) == (2.0, 2, 2)
    nothing = bootstrap_mean([math.inf])
    assert math.isnan(nothing.mean) and nothing.missing == 1


def test_peak_memory_sees_what_was_freed_again():
    pytest.importorskip("psutil")
    with PeakMemory() as before:
        pass
    with PeakMemory() as memory:
        block = np.ones(2**24)  # 128 MB
        block += memory.megabytes
        for _ in range(500):  # until it was looked at, on a busy machine too
            if memory.megabytes > before.megabytes + 60:
                break
            time.sleep(0.01)
        del block
    assert memory.megabytes > before.megabytes + 60


def test_plots_without_matplotlib_say_what_to_install(swept, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingDependencyError, match="pip install matplotlib"):
        write_plots(tmp_path, swept[0].runs)


def test_command_line(still, tmp_path, capsys):
    common = ["benchmark", "--data", str(still), "--methods", "visual_hull", "--progress", "none"]
    out = ["--out", str(tmp_path / "out")]
    assert main([*common, *out, "--set", "spacing_mm=1", "--set", "calibrate=off"]) == 0
    assert "2 runs, 0 kept from earlier, 0 failed" in capsys.readouterr().out
    assert main([*common, *out, "--set", "spacing_mm=1", "--set", "calibrate=off"]) == 0
    assert "2 runs, 2 kept from earlier" in capsys.readouterr().out
    for extra, message in (
        (["--set", "speed=1"], "unknown setting 'speed'"),
        (["--set", "views"], "--set takes KEY=VALUE, got 'views'"),
        (["--set", "views=2", "--sweep", "views=2,3"], "views is given to both"),
        (["--sweep", "views=2", "--sweep", "views=3"], "--sweep has views twice"),
    ):
        assert main([*common, *out, *extra]) == 2
        assert message in capsys.readouterr().err
