"""What segmentation costs the reconstruction: 3D Dice from two raw runs against 3D Dice from perfect masks.

    PYTHONPATH=XRADiffSlicer python Testing/Benchmarks/raw_run_reconstruction.py --cases 20

Each case: a generated tree on a beating heart, seen by two runs of 36 frames at 15 frames/s from angles of clinical
practice, with body, catheter, noise, blur and ECG, written as XA DICOM and read again. The frames are chosen as
`reconstruct --view A.dcm --view B.dcm` does. Perfect masks are the projections of the tree inside the collimator as it
was in those frames, so both sides carry the same mismatch of heart phase. The patient does not breathe and the table
stands still, so that "off" is the right calibration; "auto" shows what is lost where it takes a mismatch for a shift.
Truth is the tree as it was in the first view's frame, at 0.5 mm. Sides alternate.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "XRADiffSlicer"))

from bench_tools import write_table
from xradiff.benchmark.statistics import bootstrap_mean
from xradiff.datatypes import SparseVolume
from xradiff.errors import InputError
from xradiff.geometry.camera import camera_from
from xradiff.masks import SegmentationConfig, read_views
from xradiff.pipeline import reconstruct
from xradiff.quantification.plane import mask_agreement
from xradiff.synthetic.acquisition import AngiogramOptions, simulate_run, write_xa
from xradiff.synthetic.case import CaseOptions, draw_case, tree_grid
from xradiff.synthetic.motion import moved_tree
from xradiff.synthetic.motion.between_views import draw_view_motions
from xradiff.synthetic.tubes import occupancy, silhouette, tubes_of

FRAMES, SPACING_MM, DARK = 36, 0.5, 0.04
CONTRASTS = {"low (10 % at 2 mm)": 0.055, "usual (20 % at 2 mm)": 0.11, "high (30 % at 2 mm)": 0.18}
COLUMNS = (
    "side", "contrast", "masks", "calibration", "cases", "refused", "mask Dice",
    "3D Dice: mean (95 % interval)", "perfect masks",    "ratio of the means", "seconds: median",
)  # fmt: skip


def runs_of(number: int, seed: int, side: str, iodine: float, image_px: int, folder: Path):
    """Return the files of two runs, what their collimators leave open, and the tubes of (view, frame)."""
    case = draw_case(CaseOptions(side=side, image_px=image_px, poses="clinical"), seed, number)
    rng = np.random.default_rng((seed, number))
    motions = draw_view_motions("heart", case.subject, 2, rng)
    motions = [dataclasses.replace(motion, others=motions[0].others) for motion in motions]  # one breath hold
    files, opened, phases = [], [], []
    for index, (view, motion) in enumerate(zip(case.views, motions, strict=True)):
        settings = AngiogramOptions(frames=FRAMES, heart_rate_bpm=float(rng.uniform(55, 90)), iodine_per_mm=iodine)
        step = settings.frame_time_ms / 60_000 * settings.heart_rate_bpm
        phases.append(((rng.random() + np.arange(FRAMES) * step) % 1).tolist())
        trees = [tubes_of(moved_tree(case.subject.tree, *motion.at(phase))) for phase in phases[-1]]
        made = simulate_run(trees, view.acquisition, (image_px, image_px), rng, settings, phases[-1])
        opened.append(made.frames.max(axis=0) > DARK * 2**made.bits)
        files.append(write_xa(made, folder / f"run{index}.dcm", number, index))
    return (
        files,
        opened,
        lambda view, frame: tubes_of(moved_tree(case.subject.tree, *motions[view].at(phases[view][frame]))),
    )


def dice_3d(found: SparseVolume, tubes) -> float:
    """Return the Dice of a segmentation with the voxels whose centre lies in the tree."""
    truth = occupancy(tubes, tree_grid(tubes, SPACING_MM))
    ours, theirs = (np.rint(volume.points_lps_mm() / SPACING_MM).astype(int) for volume in (found, truth))
    low = np.minimum(ours.min(axis=0), theirs.min(axis=0))
    shape = np.maximum(ours.max(axis=0), theirs.max(axis=0)) - low + 1
    a, b = (np.ravel_multi_index(tuple((index - low).T), tuple(shape)) for index in (ours, theirs))
    return 2 * len(np.intersect1d(a, b)) / (len(np.unique(a)) + len(np.unique(b)))


def score(number: int, given: argparse.Namespace, side: str, iodine: float, method: str) -> list[tuple[float, ...]]:
    """Return mask Dice, 3D Dice from runs and from perfect masks, seconds from files to result, by calibration."""
    with tempfile.TemporaryDirectory() as folder:
        files, opened, tubes_at = runs_of(number, given.seed, side, iodine, given.image_px, Path(folder))
        start = time.perf_counter()
        views = read_views([[str(file)] for file in files], config=SegmentationConfig(method))
        reading = time.perf_counter() - start
    perfect = [
        view.with_mask(
            silhouette(tubes_at(k, view.frame), camera_from(view.acquisition, view.pixels.shape)) & opened[k]
        )
        for k, view in enumerate(views)
    ]
    truth = tubes_at(0, views[0].frame)
    overlaps = [mask_agreement(a.vessel_mask(), b.vessel_mask())[0] for a, b in zip(views, perfect, strict=True)]
    rows = []
    for mode in given.calibrate:
        start = time.perf_counter()
        ours = reconstruct(views, given.method, calibrate_mode=mode, spacing_mm=SPACING_MM, device="cpu")
        seconds = reading + time.perf_counter() - start
        best = reconstruct(perfect, given.method, calibrate_mode=mode, spacing_mm=SPACING_MM, device="cpu")
        dices = (dice_3d(ours.segmentation, truth), dice_3d(best.segmentation, truth))
        rows.append((float(np.mean(overlaps)), *dices, seconds))
    return rows


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=20, help="in all, sides alternating")
    parser.add_argument("--contrast", nargs="+", choices=("low", "usual", "high"), default=["usual"])
    parser.add_argument("--masks", nargs="+", choices=("network", "ridge"), default=["network"])
    parser.add_argument("--calibrate", nargs="+", choices=("off", "auto"), default=["off", "auto"])
    parser.add_argument("--method", default="sparse_diffusion")
    parser.add_argument("--image-px", type=int, default=512)
    parser.add_argument("--seed", type=int, default=4200)
    given = parser.parse_args()
    rows = []
    for contrast in (name for name in CONTRASTS if name.split()[0] in given.contrast):
        for masks in given.masks:
            scores: dict[str, list[list[tuple[float, ...]]]] = {"left": [], "right": []}
            refused = {"left": 0, "right": 0}
            for number in range(given.cases):
                side = ("left", "right")[number % 2]
                try:
                    scores[side].append(score(number, given, side, CONTRASTS[contrast], masks))
                    print(contrast, masks, number, side, np.round(scores[side][-1], 3).tolist(), file=sys.stderr)
                except InputError as error:
                    refused[side] += 1
                    print(contrast, masks, number, side, error, file=sys.stderr)
            scores["both"], refused["both"] = scores["left"] + scores["right"], sum(refused.values())
            for place, mode in enumerate(given.calibrate):
                rows += [
                    _row((side, contrast, masks, mode), [one[place] for one in scores[side]], refused[side])
                    for side in scores
                ]
    title = f"3D from raw runs and from perfect masks, {given.method}"
    command = " ".join(["raw_run_reconstruction.py", *sys.argv[1:]])
    write_table("raw_run_reconstruction", title, COLUMNS, rows, script=command)


def _row(key: tuple[str, ...], scores: list[tuple[float, ...]], refused: int) -> tuple[str, ...]:
    if not scores:
        return (*key, "0", str(refused), *["-"] * 5)
    table = np.array(scores)
    mean = bootstrap_mean(table[:, 1].tolist())
    words = (f"{table[:, 0].mean():.3f}", f"{mean.mean:.3f} ({mean.low:.3f} to {mean.high:.3f})")
    perfect = table[:, 2].mean()
    seconds = f"{np.median(table[:, 3]):.0f}"
    return (*key, str(len(scores)), str(refused), *words, f"{perfect:.3f}", f"{mean.mean / perfect:.3f}", seconds)


if __name__ == "__main__":
    main()
