"""Runs -> Markdown tables in the manner of the papers: mean (95 % interval) by side, method and setting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..quantification import ALIGNED, definition_of, title_of
from ..reconstruction.registry import method_spec
from .records import Run, shared_settings
from .settings import DEFAULT, label_of
from .statistics import Interval, bootstrap_mean

__all__ = ["ENOUGH_CASES", "TABLES", "Group", "TableSpec", "failures_text", "groups_of", "table_text", "tables_text"]

BOTH = "both"
ENOUGH_CASES = 10  # for a percentile bootstrap
DECIMALS = {"peak_memory_mb": 0, "components": 1, "psnr_db": 1, "alignment_angle_deg": 1}
VOLUME = (
    "dice", "cldice", "chamfer_mm", "hd95_mm", "centreline_chamfer_mm", "overlap_1mm", "overlap_2mm",
)  # fmt: skip


@dataclass(frozen=True)
class TableSpec:
    """A table: its heading, an introduction, and its columns (a name also stands for that metric of every view)."""

    title: str
    text: str
    columns: tuple[str, ...]


TABLES = (
    TableSpec("Volume", "Result and truth as voxels of 0.5 mm.", (*VOLUME, "components")),
    TableSpec(
        "Volume after rigid alignment",
        "The same after the rigid motion (no scale) that best lays the result's skeleton on the truth's: where the "
        "patient moved between the views, the images do not tell where the tree was.",
        (*(name + ALIGNED for name in VOLUME), "alignment_shift_mm", "alignment_angle_deg"),
    ),
    TableSpec(
        "As in XRA-Diff's tables 4 and 8",
        "On that paper's voxels, with the definitions of its published code.",
        ("xradiff_chamfer_vox", "xradiff_dice", "xradiff_overlap_1vox", "xradiff_overlap_2vox"),
    ),
    TableSpec(
        "Reprojection, as in XRA-Diff's tables 5, 7 and 9",
        "The result's silhouette against the masks it was made from, and against views that it was not made from.",
        ("reprojection_chamfer_px", "reprojection_dice", "reprojection_coverage"),
    ),
    TableSpec(
        "Size of results without truth",
        "Of real views nothing is known in 3D: how much volume a method needs to explain their masks.",
        ("volume_ml", "components"),
    ),
    TableSpec(
        "Reprojection with the erosion of XRA-Diff 2.7",
        "Both readings of it: the paper's text erodes, its code dilates.",
        ("reprojection_dice_eroded", "reprojection_dice_dilated"),
    ),
    TableSpec(
        "Correspondence, as in AutoCAR's table 2",
        "Points of the true centreline in the first two images, against the result's skeleton.",
        (
            "correspondence_coverage", "correspondence_epe_mm", "correspondence_accuracy",
            "correspondence_followed_epe_mm", "correspondence_followed_accuracy",
        ),
    ),
    TableSpec(
        "Time, memory and PSNR, as in XRA-Diff's table 6",
        "Times depend on the machine, and on how many workers share it.",
        ("method_seconds", "seconds", "peak_memory_mb", "psnr_db"),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Group:
    """The runs of one method and setting on one side ("left", "right" or "both").

    Attributes:
        side: which side.
        method: name in the registry.
        setting: what tells it apart from the other groups; what all share is left out.
        runs: one a case.
    """

    side: str
    method: str
    setting: str
    runs: tuple[Run, ...]

    @property
    def done(self) -> int:
        """How many gave a result."""
        return sum(not run.failed for run in self.runs)

    def interval(self, name: str) -> Interval:
        """Return mean and interval of a metric over the runs that have it."""
        return bootstrap_mean([run.metrics[name] for run in self.runs if name in run.metrics])


def groups_of(runs: Sequence[Run], *, both: bool = True) -> tuple[Group, ...]:
    """Return the runs by side (right, left, and with `both` all together where there are two), method, setting."""
    sides = [side for side in ("right", "left") if any(run.job.side == side for run in runs)]
    kinds = list(dict.fromkeys((run.job.method, run.job.setting) for run in runs))
    groups, shared = [], shared_settings(runs)
    for side in sides + [BOTH] * (both and len(sides) > 1):
        for method, setting in kinds:
            own = tuple(
                run
                for run in runs
                if (run.job.method, run.job.setting) == (method, setting) and side in (BOTH, run.job.side)
            )
            if own:
                apart = {key: value for key, value in own[0].job.given.items() if key not in shared}
                groups.append(Group(side, method, label_of(apart), own))
    return tuple(groups)


def tables_text(runs: Sequence[Run]) -> str:
    """Return every table that has something to show, each with the definition of its columns, then the failures."""
    shared = f"All runs: {label_of(shared_settings(runs))}."
    parts = [shared, *(table_text(spec, runs) for spec in TABLES)]
    return "\n\n".join(part for part in [*parts, failures_text(runs)] if part) + "\n"


def table_text(spec: TableSpec, runs: Sequence[Run]) -> str:
    """Return one table as Markdown; "" where no run has its first metric."""
    columns = _columns(spec, runs)
    if definition_of(spec.columns[0]) not in {definition_of(name) for name in columns}:
        return ""
    groups = groups_of(runs)
    varied = any(group.setting != DEFAULT for group in groups)
    head = ["Side", "Method", *["Setting"] * varied, "Cases"]
    measured = [f"{title_of(name)}{_arrow(name)}" for name in columns]
    lines = [_line([*head, *measured]), _line(["---"] * len(head) + ["---:"] * len(columns))]
    for group in groups:
        cells = [_cell(group.interval(name), name) for name in columns]
        cases = str(group.done) if group.done == len(group.runs) else f"{group.done} of {len(group.runs)}"
        setting = [group.setting] * varied
        lines.append(_line([group.side, method_spec(group.method).title, *setting, cases, *cells]))
    few = min(group.done for group in groups) < ENOUGH_CASES
    return "\n".join([f"## {spec.title}", "", spec.text, "", *lines, "", *_definitions(columns, few)])


def failures_text(runs: Sequence[Run]) -> str:
    """Return the list of runs without a result and why; "" where there is none."""
    failed = [run for run in runs if run.failed]
    if not failed:
        return ""
    lines = [
        f"- {run.job.case}, {method_spec(run.job.method).title}, {run.job.setting}: {' '.join(run.failed.split())}"
        for run in failed
    ]
    text = "These runs gave no result; they are counted in the tables and left out of the means."
    return "\n".join([f"## Failures ({len(failed)} of {len(runs)} runs)", "", text, "", *lines])


def _columns(spec: TableSpec, runs: Sequence[Run]) -> list[str]:
    """Return the metrics of the table that any run has; those of views by view, held-out views last."""
    present = {name for run in runs for name in run.metrics}
    found = []
    for column in spec.columns:
        views = sorted(name for name in present if name.startswith((f"{column}_view", f"{column}_held_out_view")))
        found += [column] if column in present else views
    return sorted(found, key=lambda name: "_held_out_" in name)


def _arrow(name: str) -> str:
    return {"higher": " ↑", "lower": " ↓"}.get(definition_of(name).better, "")


def _cell(interval: Interval, name: str) -> str:
    """Return "mean (low-high)"; a single case has no interval."""
    if interval.count == 0:
        return f"- [{interval.missing} undefined]" if interval.missing else "-"
    places = DECIMALS.get(definition_of(name).name, 2)
    text = f"{interval.mean:.{places}f}"
    if interval.count > 1:
        text += f" ({interval.low:.{places}f}-{interval.high:.{places}f})"
    return text + (f" [{interval.missing} undefined]" if interval.missing else "")


def _definitions(columns: Sequence[str], few: bool) -> Iterator[str]:
    note = f" With fewer than {ENOUGH_CASES} cases such intervals are too narrow." if few else ""
    yield f"Mean over cases (bootstrapped 95 % confidence interval).{note} ↑ higher is better, ↓ lower is better."
    yield ""
    definitions = dict.fromkeys(definition_of(name) for name in columns)
    for definition in definitions:
        yield f"- **{definition.title}**: {definition.meaning}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
