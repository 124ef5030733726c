"""What has to be run: one job for each case, method and setting, as a file that every worker reads."""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .. import __version__
from .cases import Case
from .settings import Setting, label_of
from .weights import used_weights

__all__ = ["Job", "jobs_of", "read_jobs", "write_json"]

NO_MATTER = ("folder", "values", "given", "weights")
"""Fields of a job that do not change what is computed, or that another one holds whole."""


@dataclass(frozen=True)
class Job:
    """One run; it depends on nothing but these fields.

    Attributes:
        case: name of the case.
        folder: where it lies, absolute.
        case_sha256: of its files.
        side: "left" or "right".
        method: name in the registry.
        options: all fields of `RunOptions`.
        values: settings of the method and of the postprocessing that were asked for.
        in_force: all of them: with other defaults it is another job.
        given: what was asked for, options among it; does not change what is computed.
        weights: name of the weight file, "" where the method has none; does not change what is computed.
        weights_sha256: its checksum: a result belongs to these weights, not to their name.
        seed: of the benchmark; a case's chance comes from it and the case's name.
        version: of xradiff.
    """

    case: str
    folder: str
    case_sha256: str
    side: str
    method: str
    options: dict[str, Any]
    values: dict[str, Any]
    in_force: dict[str, Any]
    given: dict[str, Any]
    weights: str
    weights_sha256: str
    seed: int
    version: str

    @property
    def key(self) -> str:
        """Identity of what is computed, 16 hexadecimal digits: not where files lie or how it was asked for."""
        facts = {name: value for name, value in asdict(self).items() if name not in NO_MATTER}
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def file_name(self) -> str:
        """Name of the file that holds the result."""
        return f"{self.case}__{self.method}__{self.key}.json"

    @property
    def setting(self) -> str:
        """What was asked for, as text."""
        return label_of(self.given)


def jobs_of(cases: Sequence[Case], settings: Sequence[Setting], seed: int) -> tuple[Job, ...]:
    """Return every setting on every case, each once; case after case, so that an early look sees all methods.

    Raises:
        InputError: files of a case or weights that cannot be used.
        MissingDependencyError: weights are not on this computer.
    """
    jobs: dict[tuple[str, str], Job] = {}
    for case in cases:
        digest = case.sha256()
        for setting in settings:
            weights = used_weights(setting.method, setting.values, case.side)
            job = Job(
                case=case.name,
                folder=str(case.folder),
                case_sha256=digest,
                side=case.side,
                method=setting.method,
                options=asdict(setting.options),
                values=setting.values,
                in_force=setting.in_force,
                given=setting.given,
                weights=weights.file,
                weights_sha256=weights.sha256,
                seed=seed,
                version=__version__,
            )
            jobs.setdefault((job.key, job.setting), job)
    return tuple(jobs.values())


def read_jobs(path: Path) -> tuple[Job, ...]:
    """Return the jobs in a plan that `write_json` wrote."""
    plan = json.loads(path.read_text(encoding="utf-8"))
    return tuple(Job(**entry) for entry in plan["jobs"])


def write_json(path: Path, content: object) -> None:
    """Write `content` as JSON whole or not at all: beside the target, then renamed."""
    work = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        work.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        os.replace(work, path)
    finally:
        work.unlink(missing_ok=True)
