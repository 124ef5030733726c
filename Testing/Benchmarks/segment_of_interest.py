"""How well two marked ends in each view cut one vessel out of the masks.

    PYTHONPATH=XRADiffSlicer python Testing/Benchmarks/segment_of_interest.py --cases 30

Each case: a generated tree, two standard views of 512 x 512, exact geometry, one vessel of 30 mm or more: from
somewhere in the first fifth of the way from the ostium to its end to somewhere in its last third. Marks lie 2 px (SD)
beside the projected centreline, on the nearest mask pixel; "3" are the ends and a point half-way. The truth in a view
is what of the mask lies in the silhouette of this stretch alone. "found": Dice with it of 0.7 or more in both views;
"other": below in one; "refused": a message that the mask is broken, or that the ends do not belong to each other.
"""

from __future__ import annotations

import argparse

import numpy as np
from bench_tools import write_table
from xradiff.centreline_tree import CentrelineTree
from xradiff.errors import InputError
from xradiff.geometry import camera_of
from xradiff.quantification.overlap import dice
from xradiff.reconstruction.segment_of_interest import restrict_to_vessel
from xradiff.synthetic.case import CaseOptions, SyntheticCase, draw_case
from xradiff.synthetic.tubes import Tube, TubeTree, silhouette

COLUMNS = ("side", "masks", "marks", "cases", "found", "other", "refused", "Dice of the worse view: median")
LEAST_MM, MARK_PX, GOOD = 30.0, 2.0, 0.7


def stretch(tree: CentrelineTree, rng: np.random.Generator) -> Tube | None:
    """Return a stretch of the way from the ostium to the end of a branch, None where it is short or occluded."""
    points, radii = tree.course(int(rng.integers(len(tree.branches))))
    way = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    part = (way >= rng.uniform(0, 0.2) * way[-1]) & (way <= rng.uniform(0.67, 1) * way[-1])
    if part.sum() < 2 or np.ptp(way[part]) < LEAST_MM or radii[part].min() <= 0:
        return None
    return Tube(points[part], radii[part])


def marks(case: SyntheticCase, tube: Tube, rng: np.random.Generator) -> list[list[tuple[float, float]]] | None:
    """Return start, middle and end in each view; None where a view does not show them."""
    found = []
    for view in case.views:
        pixels = np.argwhere(view.vessel_mask())
        points = tube.points_lps_mm[[0, len(tube.points_lps_mm) // 2, -1]]
        places = camera_of(view).project(points) + rng.normal(0, MARK_PX, (3, 2))
        away = [np.linalg.norm(pixels - place, axis=1) for place in places]
        if max(each.min() for each in away) > 10:
            return None
        found.append([tuple(map(float, pixels[each.argmin()])) for each in away])
    return found


def outcome(case: SyntheticCase, tube: Tube, marked: dict[int, list[tuple[float, float]]]) -> tuple[str, float]:
    """Return "found", "other" or "refused", and the Dice of the worse view."""
    truth = TubeTree((tube,))
    try:
        kept, _ = restrict_to_vessel(case.views, marked)
    except InputError:
        return "refused", float("nan")
    scores = [
        dice(new.vessel_mask(), silhouette(truth, camera_of(view)) & view.vessel_mask())
        for new, view in zip(kept, case.views, strict=True)
    ]
    return ("found" if min(scores) >= GOOD else "other"), min(scores)


def rows(side: str, corruption: float, count: int, seed: int) -> list[tuple[object, ...]]:
    """Return the rows of one kind of cases: the ends marked, and a point between them, too."""
    options = CaseOptions(side=side, corruption=corruption, poses="clinical")
    results: list[list[tuple[str, float]]] = [[], []]
    number = 0
    while len(results[0]) < count:
        case, rng = draw_case(options, seed, number), np.random.default_rng((seed, number))
        number += 1
        tube = stretch(case.subject.tree, rng)
        seen = None if tube is None else marks(case, tube, rng)
        if tube is not None and seen is not None:
            results[0].append(outcome(case, tube, {index: points[::2] for index, points in enumerate(seen)}))
            results[1].append(outcome(case, tube, dict(enumerate(seen))))
    kind = "exact" if not corruption else f"damaged ({corruption:g})"
    return [(side, kind, marks, count, *_summary(each)) for marks, each in zip((2, 3), results, strict=True)]


def _summary(results: list[tuple[str, float]]) -> tuple[str, ...]:
    shares = [f"{np.mean([kind == word for kind, _ in results]):.0%}" for word in ("found", "other", "refused")]
    return *shares, f"{np.nanmedian([score for _, score in results]):.2f}"


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=30)
    parser.add_argument("--seed", type=int, default=78)
    given = parser.parse_args()
    kinds = [(side, corruption) for side in ("right", "left") for corruption in (0.0, 0.5)]
    write_table(
        "segment_of_interest",
        "One vessel cut out of two masks by its marked ends",
        COLUMNS,
        [row for side, corruption in kinds for row in rows(side, corruption, given.cases, given.seed)],
    )


if __name__ == "__main__":
    main()
