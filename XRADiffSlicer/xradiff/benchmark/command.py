"""`python -m xradiff benchmark`: arguments in, `run_benchmark` called, where the result lies out."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..console import emit_json
from ..errors import InputError
from ..progress import Progress

__all__ = ["add_parser", "run"]


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command to the sub-parsers of the command line and return its parser; it calls `run`."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "benchmark",
        help="compare methods on a folder of cases, real ones without truth too",
        description="Run methods on every case of a folder, compare with the truth, write tables and plots. A setting "
        "is one of the method (see `info METHOD`), METHOD.KEY for one method alone, postprocess.KEY, or an option of "
        "the run: views, motion, calibrate, spacing_mm, device. Finished runs in DIR are kept: the same command "
        "continues what was stopped.",
    )
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="DIR", help="folder of case folders")
    add("--methods", required=True, metavar="A,B", help="names, comma-separated; see `methods`")
    add("--out", type=Path, required=True, metavar="DIR", help="result folder; new, or of an earlier benchmark")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting for all runs")
    add("--sweep", action="append", default=[], metavar="KEY=V1,V2", help="a setting that takes each of the values")
    add("--seed", type=int, default=0)
    add("--workers", type=int, default=1, metavar="N", help="processes on this machine (default %(default)s)")
    add("--scheduler", default="", metavar="ADDRESS", help="a Dask scheduler whose workers do the runs")
    parser.set_defaults(command=run)
    return parser


def run(options: argparse.Namespace, progress: Progress) -> None:
    """Run the benchmark that the command line asks for.

    Raises:
        InputError: arguments that cannot work.
        MissingDependencyError: a package is missing.
    """
    from .run import run_benchmark
    from .settings import sweep

    fixed = _pairs(options.set, "--set")
    swept = {key: text.split(",") for key, text in _pairs(options.sweep, "--sweep").items()}
    if twice := sorted(set(fixed) & set(swept)):
        raise InputError(f"{twice[0]} is given to both --set and --sweep")
    result = run_benchmark(
        options.data,
        [name.strip() for name in options.methods.split(",") if name.strip()],
        options.out,
        configs=sweep(fixed, swept),
        seed=options.seed,
        workers=options.workers,
        scheduler=options.scheduler,
        command=shlex.join(["python", "-m", "xradiff", *sys.argv[1:]]),
        progress=progress,
    )
    if getattr(options, "progress", "none") == "json":
        emit_json("result", folder=str(result.folder), runs=len(result.runs), failed=len(result.failures))
        return
    print(f"{len(result.runs)} runs, {result.reused} kept from earlier, {len(result.failures)} failed")
    print(f"result: {result.folder / 'summary.md'}")


def _pairs(texts: Sequence[str], option: str) -> dict[str, str]:
    """Return KEY=VALUE texts as a mapping.

    Raises:
        InputError: a text of another form, or a key that comes twice.
    """
    pairs: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key or not value:
            raise InputError(f"{option} takes KEY=VALUE, got {text!r}")
        if key in pairs:
            raise InputError(f"{option} has {key} twice; give all values in one")
        pairs[key] = value
    return pairs
