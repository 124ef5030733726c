"""summary.md: what was compared, the main table and the plots, ready for a README."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..provenance import machine, versions
from ..reconstruction.registry import method_spec
from .records import Run, shared_settings
from .settings import label_of, meaning_of
from .tables import TABLES, failures_text, table_text

__all__ = ["summary_text"]

REPROJECTION, SIZE = TABLES[3:5]
PACKAGES = ("xradiff", "python", "numpy", "scipy", "torch")


def summary_text(dataset: str, runs: Sequence[Run], plots: Sequence[Path], *, seed: int, command: str = "") -> str:
    """Return the summary as Markdown.

    Args:
        dataset: name of the data folder.
        runs: all runs.
        plots: PNG files in a folder "plots" beside the summary.
        seed: of the benchmark.
        command: the command line that made it, "" where it was made from Python.
    """
    parts = [f"# Benchmark: {dataset}", _what(runs, seed), _how(runs)]
    parts += [f"```\n{command}\n```"] if command else []
    parts += [f"All runs: {label_of(shared)}."] if (shared := shared_settings(runs)) else []
    parts += [_meanings(runs)]
    aligned = TABLES[1] if any("alignment_shift_mm" in run.metrics for run in runs) else None
    unknown = [] if any("dice" in run.metrics for run in runs) else [REPROJECTION, SIZE]
    parts += [text for spec in (TABLES[0], aligned, *unknown) if spec and (text := table_text(spec, runs))]
    parts += [f"![Metrics by {file.stem}](plots/{file.name})" for file in plots]
    parts += [failures_text(runs)]
    parts += ["All tables are in [tables.md](tables.md), all numbers in [cases.csv](cases.csv)."]
    return "\n\n".join(part for part in parts if part) + "\n"


def _what(runs: Sequence[Run], seed: int) -> str:
    """How many cases of which side, how many views, what moved."""
    cases = {run.job.case: run.job.side for run in runs}
    sides = [f"{list(cases.values()).count(side)} {side}" for side in ("right", "left") if side in cases.values()]
    counted = "1 case" if len(cases) == 1 else f"{len(cases)} cases"
    views = sorted({run.job.options["views"] for run in runs})
    used = f"{views[0]}" if len(views) == 1 else f"{views[0]} to {views[-1]}"
    more = any("_held_out_view" in name for run in runs for name in run.metrics)
    rest = " (there are more, which only judge the results: see the setting `views`)" if more else ""
    return (
        f"{counted} ({', '.join(sides)}), {used} views a case{rest}, seed {seed}. The methods are told "
        "the side, the masks and the geometry files; what the geometry files do not say (displacement of the patient) "
        "they are not told."
    )


def _how(runs: Sequence[Run]) -> str:
    """Methods, machine and versions."""
    names = dict.fromkeys(run.job.method for run in runs)
    methods = [
        f"- **{method_spec(name).title}** (`{name}`): {method_spec(name).reference}{_weights(name, runs)}"
        for name in names
    ]
    found = versions()
    known = ", ".join(f"{name} {found[name]}" for name in PACKAGES if name in found)
    return "\n".join([*methods, "", f"{machine()}; {known}."])


def _meanings(runs: Sequence[Run]) -> str:
    """What the settings mean that were asked for, a line each; "" where none was."""
    given = dict.fromkeys((run.job.method, key) for run in runs for key in run.job.given)
    told = {key: meaning for method, key in given if (meaning := meaning_of(method, key))}
    return "\n".join(f"- `{key}`: {meaning}" for key, meaning in told.items())


def _weights(method: str, runs: Sequence[Run]) -> str:
    """The weights of a method's runs, as the end of a sentence; "" where it has none."""
    used = dict.fromkeys((run.job.weights, run.job.weights_sha256[:12]) for run in runs if run.job.method == method)
    told = [f"{file}, SHA-256 {sha256}" for file, sha256 in used if file]
    return f"; weights {'; '.join(told)}" if told else ""
