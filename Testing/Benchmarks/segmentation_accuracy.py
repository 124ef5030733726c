"""How well the vessels of a chosen frame are found, by method, by contrast and by the frames there are.

    PYTHONPATH=XRADiffSlicer python Testing/Benchmarks/segmentation_accuracy.py --cases 8

Each case: a generated tree on a beating heart, seen by one run of 20 frames at 15 frames/s with body, catheter, noise
and blur, written as XA DICOM and read again. Truth is the projection of the vessels in which contrast agent can be
seen. "Above 1 mm": vessels of 1 mm diameter or more; pixels of thinner ones count neither way. clDice is that of the
2D skeletons. The runs are given whole, without the frames before contrast agent, and as the chosen frame alone.

By calibre (network, whole run): each pixel of the truth and of the mask counts for the diameter of the vessel whose
middle line is nearest, so that Dice and clDice are those of vessels of that calibre; where vessels cross, one wins.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
import time
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "XRADiffSlicer"))

from bench_tools import write_table
from scipy import ndimage
from scipy.spatial import cKDTree
from xradiff.errors import InputError
from xradiff.geometry.camera import camera_from
from xradiff.masks import SegmentationConfig, choose_frames, segment_frame
from xradiff.quantification.plane import mask_agreement
from xradiff.synthetic.acquisition import AngiogramOptions, SimulatedRun, simulate_run, write_xa
from xradiff.synthetic.case import CaseOptions, draw_case
from xradiff.synthetic.motion import moved_tree
from xradiff.synthetic.motion.between_views import draw_view_motions
from xradiff.synthetic.tubes import Tube, TubeTree, silhouette, tubes_of
from xradiff.views import AngiogramRun, read_run

Mask = NDArray[np.bool_]
FRAMES = 20
IODINE = {"low (10 % at 2 mm)": 0.055, "usual (20 % at 2 mm)": 0.11, "high (30 % at 2 mm)": 0.18}
THICK_MM = 0.5  # radius
LEAST_PX = 30  # vessel pixels of a calibre in a frame, to be counted
METHODS = ("network", "ridge")
KINDS = ("whole", "from the filled frames on", "one frame")
CALIBRES_MM = (0.0, 1.0, 1.5, 2.5, np.inf)  # diameters
CALIBRE_COLUMNS = (
    "contrast", "diameter", "runs", "share of the vessel pixels", "Dice: mean (least)", "clDice: mean (least)",
)  # fmt: skip
COLUMNS = (
    "contrast", "the run", "method", "cases", "Dice: mean (least)", "clDice: mean (least)",
    "Dice above 1 mm: mean (least)",
    "clDice above 1 mm: mean (least)", "refused", "seconds a frame: median",
)  # fmt: skip


def thick_part(tree: TubeTree) -> TubeTree:
    """Return the tubes up to the last point of 1 mm diameter."""
    tubes = []
    for tube in tree.tubes:
        wide = np.flatnonzero(np.broadcast_to(tube.radii_mm, len(tube.points_lps_mm)) >= THICK_MM)
        if len(wide) and wide[-1] > 0:
            tubes.append(Tube(tube.points_lps_mm[: wide[-1] + 1], tube.radii_mm[: wide[-1] + 1]))
    return TubeTree(tuple(tubes))


def calibres(tree: TubeTree, truth: SimulatedRun) -> NDArray[np.int64]:
    """Return the range of `CALIBRES_MM` (rows, columns) of the vessel whose middle line is nearest to each pixel."""
    camera = camera_from(truth.acquisition, truth.masks.shape[1:])
    fine = [_dense(tube) for tube in tree.tubes]
    pixels = camera.project(np.concatenate([points for points, _ in fine]))
    diameters = 2 * np.concatenate([radii for _, radii in fine])
    _, nearest = cKDTree(pixels).query(np.argwhere(np.ones(camera.shape, bool)))
    found: NDArray[np.int64] = np.digitize(diameters[nearest], CALIBRES_MM[1:-1]).reshape(camera.shape)
    return found


def _dense(tube: Tube) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return points (N, 3) and radii (N,) of a tube, five times as many as it has."""
    count = len(tube.points_lps_mm)
    at = np.linspace(0, count - 1, 5 * count - 4)
    values = np.column_stack([tube.points_lps_mm, np.broadcast_to(tube.radii_mm, count)])
    dense = np.stack([np.interp(at, np.arange(count), column) for column in values.T], axis=1)
    return dense[:, :3], dense[:, 3]


def by_calibre(found: Mask, mask: Mask, ranges: NDArray[np.int64]) -> list[tuple[float, float, float]]:
    """Return share of the vessel pixels, Dice and clDice of each range of diameters."""
    rows = []
    for index in range(len(CALIBRES_MM) - 1):
        here = ranges == index
        if (mask & here).sum() < LEAST_PX:
            rows.append((float((mask & here).sum() / mask.sum()), np.nan, np.nan))
            continue
        rows.append((float((mask & here).sum() / mask.sum()), *mask_agreement(found, mask, here)))
    return rows


def part(run: AngiogramRun, first: int, last: int) -> AngiogramRun:
    """Return the frames from `first` to before `last` of a run."""
    source = dataclasses.replace(run.source, pieces=run.source.pieces[first:last])
    times = run.times_ms[first:last] - run.times_ms[first]
    return dataclasses.replace(run, times_ms=times, facts=run.facts[first:last], source=source)


