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
from collections.abc import Callable
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

    from .RunFiles import writeRuns

    writeRuns(Path(arguments[arguments.index("--cancel-file") + 1]).parent)
    return run(arguments, after=makeReady)


def makeReady(made: object, options: argparse.Namespace, progress: Callable[[float, str], None]) -> None:
    """Write the contents of the nodes of a reconstruction or synthetic case beside what the command wrote."""
    from xradiff.dataset import DatasetReport, case_folder
    from xradiff.pipeline import Reconstruction

    from .Contents import contentsOf, readTruth, saveContents
    from .SyntheticContents import contentsOfCase

    folder = Path(options.out).parent if isinstance(made, (Reconstruction, DatasetReport)) else None
    if folder is None:
        return
    progress(1.0, "preparing what Slicer shows")
    ready = (
        contentsOf(made, readTruth(folder))
        if isinstance(made, Reconstruction)
        else contentsOfCase(case_folder(made.folder, 0))
    )
    saveContents(ready, folder / CONTENTS_FOLDER)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
