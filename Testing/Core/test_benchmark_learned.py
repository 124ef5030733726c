"""The benchmark with learned methods: the same numbers twice, and a result that belongs to its weights."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest
from xradiff.benchmark.evaluate import evaluate
from xradiff.benchmark.run import run_benchmark
from xradiff.errors import InputError, MissingDependencyError

sys.path.append(str(Path(__file__).parent))

from small_cases import COST, numbers, write_case
from small_networks import write_believer, write_sparse_diffusion, write_unet3d

METHODS = ("unet3d_diffusion", "sparse_diffusion", "unet3d", "visual_hull")
FEW_STEPS = {"samples": 2, "steps": 2}


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """Two cases, right and left."""
    folder = tmp_path_factory.mktemp("cases")
    write_case(folder / "case00000", "right", 0)
    write_case(folder / "case00001", "left", 1)
    return folder


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """Small weights of every learned method used here, in a folder of their own."""
    folder = tmp_path / "weights"
    monkeypatch.setenv("XRADIFF_WEIGHTS", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_believer(folder)
    write_sparse_diffusion(folder)
    write_unet3d(folder)
    return folder


def benchmark(cases, out, methods=METHODS, seed=0, **options):
    few = FEW_STEPS if "unet3d_diffusion" in methods else {}
    configs = [{"spacing_mm": 1.0, "calibrate": "off", **few}]
    result = run_benchmark(cases, methods, out, configs=configs, seed=seed, **options)
    assert not result.failures, [run.failed for run in result.failures]
    return result


def rows(folder):
    """The table of all runs as text, without what depends on the machine's load."""
    table = csv.DictReader((folder / "cases.csv").read_text().splitlines())
    return [{key: value for key, value in row.items() if key not in COST} for row in table]


@pytest.mark.usefixtures("weights")
def test_the_same_seed_gives_the_same_table_to_the_digit(cases, tmp_path):
    first = benchmark(cases, tmp_path / "first")
    second = benchmark(cases, tmp_path / "second", workers=2)
    other = benchmark(cases, tmp_path / "other", methods=("unet3d_diffusion",), seed=1)
    assert rows(first.folder) == rows(second.folder)
    assert second.reused == 0
    drawn = {run.job.case: run.metrics["psnr_db"] for run in first.runs if run.job.method == "unet3d_diffusion"}
    assert all(run.metrics["psnr_db"] != drawn[run.job.case] for run in other.runs)  # chance, and of the seed


def test_new_weights_of_the_same_name_are_run_again(cases, weights, tmp_path):
    out, methods = tmp_path / "out", ("visual_hull", "unet3d")
    first = benchmark(cases, out, methods)
    assert benchmark(cases, out, methods).reused == 4
    old = (weights / "unet3d_both.safetensors").read_bytes()
    sha256 = write_unet3d(weights, seed=7).sha256
    again = benchmark(cases, out, methods)
    assert again.reused == 2  # the hull's
    runs = [run for run in again.runs if run.job.method == "unet3d"]
    assert {run.job.weights_sha256 for run in runs} == {sha256}
    assert json.loads((out / "runs" / runs[0].job.file_name).read_text())["weights_sha256"] == sha256
    assert f"unet3d_both.safetensors, SHA-256 {sha256[:12]}" in (out / "summary.md").read_text()
    (weights / "unet3d_both.safetensors").write_bytes(old)  # the first weights again: their runs are still there
    assert benchmark(cases, out, methods).reused == 4
    assert numbers(benchmark(cases, out, methods).runs) == numbers(first.runs)


def test_weights_that_change_while_it_runs_fail_the_run(cases, weights, tmp_path):
    job = benchmark(cases, tmp_path / "out", ("unet3d",)).runs[0].job
    write_unet3d(weights, seed=7)
    assert "unet3d_both.safetensors have changed since the benchmark began" in evaluate(job)["failed"]


def test_weights_that_cannot_be_used_are_told_before_anything_runs(cases, weights, tmp_path):
    file = weights / "unet3d_both.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[:-8])
    with pytest.raises(InputError, match="cut short or damaged"):
        benchmark(cases, tmp_path / "out", ("unet3d",))
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(InputError, match="is damaged: its SHA-256"):
        benchmark(cases, tmp_path / "out", ("unet3d",))
    with pytest.raises(MissingDependencyError, match=r"gone\.safetensors are in none of"):
        run_benchmark(cases, ["unet3d"], tmp_path / "out", configs=[{"unet3d.weights": "gone"}])
    assert not (tmp_path / "out").exists()