def simulated(number: int, seed: int, image_px: int) -> tuple[list[SimulatedRun], list[TubeTree]]:
    """Return the run of one case at each contrast, and its tree in each frame."""
    case = draw_case(CaseOptions(image_px=image_px, poses="clinical"), seed, number)
    rng = np.random.default_rng((seed, number))
    (motion,) = draw_view_motions("heart", case.subject, 1, rng)
    settings = AngiogramOptions(frames=FRAMES, heart_rate_bpm=float(rng.uniform(55, 90)))
    step = settings.frame_time_ms / 60_000 * settings.heart_rate_bpm
    phases = ((motion.phase + np.arange(FRAMES) * step) % 1).tolist()
    trees = [tubes_of(moved_tree(case.subject.tree, *motion.at(phase))) for phase in phases]
    runs = []
    for iodine in IODINE.values():
        options = dataclasses.replace(settings, iodine_per_mm=iodine)
        same = np.random.default_rng((seed, number, 1))
        runs.append(simulate_run(trees, case.views[0].acquisition, (image_px, image_px), same, options, phases))
    return runs, trees


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=8)
    parser.add_argument("--image-px", type=int, default=256)
    parser.add_argument("--seed", type=int, default=900)
    given = parser.parse_args()
    scores: dict[tuple[str, str, str], list[list[float]]] = defaultdict(list)
    refused: dict[tuple[str, str, str], int] = defaultdict(int)
    calibre: dict[str, list[list[tuple[float, float, float]]]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(given.cases):
            runs, trees = simulated(number, given.seed, given.image_px)
            for contrast, truth in zip(IODINE, runs, strict=True):
                run = read_run(write_xa(truth, Path(folder) / "run.dcm", number), name="run")
                _score(run, truth, trees, contrast, scores, refused, calibre)
            print(f"case {number} done", file=sys.stderr, flush=True)
    keys = [(c, w, m) for c in IODINE for w in KINDS for m in METHODS]
    write_table(
        "segmentation_accuracy",
        f"Vessel masks of chosen frames, {given.image_px} x {given.image_px}",
        COLUMNS,
        [_row(key, scores[key], refused[key]) for key in keys],
    )
    write_table(
        "segmentation_by_calibre",
        f"Vessel masks of chosen frames by the vessels' diameter, {given.image_px} x {given.image_px}, network",
        CALIBRE_COLUMNS,
        [row for contrast in IODINE for row in _calibre_rows(contrast, np.array(calibre[contrast]))],
        script=f"segmentation_accuracy.py --cases {given.cases} --image-px {given.image_px} --seed {given.seed}",
    )


def _score(run, truth, trees, contrast, scores, refused, calibre) -> None:  # type: ignore[no-untyped-def]
    try:
        (choice,) = choose_frames([run])
    except InputError:
        for method in METHODS:
            refused[contrast, "whole", method] += 1
        return
    filled = int(np.argmax(choice.curve >= 0.5))
    mask = truth.masks[choice.frame]
    thick = mask & silhouette(thick_part(trees[choice.frame]), camera_from(truth.acquisition, mask.shape))
    counted = ~ndimage.binary_dilation(mask & ~thick, iterations=1) | thick
    for kind, first in zip(KINDS, (0, min(filled, choice.frame), choice.frame), strict=True):
        piece = part(run, first, choice.frame + 1 if kind == "one frame" else len(run))
        curve = choice.curve[first : first + len(piece)].tolist()
        for method in METHODS:
            start = time.perf_counter()
            try:
                found = segment_frame(piece, choice.frame - first, SegmentationConfig(method), curve=curve).mask
            except InputError:
                refused[contrast, kind, method] += 1
                continue
            seconds = time.perf_counter() - start
            numbers = [*mask_agreement(found, mask), *mask_agreement(found, thick, counted), seconds]
            scores[contrast, kind, method].append(numbers)
            if (kind, method) == ("whole", "network"):
                calibre[contrast].append(by_calibre(found, mask, calibres(trees[choice.frame], truth)))


def _calibre_rows(contrast: str, values: NDArray[np.float64]) -> list[tuple[str, ...]]:
    """Return a line of the table for each range of diameters; `values` (cases, ranges, 3)."""
    rows = []
    for index, (low, high) in enumerate(pairwise(CALIBRES_MM)):
        share, dices, lines = values[:, index].T
        seen = ~np.isnan(dices)
        name = f"{low:g} to {high:g} mm" if np.isfinite(high) else f"from {low:g} mm"
        words = [f"{each[seen].mean():.3f} ({each[seen].min():.3f})" if seen.any() else "-" for each in (dices, lines)]
        rows.append((contrast, name, str(seen.sum()), f"{share.mean():.0%}", *words))
    return rows


def _row(key: tuple[str, str, str], values: list[list[float]], refused: int) -> tuple[str, ...]:
    if not values:
        return (*key, "0", *["-"] * 4, str(refused), "-")
    table = np.array(values)
    words = [f"{table[:, k].mean():.3f} ({table[:, k].min():.3f})" for k in range(4)]
    return (*key, str(len(values)), *words, str(refused), f"{np.median(table[:, 4]):.2f}")


if __name__ == "__main__":
    main()
