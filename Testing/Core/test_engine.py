"""Jobs on workers: all are done, whatever dies; the same code on Dask."""

from __future__ import annotations

import sys
import warnings
from functools import partial
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # workers find the jobs there too
import engine_jobs
from xradiff.engine import run_jobs
from xradiff.errors import Cancelled, InputError, MissingDependencyError, XRADiffError


def results(folder):
    return {int(path.stem): int(path.read_text()) for path in folder.glob("*.txt")}


EXPECTED = {number: number**2 for number in range(6)}


@pytest.mark.parametrize("workers", [1, 2])
def test_every_job_is_done_and_told(tmp_path, workers):
    told = []
    job = partial(engine_jobs.square, str(tmp_path))
    run_jobs(job, range(6), workers=workers, progress=lambda fraction, message: told.append(message))
    assert results(tmp_path) == EXPECTED
    assert told[-1] == "6 of 6 done" and len(told) == 6


def test_a_killed_worker_costs_no_job(tmp_path):
    run_jobs(partial(engine_jobs.die_once, str(tmp_path)), range(6), workers=2)
    assert (tmp_path / "died").exists()
    assert results(tmp_path) == EXPECTED


def test_workers_that_always_die_end_the_run(tmp_path):
    with pytest.raises(XRADiffError, match="workers keep dying .6 of 6 jobs are left"):
        run_jobs(partial(engine_jobs.die_always, str(tmp_path)), range(6), workers=2)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_a_job_is_the_error_of_the_run(tmp_path, workers):
    with pytest.raises(OSError, match="No space left"):
        run_jobs(partial(engine_jobs.fail, str(tmp_path)), range(3), workers=workers)


def test_cancel_stops_what_has_not_begun(tmp_path):
    def cancel(fraction, message):
        raise Cancelled

    with pytest.raises(Cancelled):
        run_jobs(partial(engine_jobs.square, str(tmp_path)), range(100), progress=cancel)
    assert len(results(tmp_path)) == 1


def test_impossible_workers_and_schedulers(tmp_path):
    job = partial(engine_jobs.square, str(tmp_path))
    with pytest.raises(InputError, match="number of workers"):
        run_jobs(job, range(3), workers=0)
    pytest.importorskip("distributed")
    with pytest.raises(MissingDependencyError, match="no Dask scheduler answers"):
        run_jobs(job, range(3), scheduler="tcp://127.0.0.1:9")


@pytest.mark.slow
def test_the_same_jobs_run_on_dask_and_survive_a_killed_worker(tmp_path):
    distributed = pytest.importorskip("distributed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Dask's own, about ports and closing
        with distributed.LocalCluster(2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
            run_jobs(partial(engine_jobs.die_once, str(tmp_path)), range(6), scheduler=cluster.scheduler_address)
    assert (tmp_path / "died").exists()
    assert results(tmp_path) == EXPECTED
