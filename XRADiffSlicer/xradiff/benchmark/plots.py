"""Metrics against a swept setting, as PNG: mean over cases with its 95 % interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import MissingDependencyError
from ..quantification import definition_of, title_of
from ..reconstruction.registry import method_spec
from .records import Run, shared_settings
from .settings import DEFAULT, label_of
from .statistics import Interval
from .tables import ENOUGH_CASES, groups_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["check_plotting", "swept_settings", "write_plots"]

METRICS = ("dice", "cldice", "xradiff_overlap_2vox", "chamfer_mm", "hd95_mm", "method_seconds")
WITHOUT_TRUTH = (
    "reprojection_dice_view0", "reprojection_dice_view1", "volume_ml", "reprojection_coverage_view0",
    "reprojection_coverage_view1", "method_seconds",
)  # fmt: skip
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")  # Okabe and Ito
STYLES = {"right": "-", "left": "--"}
MARKERS = {"right": "o", "left": "s"}
APART = 0.012
"""Distance of two curves' error bars, of the axis: on top of each other they cannot be told apart."""


@dataclass(frozen=True)
class _Curve:
    """One line of a plot: a method, side and the settings that are not swept; values of the swept one."""

    label: str
    side: str
    colour: str
    points: tuple[tuple[Any, dict[str, Interval]], ...]


def check_plotting() -> None:
    """Ask before a long run.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    _figure_class()


def _figure_class() -> type[Figure]:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingDependencyError(
            "plots of a sweep need the package matplotlib; install it with: pip install matplotlib"
        ) from error
    return Figure


def swept_settings(given: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """Return the settings that take two or more values in what was asked for."""
    values: dict[str, set[str]] = {}
    for entry in given:
        for key, value in entry.items():
            values.setdefault(key, set()).add(repr(value))
    return tuple(key for key, seen in values.items() if len(seen) > 1)


def write_plots(folder: Path, runs: Sequence[Run]) -> tuple[Path, ...]:
    """Write one PNG for each swept setting into `folder` (made when needed) and return the files.

    Raises:
        MissingDependencyError: there is a sweep and matplotlib is not installed.
    """
    written = []
    metrics = METRICS if any("dice" in run.metrics for run in runs) else WITHOUT_TRUTH
    for key in swept_settings([run.job.given for run in runs]):
        curves = _curves(key, runs, metrics)
        if not curves:
            continue
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{key.replace('.', '_')}.png"
        _draw(key, curves, metrics).savefig(file, dpi=100)
        written.append(file)
    return tuple(written)


def _curves(key: str, runs: Sequence[Run], metrics: Sequence[str]) -> tuple[_Curve, ...]:
    """Return the curves of one swept setting, their points in the order of its values."""
    found: dict[tuple[str, str, str], list[tuple[Any, dict[str, Interval]]]] = {}
    shared = shared_settings(runs)
    for group in groups_of([run for run in runs if key in run.job.given], both=False):
        given = {name: value for name, value in group.runs[0].job.given.items() if name not in shared}
        value = given.pop(key)
        points = {name: group.interval(name) for name in metrics}
        found.setdefault((group.method, label_of(given), group.side), []).append((value, points))
    kinds = list(dict.fromkeys((method, rest) for method, rest, _ in found))
    curves = []
    for (method, rest, side), points_of_curve in found.items():
        label = f"{method_spec(method).title}, {side}" + ("" if rest == DEFAULT else f" ({rest})")
        colour = COLOURS[kinds.index((method, rest)) % len(COLOURS)]
        ordered = _in_order([value for value, _ in points_of_curve])
        by_value = sorted(points_of_curve, key=lambda point: ordered.index(point[0]))
        curves.append(_Curve(label, side, colour, tuple(by_value)))
    return tuple(curves)


def _draw(key: str, curves: Sequence[_Curve], metrics: Sequence[str]) -> Figure:
    """Return the figure: a panel for each metric, one legend."""
    figure = _figure_class()(figsize=(11, 6.4), layout="constrained")
    panels = figure.subplots(2, 3, sharex=True)
    values = _in_order([value for curve in curves for value, _ in curve.points])
    for axes, name in zip(panels.flat, metrics, strict=True):
        for number, curve in enumerate(curves):
            _draw_curve(axes, curve, name, values, APART * (number - (len(curves) - 1) / 2))
        better = definition_of(name).better
        axes.set_title(title_of(name) + (f" ({better} is better)" if better else ""), fontsize=10)
        axes.grid(alpha=0.3)
        axes.margins(x=0.06)
        axes.set_ylim(0, 1.05 * axes.get_ylim()[1])  # room for the markers of curves that hardly change
    for axes in panels[1]:
        axes.set_xlabel(key)
        axes.set_xticks(*_ticks(values))
    handles, labels = panels.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(3, len(labels)), fontsize=9, frameon=False)
    counts = sorted({points[metrics[0]].count for curve in curves for _, points in curve.points})
    cases = f"{counts[0]} case{'s' * (counts[0] != 1)}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]} cases"
    few = f" (too narrow below {ENOUGH_CASES} cases)" if counts[0] < ENOUGH_CASES else ""
    figure.suptitle(f"Mean over {cases} a side and bootstrapped 95 % interval{few}, by {key}", fontsize=11)
    return figure


def _worded(values: Sequence[Any]) -> bool:
    return any(isinstance(value, (str, bool)) for value in values)


def _in_order(values: Sequence[Any]) -> list[Any]:
    """Return every value once: numbers by size, words as they come."""
    once = list(dict.fromkeys(values))
    return once if _worded(once) else sorted(once)


def _place(value: Any, values: Sequence[Any]) -> float:
    """Return where a value lies on the axis: numbers at themselves, words one after the other."""
    return float(values.index(value)) if _worded(values) else float(value)


def _ticks(values: Sequence[Any]) -> tuple[list[float], list[str]]:
    """Return places and labels of the values that were run."""
    return [_place(value, values) for value in values], [label_of({"": value}).removeprefix("=") for value in values]


def _draw_curve(axes: Axes, curve: _Curve, name: str, values: Sequence[Any], aside: float) -> None:
    """Draw the points that have a mean, moved by `aside` of the axis's length."""
    seen = [(value, points[name]) for value, points in curve.points if math.isfinite(points[name].mean)]
    every = [_place(value, values) for value in values]
    shift = aside * (max(every) - min(every))
    places = [_place(value, values) + shift for value, _ in seen]
    means = [interval.mean for _, interval in seen]
    bars = [
        [interval.mean - interval.low for _, interval in seen],
        [interval.high - interval.mean for _, interval in seen],
    ]
    axes.errorbar(
        places, means, yerr=bars, label=curve.label, color=curve.colour, linestyle=STYLES[curve.side],
        marker=MARKERS[curve.side], markersize=5, capsize=3, linewidth=1.5,
    )  # fmt: skip
