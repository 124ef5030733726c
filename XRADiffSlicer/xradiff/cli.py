"""The command line: arguments in, exit code out. Also what the Slicer layer starts as a worker.

Exit codes: 0 done, 2 bad input, 3 missing dependency or weights, 130 cancelled.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from . import __version__
from .benchmark.command import add_parser as add_benchmark
from .benchmark.segmentation import add_parser as add_segmentation_evaluation
from .console import emit_json, progress_reporter
from .errors import Cancelled, XRADiffError
from .masks.command import add_parser as add_segmentation
from .masks.frames_command import add_parser as add_frame_choice
from .progress import Progress
from .reconstruction.info_command import add_parsers as add_information
from .reconstruction.weights_command import add_parser as add_weights
from .training.command import add_parser as add_training

__all__ = ["main"]

SEGMENTATION = "segmentation."
After = Callable[[object, argparse.Namespace, Progress], None]
DISCLAIMER = "Research use only, not a medical device."


def main(arguments: Sequence[str] | None = None, *, after: After | None = None) -> int:
    """Run one command and return the exit code; a user's mistake is one line on stderr.

    Args:
        arguments: as on the command line; None for those of this process.
        after: called with what the command made, its options and the progress; belongs to the command.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    style = getattr(options, "progress", "none")
    try:
        command: Callable[[argparse.Namespace, Progress], object] = options.command
        progress = progress_reporter(style, getattr(options, "cancel_file", None))
        made = command(options, progress)
        if after is not None:
            after(made, options, progress)
        return 0
    except XRADiffError as error:
        return _fail(str(error), error.exit_code, style)
    except KeyboardInterrupt:
        return _fail(str(Cancelled()), Cancelled.exit_code, style)
    except MemoryError:
        return _fail("out of memory; use a coarser --spacing-mm or a smaller tolerance", 2, style)
    except BrokenPipeError:  # the reader of our output went away, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _fail(message: str, code: int, style: str) -> int:
    if style == "json":
        emit_json("error", message=message, exit_code=code)
    print(f"xradiff: {message}", file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="xradiff", description=f"3D coronary arteries from two or more X-ray angiograms. {DISCLAIMER}"
    )
    parser.add_argument("--version", action="version", version=f"xradiff {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="a complete run on the bundled case, pictures included")
    demo.add_argument("--out", type=Path, default=Path("xradiff-demo"), help="result folder (default %(default)s)")
    _progress_options(demo)
    demo.set_defaults(command=_demo)

    reconstruct = commands.add_parser("reconstruct", help="views in, result folder out")
    _reconstruct_options(reconstruct)
    _progress_options(reconstruct)
    reconstruct.set_defaults(command=_reconstruct)

    _progress_options(add_segmentation(commands))
    _progress_options(add_segmentation_evaluation(commands))
    _progress_options(add_frame_choice(commands))
    _progress_options(add_training(commands))
    _progress_options(add_weights(commands))
    _progress_options(add_benchmark(commands))

    synthesize = commands.add_parser("synthesize", help="a dataset of synthetic cases with their truth")
    _synthesize_options(synthesize)
    _progress_options(synthesize)
    synthesize.set_defaults(command=_synthesize)

    add_information(commands)
    return parser


def _progress_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--progress", choices=("bar", "json", "none"), default="bar", help="how progress is shown")
    parser.add_argument("--cancel-file", type=Path, metavar="FILE", help="stop as soon as FILE exists")


def _reconstruct_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--view", nargs="+", action="append", metavar=("IMAGE", "GEOMETRY"), default=[],
        help="a mask image and its geometry (JSON file, or KEY=NUMBER,...); or XA DICOM (run or mask), corrections",
    )  # fmt: skip
    add("--frame", type=int, action="append", default=[], help="frame of a DICOM run, one --frame per --view, from 0")
    add("--method", default="auto", metavar="NAME", help="see `methods` (default sparse_diffusion)")
    add("--side", default="auto", choices=("auto", "left", "right"), help="coronary side; auto looks at the masks")
    add(
        "--calibrate", default="auto", choices=("auto", "off", "shift", "bundle"),
        help="correct the views for breathing and table motion from what the masks say (default %(default)s)",
    )  # fmt: skip
    add("--landmarks", type=Path, metavar="CSV", help="corresponding points: columns landmark,view,row,column")
    add(
        "--segment-of-interest", nargs="+", action="append", metavar=("VIEW", "ROW,COLUMN"),
        help="one vessel alone: number of the view, pixels of the vessel's start and end (and of points on the way "
        "between them, where it crosses others); once for every view",
    )  # fmt: skip
    add("--spacing-mm", type=float, default=0.5, help="voxel spacing (default %(default)s)")
    add("--device", default="auto", choices=("auto", "cpu", "cuda"))
    add("--seed", type=int, default=0)
    add(
        "--set", action="append", default=[], metavar="KEY=VALUE",
        help="a setting of the method, segmentation.KEY or postprocess.KEY",
    )  # fmt: skip
    add("--replay", type=Path, metavar="RUN_JSON", help="repeat an earlier run from its run.json")
    add("--no-report", action="store_true", help="leave out the HTML report and the 3D renderings")
    add("--out", type=Path, required=True, metavar="DIR", help="result folder; an earlier result there is replaced")


