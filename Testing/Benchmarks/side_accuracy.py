"""How often the side of the coronary tree is found from masks, how sure that is, and how often the user is asked.

    PYTHONPATH=XRADiffSlicer python Testing/Benchmarks/side_accuracy.py --cases 100

Cases of generated trees (seed 990,101, in no training), each side in half of them, of every kind in the table: by
their first view alone, and by all. "right" counts the more probable side. "asked": probability below 0.95, where a
reconstruction goes on without a side and says so. "wrong": the other side with a probability of 0.95 or more.
"the other side's views" are left trees in standard views of right ones and the reverse: angles alone must not decide.
"cut": of every image of the exact cases in standard views, one half (left, right, upper or lower) is empty.
"one vessel": of the same cases, most of the way from the ostium to the end of one branch, alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from bench_tools import write_table
from xradiff.datatypes import AngiogramView
from xradiff.masks import SideFinding, find_side
from xradiff.masks.side import SURE
from xradiff.synthetic.acquisition import draw_poses
from xradiff.synthetic.case import CaseOptions, SyntheticCase, draw_case
from xradiff.training.side_cases import one_vessel

SEED = 990_101
Kind = dict[str, object]
KINDS: dict[str, Kind] = {
    "exact, poses of XRA-Diff": {},
    "exact, standard views": {"poses": "clinical"},
    "exact, four views anywhere": {"poses": "autocar", "views": 4},
    "exact, the other side's views": {"poses": "other"},
    "thick by hand": {"thickness": "manual_mask", "poses": "clinical"},
    "thick as CTA labels": {"thickness": "cta_label", "poses": "clinical"},
    "other heart phases": {"motion": "heart", "poses": "clinical"},
    "damaged (0.5)": {"corruption": 0.5, "image_px": 512, "poses": "clinical"},
    "damaged (1)": {"corruption": 1.0, "image_px": 512, "poses": "clinical"},
}
BINS = (0.5, 0.7, 0.9, 0.95, 0.99, 0.999, 1.0)
COLUMNS = (
    "masks", "cases", "right: first view alone", "right: all views", "asked: first view", "asked: all views",
    "wrong: first view", "wrong: all views",
)  # fmt: skip
Answer = tuple[SideFinding, bool]


def cases(kind: Kind, count: int) -> Iterator[SyntheticCase]:
    """Yield `count` cases of a kind, left and right in turn."""
    for number in range(count):
        side, other = ("left", "right") if number % 2 else ("right", "left")
        options: Kind = {"side": side, "image_px": 256, **kind}
        if kind.get("poses") == "other":
            options["poses"] = draw_poses("clinical", other, np.random.default_rng((SEED, number)), 2, (256, 256))
            options["least_visible"] = 0.5
        yield draw_case(CaseOptions(**options), SEED, number)  # type: ignore[arg-type]


def cut(case: SyntheticCase, number: int) -> list[AngiogramView]:
    """Return the views with one half of each image empty; a half that holds too little is kept whole."""
    views = []
    for view in case.views:
        mask = view.vessel_mask().copy()
        rows, columns = mask.shape[0] // 2, mask.shape[1] // 2
        halves = (np.s_[:rows], np.s_[rows:], np.s_[:, :columns], np.s_[:, columns:])
        mask[halves[number % 4]] = False
        views.append(view.with_mask(mask if mask.sum() > 0.3 * view.vessel_mask().sum() else view.vessel_mask()))
    return views


def row(
    name: str, views: Sequence[Sequence[AngiogramView]], sides: Sequence[str]
) -> tuple[list[Answer], list[object]]:
    """Return the answers (all views) and the row of the table."""
    first, whole = (
        [(found := find_side(each[:number]), found.likely == side) for each, side in zip(views, sides, strict=True)]
        for number in (1, None)
    )
    numbers = [f"{np.mean([right for _, right in each]):.1%}" for each in (first, whole)]
    numbers += [f"{np.mean([one.probability < SURE for one, _ in each]):.1%}" for each in (first, whole)]
    numbers += [
        f"{np.mean([one.probability >= SURE and not right for one, right in each]):.1%}" for each in (first, whole)
    ]
    return first + whole, [name, len(views), *numbers]


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=100)
    given = parser.parse_args()
    answers, rows = [], []
    for name, kind in KINDS.items():
        drawn = list(cases(kind, given.cases))
        sides = [case.side for case in drawn]
        sets = {name: [case.views for case in drawn]}
        if name == "exact, standard views":
            sets["cut"] = [cut(case, number // 2) for number, case in enumerate(drawn)]
            sets["one vessel"] = [one_vessel(case, np.random.default_rng(number)) for number, case in enumerate(drawn)]
        for label, views in sets.items():
            found, line = row(label, views, sides)
            print(line, flush=True)
            rows.append(line)
            answers += found if label != "one vessel" else []
    probability = np.array([one.probability for one, _ in answers])
    right = np.array([right for _, right in answers])
    notes = [
        "Stated probability and share of right answers, all rows but the last kind (one vessel), first and all views:",
        "",
    ]
    notes += ["| stated | answers | right |", "|---|---|---|"]
    for low, high in pairwise(BINS):
        inside = (probability >= low) & ((probability < high) | (high == 1.0))
        if inside.any():
            notes.append(f"| {low:g} to {high:g} | {inside.sum()} | {right[inside].mean():.1%} |")
    notes += ["", f"All of them: {right.mean():.2%} of {len(right)} right, {(probability < SURE).mean():.2%} asked."]
    write_table("side_accuracy", "Left or right coronary tree, from masks", COLUMNS, rows, "\n".join(notes))


if __name__ == "__main__":
    main()
