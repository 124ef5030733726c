"""What the module computes, usable from the Python console without the panel.

from XRADiffSlicer import XRADiffSlicerLogic
views = [slicer.util.getNode("Demo view 0"), slicer.util.getNode("Demo view 1")]
outputs = XRADiffSlicerLogic().reconstruct(views)

case = XRADiffSlicerLogic().createSyntheticCase(side="left", seed=3)
print(XRADiffSlicerLogic().reconstruct(case.views).truthDice)
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .Contents import readContents
from .Exchange import exportTruth, exportViews, readResult, syntheticArguments, workerArguments
from .Outputs import Filling, OutputNodes, fillOutputs, truthNodeOf
from .RunLogic import RunLogic
from .SyntheticCase import CaseFilling, SyntheticNodes, caseOptions, loadSyntheticCase
from .Views import nodesOf, viewsFromNodes
from .Worker import Worker
from .WorkerLogic import ignore
from .WorkerMain import CONTENTS_FOLDER


class ReconstructionLogic(RunLogic):
    """Angiogram nodes in, output nodes out: in this process (scripts) or in a worker process (panel).

    :param launcher: starts processes; None for the one that suits where this runs (see `Launchers`).
    """

    def reconstruct(
        self,
        views: Sequence[Any],
        geometry: Sequence[Any] | None = None,
        *,
        method: str = "auto",
        settings: Mapping[str, object] | None = None,
        side: str = "auto",
        calibrate: bool = True,
        spacingMm: float = 0.5,
        device: str = "auto",
        seed: int = 0,
        frames: Sequence[int | None] | None = None,
        segmentOfInterest: Mapping[int, Sequence[tuple[float, float]]] | None = None,
        outputs: OutputNodes | None = None,
        progress: Callable[[float, str], None] | None = None,
    ) -> OutputNodes:
        """Reconstruct the coronary tree in this process and return the output nodes.

        :param views: two or more nodes (or their names): one-image volumes that are vessel masks,
          proxy volumes of sequences of masks, or segmentations drawn on an angiogram.
        :param geometry: one entry a view: None for what the node or the DICOM database knows, else a
          mapping, a JSON file or an Acquisition.
        :param settings: settings of the method, see `python -m xradiff info METHOD`.
        :param calibrate: correct the shift between views that were not taken at the same time.
        :param frames: one frame index a view; None for the frame shown.
        :param segmentOfInterest: (row, column) in px of the start and the end of one vessel, and of points on the way
          if wanted, in each view by its index; all else is left out.
        :param outputs: nodes to overwrite; by default new ones are made.
        :param progress: called with a fraction and a message; may raise to stop.
        :raises ValueError: a view, its geometry or a setting cannot work; the message says which.
        """
        from xradiff.pipeline import reconstruct
        from xradiff.progress import silent

        inputs = viewsFromNodes(views, geometry, frames)
        result = reconstruct(
            inputs,
            method,
            settings=dict(settings or {}),
            side=side,
            calibrate_mode="auto" if calibrate else "off",
            segment_of_interest=segmentOfInterest,
            spacing_mm=spacingMm,
            device=device,
            seed=seed,
            progress=progress or silent,
        )
        nodes = nodesOf(views)
        return fillOutputs(result, nodes[0], outputs, nodes)

    def startReconstruction(
        self,
        views: Sequence[Any],
        geometry: Sequence[Any] | None = None,
        *,
        frames: Sequence[int | None] | None = None,
        outputs: OutputNodes | None = None,
        onProgress: Callable[[float, str], None],
        onLog: Callable[[str], None],
        onFinished: Callable[[OutputNodes], None],
        onFailed: Callable[[str, bool], None],
        **options: Any,
    ) -> Worker:
        """Start the same in a worker process and return at once.

        :param onFinished: called with the output nodes.
        :param onFailed: called with one line for the user, and whether the user cancelled.
        :param options: `method`, `settings`, `side`, `calibrate`, `spacingMm`, `device`, `seed`,
          `segmentOfInterest`.
        :raises ValueError: the input cannot work; nothing was started.
        :raises RuntimeError: a worker is at work already.
        """
        self.refuseSecond()
        inputs = viewsFromNodes(views, geometry, frames)
        _refuseUnusable(inputs)
        nodes = nodesOf(views)

        def arguments(folder: Path) -> list[str]:
            files = exportViews(inputs, folder)
            if (truth := truthNodeOf(nodes[0])) is not None:
                exportTruth(truth, folder)
            return workerArguments(files, folder / "result", **options)

        def take(folder: Path) -> Generator[None, None, OutputNodes]:
            report = (folder / "result" / "report.html").read_text(encoding="utf-8")
            filling = Filling(readResult(folder, inputs), nodes[0], outputs, nodes, report)
            yield from filling.steps()
            return filling.outputs

        callbacks = {"onProgress": onProgress, "onLog": onLog, "onFinished": onFinished, "onFailed": onFailed}
        return self.startWorker(arguments, take, "the result", **callbacks)

    def createSyntheticCase(
        self, side: str = "right", seed: int = 0, number: int = 0, **options: Any
    ) -> SyntheticNodes:
        """Make a synthetic case in this process and return its nodes, the truth among them.

        :param side: "left", "right" or "drawn".
        :param seed: of the dataset; case `number` of it is made, always the same.
        :param options: see `caseOptions`.
        :raises ValueError: a value cannot work; the message says which.
        """
        from xradiff.checks import check_range
        from xradiff.dataset import write_case
        from xradiff.synthetic.case import CaseOptions, draw_case

        case = CaseOptions(**caseOptions(side=side, **options))
        check_range("seed", seed, 0)
        check_range("number", number, 0)
        with tempfile.TemporaryDirectory(prefix="XRADiffSlicer-") as name:
            folder = Path(name) / "case"
            write_case(folder, draw_case(case, seed, number), case.truth_spacing_mm)
            return loadSyntheticCase(folder)

    def startSyntheticCase(
        self,
        *,
        seed: int = 0,
        onProgress: Callable[[float, str], None],
        onLog: Callable[[str], None],
        onFinished: Callable[[SyntheticNodes], None],
        onFailed: Callable[[str, bool], None],
        **options: Any,
    ) -> Worker:
        """Start making case 0 of a synthetic dataset in a worker process and return at once.

        :param onFinished: called with the nodes.
        :param onFailed: called with one line for the user (also for a value that cannot work), and whether the user
          cancelled.
        :param options: `side` and see `caseOptions`.
        :raises RuntimeError: a worker is at work already.
        """
        self.refuseSecond()
        fields = caseOptions(**options)

        def arguments(folder: Path) -> list[str]:
            return syntheticArguments(folder / "dataset", seed, fields)

        def take(folder: Path) -> Generator[None, None, SyntheticNodes]:
            filling = CaseFilling(readContents(folder / CONTENTS_FOLDER), folder / "dataset" / "case00000")
            yield from filling.steps()
            return filling.nodes()

        callbacks = {"onProgress": onProgress, "onLog": onLog, "onFinished": onFinished, "onFailed": onFailed}
        return self.startWorker(arguments, take, "the synthetic case", **callbacks)

    def startWeightsCommand(
        self,
        arguments: Sequence[str],
        *,
        onFinished: Callable[[str], None],
        onFailed: Callable[[str, bool], None],
    ) -> Worker:
        """Start `python -m xradiff weights` in a worker process and return at once.

        :param arguments: `--verify NAME`, `--add FILE` or `--remove NAME`.
        :param onFinished: called with one line for the user.
        :raises RuntimeError: a worker is at work already.
        """

        def take(_folder: Path) -> Generator[None, None, str]:
            yield
            return str(worker.result.get("message", ""))

        worker = self.startWorker(
            lambda _folder: ["weights", "--progress", "json", *arguments], take, "the answer",
            onProgress=ignore, onLog=ignore, onFinished=onFinished, onFailed=onFailed,
        )  # fmt: skip
        return worker


def _refuseUnusable(inputs: Sequence[Any]) -> None:
    """Raise what the worker would, before it is started."""
    from xradiff.masks import with_masks
    from xradiff.reconstruction.interface import check_separation

    check_separation(with_masks(inputs))
