"""`python -m xradiff segment`: one XA run in, the vessel mask of a frame, its probability and geometry out."""

from __future__ import annotations

import argparse
import json
import os
import uuid
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ..config import config_from, given_settings
from ..console import emit_json
from ..devices import DEVICES
from ..errors import InputError
from ..progress import Progress
from ..views import read_run
from .config import METHODS, SegmentationConfig
from .frames import choose_frames
from .segmentation import segment_frame

__all__ = ["add_parser", "run"]

_FIGURE = 65535  # of the 16-bit probability: certain


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command to argparse's `subparsers` and return its parser."""
    parser: argparse.ArgumentParser = subparsers.add_parser("segment", help="the vessel mask of a frame of an XA run")
    add = parser.add_argument
    add("run", type=Path, metavar="RUN", help="XA DICOM file")
    add("geometry", nargs="?", metavar="GEOMETRY", help="geometry that the file lacks (JSON file, or KEY=NUMBER,...)")
    add("--method", default="auto", choices=METHODS, help="auto: the network where it is installed, else ridges")
    add("--device", default="auto", choices=DEVICES, help="where the network runs")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of the segmentation, see README")
    add("--frame", type=int, metavar="N", help="frame, from 0; the best-filled one near end-diastole when not given")
    add(
        "--out", type=Path, required=True, metavar="MASK",
        help="mask (PNG); beside it MASK_probability.png (16 bit) and the frame's geometry MASK.json",
    )  # fmt: skip
    parser.set_defaults(command=run)
    return parser


def run(args: argparse.Namespace, progress: Progress) -> None:
    """Segment as `args` says; prints what was written.

    Raises:
        InputError: the run or a setting cannot be used, no vessel is shown, or the files cannot be written.
        MissingDependencyError: the network is asked for, and torch or its weights are missing.
        Cancelled: from `progress`.
    """
    if args.out.suffix.lower() != ".png":
        raise InputError(f"--out must be the name of a PNG file, got {args.out}")
    chosen = {"method": args.method, "device": args.device} | given_settings(args.set)
    config = config_from(SegmentationConfig, chosen)
    progress(0.0, "reading the run")
    source = read_run(args.run, args.geometry, name=args.run.name)
    source.frame(0)  # a picture that is no run, and pixels that cannot be decoded, before its geometry is asked for
    source.acquisition(0 if args.frame is None else source.check_frame(args.frame))
    progress(0.1, "choosing the frame")
    (choice,) = choose_frames([source], [args.frame])
    progress(0.6, f"segmenting frame {choice.frame}")
    found = segment_frame(source, choice.frame, config, curve=choice.curve.tolist())
    geometry, chance = args.out.with_suffix(".json"), args.out.with_name(f"{args.out.stem}_probability.png")
    facts = {k: v for k, v in asdict(source.acquisition(choice.frame)).items() if k in source.facts[choice.frame]}
    _write(
        {
            args.out: found.mask.astype(np.uint8) * np.uint8(255),
            chance: np.rint(found.probability * _FIGURE).astype(np.uint16),
            geometry: json.dumps(facts, indent=2) + "\n",
        }
    )
    progress(1.0, "segmented")
    if args.progress == "json":
        files = {"mask": str(args.out.resolve()), "probability": str(chance.resolve())}
        emit_json("result", **files, geometry=str(geometry.resolve()), frame=choice.frame, notes=list(found.notes))
        return
    print(f"frame {choice.frame} of {len(source)}: {choice.reason}")
    for note in (*source.notes, *found.notes):
        print(f"note: {note}")
    print(f"mask: {args.out}\nprobability: {chance}\ngeometry: {geometry}")


def _write(files: dict[Path, NDArray[np.generic] | str]) -> None:
    """Write every file beside its place, then rename them all."""
    written = []
    try:
        for path, content in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            work = path.with_name(f".{uuid.uuid4().hex[:8]}-{path.name}")
            written.append((work, path))
            if isinstance(content, str):
                work.write_text(content, encoding="utf-8")
            else:
                sitk.WriteImage(sitk.GetImageFromArray(content), str(work), useCompression=True)
        for work, path in written:
            os.replace(work, path)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or "the image could not be written"
        raise InputError(f"{path} cannot be written: {reason}") from None
    finally:
        for work, _ in written:
            work.unlink(missing_ok=True)
