"""`python -m xradiff weights`: the weight files of this installation, listed, checked, added or removed."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..console import emit_json
from ..progress import Progress
from .installed import add_weights, list_weights, remove_weights, verify_weights

__all__ = ["add_parser", "run"]


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command to argparse's `subparsers` and return its parser."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "weights", help="list the weight files of the methods, check, add or remove them"
    )
    do = parser.add_mutually_exclusive_group()
    do.add_argument("--verify", metavar="NAME", help="compare a file with the SHA-256 that it carries")
    do.add_argument("--add", type=Path, metavar="FILE", help="check a file and copy it to where the methods look")
    do.add_argument("--remove", metavar="NAME", help="delete a file that was added")
    parser.set_defaults(command=run)
    return parser


def run(options: argparse.Namespace, progress: Progress) -> None:
    """Do what `options` say and print one line; the list without any.

    Raises:
        InputError: an unknown name, a damaged or foreign file, or a folder that cannot be written.
        MissingDependencyError: the weights are missing.
    """
    progress(0.0, "looking at the weights")
    if options.verify:
        found = verify_weights(options.verify)
        lines = [f"{found.path}: SHA-256 is right"]
    elif options.add:
        lines = [f"added {add_weights(options.add, progress).path}"]
    elif options.remove:
        lines = [f"removed {remove_weights(options.remove)}"]
    else:
        lines = [
            f"{each.name:24} {each.method:17} {each.size / 1e6:7.1f} MB  {each.path}  ({each.licence})"
            if each.path
            else f"{each.name:24} {each.method:17} missing"
            for each in list_weights()
        ]
    if options.progress == "json":
        emit_json("result", message="; ".join(lines))
        return
    print("\n".join(lines))