def _synthesize_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--out", type=Path, required=True, metavar="DIR", help="dataset folder; an interrupted one there is continued")
    add("--cases", type=int, required=True, metavar="N", help="number of cases")
    add("--seed", type=int, default=0, help="the same seed gives the same cases (default %(default)s)")
    add("--side", default="drawn", choices=("left", "right", "drawn"), help="coronary side (default %(default)s)")
    add("--views", type=int, default=2, metavar="N", help="views of each tree (default %(default)s)")
    add(
        "--poses", nargs="+", default=["xradiff"], metavar="SOURCE",
        help="C-arm poses: xradiff, autocar or clinical; or geometry JSON files of your own (default xradiff)",
    )  # fmt: skip
    add("--image-px", type=int, default=512, metavar="N", help="rows and columns of the images (default %(default)s)")
    add("--thickness", default="lumen", metavar="KIND", help="of generated trees: lumen, cta_label or manual_mask")
    add("--motion", default="none", metavar="KIND", help="between the views: none, rigid, heart or image")
    add("--corruption", type=float, default=0.0, metavar="0..1", help="damage of the masks (default %(default)s)")
    add("--frames", type=int, default=0, metavar="N", help="frames of a raw angiogram run (XA DICOM) of each view")
    add("--label", nargs="+", default=[], metavar="NIFTI", help="CTA labels to take the trees from (ImageCAS format)")
    add("--label-holds", default="both", metavar="WHAT", help="both trees (default), or one: that of --side")
    add("--truth-spacing-mm", type=float, default=0.5, metavar="MM", help="voxel of the truth (default %(default)s)")
    add("--workers", type=int, default=1, metavar="N", help="processes on this machine (default %(default)s)")
    add("--scheduler", default="", metavar="ADDRESS", help="a Dask scheduler whose workers are used instead")


def _synthesize(options: argparse.Namespace, progress: Progress) -> object:
    from .dataset import synthesize
    from .synthetic.case import CaseOptions

    case = CaseOptions(
        side=options.side,
        views=options.views,
        poses=_poses(options.poses),
        image_px=options.image_px,
        thickness=options.thickness,
        motion=options.motion,
        corruption=options.corruption,
        frames=options.frames,
        labels=tuple(str(Path(label).expanduser().resolve()) for label in options.label),
        label_holds=options.label_holds,
        truth_spacing_mm=options.truth_spacing_mm,
    )
    report = synthesize(
        options.out, case, cases=options.cases, seed=options.seed,
        workers=options.workers, scheduler=options.scheduler, progress=progress,
    )  # fmt: skip
    if options.progress == "json":
        emit_json("result", folder=str(report.folder), found=report.found, made=report.made)
        return report
    earlier = f", {report.found} were there" if report.found else ""
    print(f"dataset: {report.folder} ({report.made} cases made{earlier})")
    return report


