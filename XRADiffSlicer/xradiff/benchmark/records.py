"""Result files -> rows: what tables and plots are made of."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..quantification import ALIGNED
from .evaluate import RECORD_KIND
from .jobs import Job

__all__ = ["AS_MADE", "RIGIDLY_ALIGNED", "Run", "read_run_file", "shared_settings", "write_cases_csv"]

AS_MADE, RIGIDLY_ALIGNED = "as reconstructed", "rigidly aligned"


@dataclass(frozen=True)
class Run:
    """A job and what came out.

    Attributes:
        job: what was run.
        metrics: value by name; empty where the method failed.
        failed: why there is no result, "" where there is one.
    """

    job: Job
    metrics: dict[str, float]
    failed: str


def read_run_file(path: Path, job: Job) -> Run | None:
    """Return the result of `job` in `path`; None where there is none, or one of something else."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["kind"] != RECORD_KIND or record["key"] != job.key:
            return None
        metrics = {entry["name"]: float(entry["value"]) for entry in record["metrics"]}
        return Run(job, metrics, record["failed"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def shared_settings(runs: Sequence[Run]) -> dict[str, Any]:
    """Return the settings that were given to all runs with the same value: what need not be said for each."""
    first, *others = (run.job.given for run in runs)
    return {key: value for key, value in first.items() if all(other.get(key) == value for other in others)}


def write_cases_csv(path: Path, runs: Sequence[Run]) -> None:
    """Write one row a run and metric set ("as reconstructed", "rigidly aligned"); columns are the metrics' names."""
    keys = _in_order(key for run in runs for key in run.job.given)
    names = _in_order(name.removesuffix(ALIGNED) for run in runs for name in run.metrics)
    head = ["case", "side", "method", "setting", *keys, "metric_set", "failed"]
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, [*head, *names], lineterminator="\n")
        writer.writeheader()
        for run in runs:
            job = run.job
            facts = {"case": job.case, "side": job.side, "method": job.method, "setting": job.setting} | job.given
            for kind, metrics in _sets(run):
                writer.writerow(facts | {"metric_set": kind, "failed": run.failed} | metrics)


def _sets(run: Run) -> Iterable[tuple[str, dict[str, float]]]:
    """Yield the metric sets of a run, names without their ending."""
    aligned = {name.removesuffix(ALIGNED): value for name, value in run.metrics.items() if name.endswith(ALIGNED)}
    yield AS_MADE, {name: value for name, value in run.metrics.items() if not name.endswith(ALIGNED)}
    if aligned:
        yield RIGIDLY_ALIGNED, aligned


def _in_order(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
