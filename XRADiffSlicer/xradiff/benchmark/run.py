"""Any methods on any folder of cases, on any number of workers; what is done already is not done again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ..checks import check_range
from ..engine import run_jobs
from ..errors import InputError
from ..progress import Progress, silent, stage
from ..provenance import now
from ..reconstruction.registry import load_method, method_spec
from .cases import list_cases
from .evaluate import RUNS, run_numbered
from .jobs import Job, jobs_of, write_json
from .plots import check_plotting, swept_settings, write_plots
from .records import Run, read_run_file, write_cases_csv
from .settings import settings_of
from .summary import summary_text
from .tables import tables_text

__all__ = ["BenchmarkResult", "run_benchmark"]

PLAN, PLAN_KIND = "benchmark.json", "xradiff benchmark"
VIEWS = "calibrated views"


@dataclass(frozen=True)
class BenchmarkResult:
    """What a benchmark left behind.

    Attributes:
        folder: holds benchmark.json, runs/, cases.csv, tables.md, summary.md and perhaps plots/.
        runs: one for each case, method and setting.
        reused: how many of them an earlier call had done.
    """

    folder: Path
    runs: tuple[Run, ...]
    reused: int

    @property
    def failures(self) -> tuple[Run, ...]:
        """The runs without a result."""
        return tuple(run for run in self.runs if run.failed)


def run_benchmark(
    data_folder: str | Path,
    methods: Sequence[str],
    out: str | Path,
    *,
    configs: Sequence[Mapping[str, object]] = ({},),
    seed: int = 0,
    workers: int = 1,
    scheduler: str = "",
    command: str = "",
    progress: Progress = silent,
) -> BenchmarkResult:
    """Run every method with every config on every case; write one JSON file a run, tables, plots, a summary.

    A run depends on its case, method, config and `seed` alone: any number of workers gives the same
    metrics (times and memory differ). Called again, it keeps the runs that gave a result and tries the
    failed ones again. A method that fails on a case is a failed run, not the end.

    Args:
        data_folder: holds case folders.
        methods: names in the registry.
        out: result folder; new, empty, or of an earlier benchmark.
        configs: each a mapping of settings of the method, options of the run (`RunOptions`),
            "postprocess.NAME" or "METHOD.NAME"; see `settings_of`. `sweep` makes combinations.
        seed: of all chance.
        workers: processes on this machine.
        scheduler: address of a Dask scheduler whose workers see both folders.
        command: the command line to name in the summary.
        progress: told after each run; may raise Cancelled, finished runs stay.

    Raises:
        InputError: folders, methods or configs that cannot work.
        MissingDependencyError: a package of a method or, for a sweep, matplotlib is missing.
    """
    jobs = _planned(data_folder, methods, configs, seed)
    folder = _result_folder(out)
    plan = {"kind": PLAN_KIND, "data": str(Path(data_folder).resolve()), "methods": list(methods), "seed": seed}
    write_json(folder / PLAN, plan | {"date": now(), "command": command, "jobs": [asdict(job) for job in jobs]})
    before = {job.key for job in jobs if _finished(folder, job)}
    to_do = _once([number for number, job in enumerate(jobs) if job.key not in before], jobs)
    digest = hashlib.sha256(json.dumps([asdict(job) for job in jobs]).encode()).hexdigest()
    task = partial(run_numbered, str(folder / PLAN), digest)
    run_jobs(task, to_do, workers=workers, scheduler=scheduler, progress=stage(progress, 0.0, 0.97))
    progress(0.97, "writing tables")
    runs = tuple(run for job in jobs if (run := _read(folder, job)) is not None)
    _write(folder, Path(data_folder).resolve().name, runs, seed, command)
    progress(1.0, f"wrote {folder}")
    return BenchmarkResult(folder, runs, len(before))


def _planned(
    data_folder: str | Path, methods: Sequence[str], configs: Sequence[Mapping[str, object]], seed: int
) -> tuple[Job, ...]:
    """Return the jobs, after all that can be wrong was asked for."""
    check_range("seed", seed, 0, 2**32 - 1)
    if not methods or not configs:
        raise InputError("a benchmark needs one method or more and one config or more")
    for name in methods:
        spec = method_spec(name)
        if VIEWS not in spec.consumes:
            raise InputError(f"method {name} reads {', '.join(spec.consumes)}; the benchmark has {VIEWS}")
        load_method(spec)
    settings = [settings_of(name, methods, config) for name in dict.fromkeys(methods) for config in configs]
    if swept_settings([setting.given for setting in settings]):
        check_plotting()
    return jobs_of(list_cases(data_folder), settings, seed)


def _result_folder(out: str | Path) -> Path:
    """Return `out`, made when needed.

    Raises:
        InputError: it holds something else, or cannot be written.
    """
    folder = Path(out).expanduser().resolve()
    try:
        kind = json.loads((folder / PLAN).read_text(encoding="utf-8")).get("kind")
    except (OSError, ValueError, AttributeError):
        kind = None
    if kind != PLAN_KIND and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"the output folder {folder} exists and is not of an earlier benchmark; choose a new one")
    try:
        (folder / RUNS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"the output folder {folder} cannot be written: {error.strerror}") from None
    return folder


def _once(numbers: Sequence[int], jobs: Sequence[Job]) -> list[int]:
    """Return the numbers of jobs that compute something different each (two ways to ask may mean the same)."""
    return list({jobs[number].key: number for number in reversed(numbers)}.values())[::-1]


def _read(folder: Path, job: Job) -> Run | None:
    return read_run_file(folder / RUNS / job.file_name, job)


def _finished(folder: Path, job: Job) -> bool:
    run = _read(folder, job)
    return run is not None and not run.failed


def _write(folder: Path, dataset: str, runs: Sequence[Run], seed: int, command: str) -> None:
    """Write what a person reads."""
    write_cases_csv(folder / "cases.csv", runs)
    plots = write_plots(folder / "plots", runs)
    texts: dict[str, Any] = {
        "tables.md": f"# Tables: {dataset}\n\n{tables_text(runs)}",
        "summary.md": summary_text(dataset, runs, plots, seed=seed, command=command),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
