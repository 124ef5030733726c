"""What runs in the worker process: `xradiff` with its options, then the result made ready for nodes.

Says that it lives before anything heavy is loaded, and leads a process group of its own, so that all that it starts
can be ended with it. Imports nothing of Slicer.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import sys
from pathlib import Path

CONTENTS_FOLDER = "nodes"


def main(arguments: list[str]) -> int:
    """Run one command of `xradiff`; return its exit code."""
    faulthandler.enable()  # a crash leaves a trace in the log
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)
    for message in ({"type": "started", "pid": os.getpid()},
                    {"type": "progress", "fraction": 0.0, "message": "loading the software"}):  # fmt: skip
        print(json.dumps(message), flush=True)
    from xradiff.cli import main as run

    return run(arguments, after=makeReady)


def makeReady(made: object, options: argparse.Namespace, progress: object) -> None:
    """Write the contents of the nodes of a reconstruction beside its result folder."""
    from xradiff.pipeline import Reconstruction

    from .Contents import contentsOf, readTruth, saveContents

    if isinstance(made, Reconstruction):
        folder = Path(options.out).parent
        saveContents(contentsOf(made, readTruth(folder)), folder / CONTENTS_FOLDER)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
