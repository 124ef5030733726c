"""`python -m xradiff segment-evaluate`: how well vessels are found in angiograms with drawn vessels."""

from __future__ import annotations

import argparse
import csv
import time
from pathlib import Path
from typing import Any

import numpy as np

from ..config import config_from, given_settings
from ..console import emit_json
from ..devices import DEVICES
from ..errors import InputError
from ..masks import SegmentationConfig
from ..masks.config import METHODS
from ..masks.label_folders import FIELD_MM, LAYOUTS, LabelledImage, labelled_images
from ..masks.segmentation import settled, vessels_of
from ..progress import Progress
from ..quantification.plane import mask_agreement
from .statistics import bootstrap_mean

__all__ = ["add_parser", "run"]

COLUMNS = ("image", "dice", "cldice", "seconds")


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command to argparse's `subparsers` and return its parser."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "segment-evaluate", help="Dice and clDice on angiograms with drawn vessels (ARCADE, XCAD, DCA1)"
    )
    add = parser.add_argument
    add("data", type=Path, metavar="DIR", help="the dataset, or one part of it")
    add("--layout", default="auto", choices=LAYOUTS, help="how the folder is laid out (default %(default)s)")
    add("--method", default="auto", choices=METHODS, help="auto: the network where it is installed, else ridges")
    add("--device", default="auto", choices=DEVICES, help="where the network runs")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of the segmentation")
    add("--field-mm", type=float, default=FIELD_MM, help="longer edge of an image in the patient (%(default)s)")
    add("--out", type=Path, metavar="CSV", help="a table of the images")
    parser.set_defaults(command=run)
    return parser


def run(args: argparse.Namespace, progress: Progress) -> None:
    """Evaluate as `args` says; prints the means.

    Raises:
        InputError: the folder or a setting cannot be used.
        MissingDependencyError: the network is asked for, and torch or its weights are missing.
        Cancelled: from `progress`.
    """
    chosen = {"method": args.method, "device": args.device} | given_settings(args.set)
    config, why = settled(config_from(SegmentationConfig, chosen))
    images = labelled_images(args.data, args.layout)
    rows = []
    for number, image in enumerate(images):
        progress(number / len(images), f"segmenting {image.image.name}")
        rows.append((str(image.image), *_scores(image, config, args.field_mm)))
    progress(1.0, "evaluated")
    if args.out is not None:
        _write(args.out, rows)
    numbers = np.array([row[1:] for row in rows])
    told = dict(zip(COLUMNS[1:], numbers.mean(axis=0).tolist(), strict=True))
    if args.progress == "json":
        emit_json("result", images=len(rows), method=config.method, notes=list(why), **told)
        return
    for note in why:
        print(f"note: {note}")
    print(f"{len(rows)} images, method {config.method}, {told['seconds']:.2f} s an image")
    for place, name in enumerate(("Dice", "clDice")):
        mean = bootstrap_mean(numbers[:, place].tolist())
        print(f"{name}: mean {mean.mean:.3f} (95 % interval {mean.low:.3f} to {mean.high:.3f})")


def _scores(image: LabelledImage, config: SegmentationConfig, field_mm: float) -> tuple[float, float, float]:
    """Return Dice, clDice and seconds of an image."""
    frames, truth = image.frames(field_mm), image.vessels()
    start = time.perf_counter()
    found = vessels_of(frames, 0, (1.0,), config).mask
    seconds = time.perf_counter() - start
    return (*mask_agreement(found, truth), seconds)


def _write(path: Path, rows: list[tuple[Any, ...]]) -> None:
    try:
        with path.open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([COLUMNS, *rows])
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from None
