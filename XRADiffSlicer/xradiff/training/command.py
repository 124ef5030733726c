"""`python -m xradiff train`: arguments in, trained weights in a folder."""

from __future__ import annotations

import argparse
import dataclasses
import os
from pathlib import Path
from typing import Any

from ..config import config_from, given_settings
from ..console import emit_json
from ..errors import InputError
from ..masks.network.recipe import NAME as SEGMENTATION
from ..progress import Progress

__all__ = ["add_parser", "run"]


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command to argparse's `subparsers` and return its parser; loads no torch."""
    parser: argparse.ArgumentParser = subparsers.add_parser("train", help="train a method's networks")
    add = parser.add_argument
    add("method", metavar="METHOD", help="segmentation, or a method with networks (see `methods`)")
    cases = parser.add_mutually_exclusive_group(required=True)
    cases.add_argument(
        "--data", type=Path, metavar="DIR", help="made with `synthesize`; segmentation: labelled angiograms"
    )
    cases.add_argument("--generate", type=int, metavar="N", help="draw N synthetic cases in memory instead")
    add("--mixture", metavar="NAME", help="draw several kinds of cases: exact, broad or views; replaces what is below")
    add("--side", choices=("left", "right", "drawn"), default="drawn", help="of generated cases (default %(default)s)")
    add("--motion", default="none", metavar="KIND", help="of generated cases: none, rigid, heart or image")
    add(
        "--corruption", type=float, default=0.0, metavar="0..1", help="damage of generated masks (default %(default)s)"
    )
    add("--thickness", default="lumen", metavar="KIND", help="of generated trees: lumen, cta_label or manual_mask")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of the method's recipe")
    add("--out", type=Path, required=True, metavar="DIR", help="folder of the run; an interrupted one is continued")
    add(
        "--begin",
        metavar="WEIGHTS",
        help="weights of the same recipe (name or file) to begin with instead of random ones",
    )
    _config_options(parser)
    parser.set_defaults(command=run)
    return parser


def _config_options(parser: argparse.ArgumentParser) -> None:
    """Add one option for each field of `TrainingConfig`, which itself needs no torch."""
    from .config import TrainingConfig

    for field in dataclasses.fields(TrainingConfig):
        meaning = f"{field.metadata['meaning']} Default {field.default}."
        choices = field.metadata["choices"] or None
        name = f"--{field.name.replace('_', '-')}"
        parser.add_argument(name, default=field.default, choices=choices, help=meaning.replace("%", "%%"))


def run(args: argparse.Namespace, progress: Progress) -> None:
    """Train as `args` says; prints what came of it.

    Raises:
        InputError, MissingDependencyError, Cancelled: see `loop.train`.
    """
    # oneDNN keeps what it compiled for each shape, and sparse cases all have other ones: gigabytes after an hour
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "32")
    from .config import TrainingConfig

    names = [field.name for field in dataclasses.fields(TrainingConfig)]
    config = config_from(TrainingConfig, {name: getattr(args, name) for name in names})
    settings = given_settings(args.set)
    from .loop import train

    report = train(
        args.method, _source(args, config), config, args.out, settings=settings, begin=args.begin, progress=progress
    )
    if args.progress == "json":
        emit_json("result", **(dataclasses.asdict(report) | {"folder": str(report.folder)}))
        return
    alone = f"; backprojection alone {report.backprojection_dice:.3f}" if args.method != SEGMENTATION else ""
    print(f"step {report.steps}: validation Dice {report.dice:.3f} (best {report.best_dice:.3f}{alone})")
    print(f"weights: {report.folder / 'best.safetensors'}")


def _source(args: argparse.Namespace, config: Any) -> Any:
    from ..synthetic.case import CaseOptions
    from .cases import DatasetCases, GeneratedCases
    from .mixtures import MixedCases

    if args.method == SEGMENTATION:
        return _angiograms(args, config)
    if args.data is not None:
        return DatasetCases(args.data)
    if args.mixture is not None:
        return MixedCases(args.mixture, config.seed, args.generate)
    options = CaseOptions(side=args.side, motion=args.motion, corruption=args.corruption, thickness=args.thickness)
    return GeneratedCases(options, config.seed, args.generate)


def _angiograms(args: argparse.Namespace, config: Any) -> Any:
    """Return the frames that the segmentation network learns from."""
    from .labelled_folder import LabelledFolder
    from .raw_frames import RawFrames

    if args.mixture is not None:
        raise InputError(f"--mixture is for methods of reconstruction, got {args.mixture} for {SEGMENTATION}")
    return RawFrames(config.seed, args.generate) if args.data is None else LabelledFolder(args.data)
