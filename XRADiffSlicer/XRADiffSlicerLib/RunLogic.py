"""Angiogram runs in a worker process: which frames to use, and the vessels of a frame as a segmentation."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .Geometry import factsOf, imageNodeOf
from .Masks import newMask
from .NodeConversion import InputNodeError
from .Runs import frameCount, imageOfSequence, runFile
from .Worker import Worker
from .WorkerLogic import WorkerLogic


@dataclass(frozen=True)
class ProposedFrame:
    """What the core says of the frames of a run.

    :ivar frame: the one to use.
    :ivar reason: one sentence.
    :ivar curve: contrast of each frame, 1 in the best one.
    :ivar phases: share of the heart cycle since the R wave of each frame, None where it is not known.
    """

    frame: int
    reason: str
    curve: tuple[float, ...]
    phases: tuple[float, ...] | None


class RunLogic(WorkerLogic):
    """Starts the commands of the core that look at grey runs; one worker at a time, as for a reconstruction."""

    def startFrameChoice(
        self,
        images: Sequence[Any],
        frames: Sequence[int | None] | None = None,
        **callbacks: Callable[..., None],
    ) -> Worker:
        """Start choosing a frame of each run, all at the same heart phase, and return at once.

        :param images: proxy volumes or sequences of grey runs of one patient.
        :param frames: for each run the frame that the user wants, or None.
        :param callbacks: those of `WorkerLogic.startWorker`; `onFinished` gets a list of `ProposedFrame`, one a run.
        :raises ValueError: a run cannot be used; nothing was started.
        :raises RuntimeError: a worker is at work already.
        """

        def take(folder: Path) -> Generator[None, None, list[ProposedFrame]]:
            yield
            runs = json.loads((folder / "frames.json").read_text(encoding="utf-8"))["runs"]
            return [
                ProposedFrame(run["frame"], run["reason"], tuple(run["curve"]), run["phases"] and tuple(run["phases"]))
                for run in runs
            ]

        def arguments(folder: Path) -> list[str]:
            given = ["frames", "--progress", "json", "--out", str(folder / "frames.json")]
            for index, image in enumerate(images):
                given += ["--view", *_runArguments(_image(image), folder, f"run{index}")]
            for frame in frames or ():
                given += ["--frame", str(-1 if frame is None else frame)]
            return given

        return self.startWorker(arguments, take, "the frames", **callbacks)

    def startSegmentation(
        self,
        image: Any,
        frame: int,
        **callbacks: Callable[..., None],
    ) -> Worker:
        """Start segmenting the vessels of a frame and return at once.

        :param image: proxy volume or sequence of a grey run, or a volume of one grey image.
        :param frame: index of the frame.
        :param callbacks: those of `WorkerLogic.startWorker`; `onFinished` gets the segmentation, which has become the
          frame's mask.
        :raises ValueError: the run cannot be used; nothing was started.
        :raises RuntimeError: a worker is at work already.
        """
        self.refuseSecond()
        source = _image(image)

        def take(folder: Path) -> Generator[None, None, Any]:
            import SimpleITK as sitk

            yield
            if source.GetScene() is None:
                raise InputNodeError(f"{source.GetName()} was deleted")
            try:
                pixels = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "mask.png")))
            except RuntimeError:
                raise OSError("mask.png cannot be read") from None
            return newMask(source, frame, pixels > 0)

        def arguments(folder: Path) -> list[str]:
            run = _runArguments(source, folder, "run", frame)
            return ["segment", *run, "--frame", str(frame), "--progress", "json", "--out", str(folder / "mask.png")]

        return self.startWorker(arguments, take, "the mask", **callbacks)


def _image(node: Any) -> Any:
    """The volume that shows the frames."""
    image = imageOfSequence(node) if node.IsA("vtkMRMLSequenceNode") else imageNodeOf(node)
    if image is None or frameCount(image) == 0:
        raise InputNodeError(f"{node.GetName()} has no image")
    return image


def _runArguments(image: Any, folder: Path, name: str, frame: int = 0) -> list[str]:
    """The run's file, and beside it what is known of its geometry."""
    facts, _origin = factsOf(image, frame)
    run = runFile(image, folder / f"{name}.dcm")
    if not facts:
        return [str(run)]
    geometry = folder / f"{name}.json"
    geometry.write_text(json.dumps(facts), encoding="ascii")
    return [str(run), str(geometry)]