def _poses(words: Sequence[str]):  # type: ignore[no-untyped-def]
    from .synthetic.acquisition import SOURCES
    from .views.geometry_json import acquisition_from, read_geometry_json

    if len(words) == 1 and (words[0] in SOURCES or not words[0].endswith(".json")):
        return words[0]
    return tuple(acquisition_from(read_geometry_json(word), word) for word in words)


def _demo(options: argparse.Namespace, progress: Progress) -> object:
    from .resources import resource

    case = resource("SampleData/demo")
    options.view = [[str(case / f"view{index}.png"), str(case / f"view{index}.json")] for index in (0, 1)]
    defaults = _parser().parse_args(["reconstruct", "--out", str(options.out)])
    for name, value in vars(options).items():
        setattr(defaults, name, value)
    return _reconstruct(defaults, progress)


def _reconstruct(options: argparse.Namespace, progress: Progress) -> object:
    from .export import check_result_folder
    from .progress import stage

    check_result_folder(options.out)
    if options.replay is not None:
        from .replay import replay

        result = replay(options.replay, stage(progress, 0.0, 0.7))
    else:
        result = _run(options, stage(progress, 0.0, 0.7))
    from .pipeline import save

    command = shlex.join(["python", "-m", "xradiff", *sys.argv[1:]])
    save(result, options.out, report=not options.no_report, command=command, progress=stage(progress, 0.7, 1.0))
    _show_result(options, result)
    return result


def _run(options: argparse.Namespace, progress: Progress):  # type: ignore[no-untyped-def]
    from .calibration import read_landmarks
    from .config import config_from, given_settings
    from .masks import SegmentationConfig, read_views
    from .pipeline import reconstruct
    from .progress import stage
    from .reconstruction.segment_of_interest import marked_points

    settings = given_settings(options.set)
    own = {key: settings.pop(key) for key in list(settings) if key.startswith(SEGMENTATION)}
    of_masks = {"device": options.device} | {key.removeprefix(SEGMENTATION): value for key, value in own.items()}
    marked = None if options.segment_of_interest is None else marked_points(options.segment_of_interest)
    return reconstruct(
        read_views(options.view, options.frame, config_from(SegmentationConfig, of_masks), stage(progress, 0.0, 0.2)),
        options.method,
        settings=settings,
        side=options.side,
        calibrate_mode=options.calibrate,
        landmarks=None if options.landmarks is None else read_landmarks(options.landmarks),
        segment_of_interest=marked,
        spacing_mm=options.spacing_mm,
        device=options.device,
        seed=options.seed,
        progress=stage(progress, 0.2, 1.0),
    )


def _show_result(options: argparse.Namespace, result) -> None:  # type: ignore[no-untyped-def]
    folder = options.out.resolve()
    if options.progress == "json":
        side = {} if result.side is None else {"side": result.side.likely, "side_probability": result.side.probability}
        emit_json("result", folder=str(folder), warnings=list(result.warnings), notes=list(result.notes), **side)
        return
    if result.side is not None and result.side.side != "auto":
        print(result.side.note)
    told = [
        note if note.startswith("view ") else f"{view.name}: {note}" for view in result.views for note in view.notes
    ]
    for note in (*told, *result.notes):
        print(f"note: {note}")
    for warning in result.warnings:
        print(f"warning: {warning}")
    for fit in result.fits:
        print(f"{fit.view_name}: reprojection covers {fit.coverage:.1%} of the mask, Dice {fit.dice:.3f}")
    print(f"result: {folder / ('run.json' if options.no_report else 'report.html')}")
