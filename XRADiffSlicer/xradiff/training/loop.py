"""The loop: batches in, trained weights out, the same numbers however often it is interrupted."""

from __future__ import annotations

import math
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .. import __version__
from ..errors import Cancelled, InputError
from ..progress import Progress, silent
from ..reconstruction.trainable import Trainable
from ..weights import find_weights, open_weights, read_tensors
from .batches import batch_stream, cases_of_step, make_example
from .cases import CaseSource
from .config import TrainingConfig
from .curves import Curves
from .folder import RunFolder
from .interruption import stop_signals
from .networks import Networks
from .parts import trainable_class
from .processes import Processes
from .validation import validation_scores

__all__ = ["TrainingReport", "train"]


@dataclass(frozen=True)
class TrainingReport:
    """What a run came to.

    Attributes:
        folder: of the run.
        steps: done in all.
        dice: mean of the last validation.
        best_dice: mean of the best validation, of best.safetensors.
        backprojection_dice: of the backprojections alone, on the same cases and voxels.
    """

    folder: Path
    steps: int
    dice: float
    best_dice: float
    backprojection_dice: float


def train(
    method: str,
    source: CaseSource,
    config: TrainingConfig,
    folder: Path,
    *,
    settings: dict[str, object] | None = None,
    begin: str | Path | None = None,
    progress: Progress = silent,
) -> TrainingReport:
    """Train a method's networks, or go on with the run that is in `folder`.

    Started by `accelerate launch` or `torchrun`, each process calls this; they share each batch.

    Args:
        method: name in the registry, or "segmentation".
        source: cases; the last ones are held out for validation.
        config: of the run.
        folder: for checkpoints and weights.
        settings: of the method's recipe.
        begin: weights (name or path) of the same method and recipe to begin with; random ones without.
        progress: told after each step by the first process; may raise Cancelled.

    Raises:
        InputError: nothing to train, a setting, a case or the folder cannot be used, or the loss is not finite.
        MissingDependencyError: a package is missing.
        Cancelled: at the end of a step; the checkpoint of that step is in the folder.
    """
    kind = trainable_class(method)
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        trainable = kind.from_settings(settings or {})
    begun = "random weights" if begin is None else _begin(method, trainable, begin)
    processes = Processes(config)
    try:
        run = _Run(method, trainable, source, config, folder, processes, begun)
        return run.run(progress if processes.first else silent)
    finally:
        processes.end()


def _begin(method: str, trainable: Trainable, path: str | Path) -> str:
    """Fill the network with the weights of a file and return what run.json says of them.

    Raises:
        InputError: they do not fit.
    """
    weights = open_weights(find_weights(str(Path(path).expanduser()), "name a file"), method)
    expected = {name: tuple(tensor.shape) for name, tensor in trainable.network.state_dict().items()}
    trainable.network.load_state_dict(read_tensors(weights, expected))
    return f"weights of SHA-256 {weights.sha256}"


class _Run:
    """One call of `train` in one process."""

    def __init__(
        self,
        method: str,
        trainable: Trainable,
        source: CaseSource,
        config: TrainingConfig,
        folder: Path,
        processes: Processes,
        begun: str,
    ) -> None:
        self.method, self.source, self.config, self.processes = method, source, config, processes
        self.training, self.held_out = config.split(source.count)
        record = {"method": method, "recipe": trainable.recipe, "training": asdict(config), "data": source.describe()}
        record["begun_with"] = begun
        versions = {"xradiff": __version__, "torch": torch.__version__}
        self.folder = RunFolder(folder, record | {"versions": versions})
        processes.wait()  # until all have looked at the folder
        self.networks = Networks(trainable, config, processes)
        self.step, self.losses = 0, [0.0, 0.0]  # their sum since the last validation, and how many
        self.scores = {"dice": math.nan, "best_dice": -1.0, "backprojection_dice": math.nan}
        self._restore()

    def _restore(self) -> None:
        state = self.folder.read_checkpoint()
        if state is None:
            return
        try:
            self.networks.load_state(state["networks"])
            self.step, self.losses, self.scores = int(state["step"]), list(state["losses"]), dict(state["scores"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(f"the checkpoint in {self.folder.path} does not fit the networks: {reason}") from None

    def run(self, progress: Progress) -> TrainingReport:
        config = self.config
        if self.step < config.steps:
            if self.processes.first:
                self.folder.begin()
            examples = self._validation_examples(progress)
            self.curves = Curves(self.folder.path / "curves", self.step) if self.processes.first else None
            try:
                with stop_signals() as stopped:
                    self._steps(examples, progress, stopped)
            finally:
                if self.curves is not None:
                    self.curves.close()
        return TrainingReport(self.folder.path, self.step, **self.scores)

    def _steps(self, examples: list[dict[str, Tensor]], progress: Progress, stopped: Any) -> None:
        config, first, start = self.config, self.step, time.monotonic()
        numbers = (
            self.processes.own(cases_of_step(step, config.batch, len(self.training), config.seed))
            for step in range(first, config.steps)
        )
        with closing(batch_stream(self.source, self.networks.trainable.example, numbers, config.workers)) as stream:
            for batch in stream:
                self._step(batch)
                ended = self.step == config.steps
                if ended or self.step % config.validate_every == 0:
                    self._validate(examples)
                message = self._message((time.monotonic() - start) / (self.step - first))
                cancelled = self._cancelled(progress, message, stopped)
                if ended or cancelled or self.step % config.checkpoint_every == 0:
                    self._save()
                if cancelled:
                    raise Cancelled(
                        f"cancelled after step {self.step} of {config.steps}; the same command goes on from there "
                        f"({self.folder.path})"
                    )

    def _step(self, batch: dict[str, Tensor]) -> None:
        batch = {name: tensor.to(self.processes.device) for name, tensor in batch.items()}
        losses = self.networks.step(batch, self.step)
        if not all(math.isfinite(loss) for loss in losses.values()):
            raise InputError(
                f"the loss is not finite in step {self.step + 1} ({losses}); what was saved before stays in "
                f"{self.folder.path}; start again with a lower learning rate, or with --precision float32"
            )
        self.step += 1
        self.losses = [self.losses[0] + sum(losses.values()), self.losses[1] + 1]
        if self.curves is not None:
            self.curves.add(self.step, {f"loss/{name}": value for name, value in losses.items()})

    def _validate(self, examples: list[dict[str, Tensor]]) -> None:
        networks, config = self.networks, self.config
        with self.processes.arithmetic():
            sums = validation_scores(networks.trainable, networks.average, examples, config.seed)
        found, given, count = self.processes.summed(sums).tolist()
        self.scores |= {"dice": found / count, "backprojection_dice": given / count}
        entry = {"step": self.step, "loss": self.losses[0] / max(1, self.losses[1])}
        entry |= {name: self.scores[name] for name in ("dice", "backprojection_dice")}
        self.losses = [0.0, 0.0]
        better = self.scores["dice"] > self.scores["best_dice"]
        self.scores["best_dice"] = max(self.scores["dice"], self.scores["best_dice"])
        if self.processes.first:
            self.folder.log(entry)
            if self.curves is not None:
                self.curves.add(self.step, {"validation/dice": self.scores["dice"]})
            if better:
                self._save_weights("best")

    def _validation_examples(self, progress: Progress) -> list[dict[str, Tensor]]:
        """Make this process's part of the held-out cases."""
        examples = []
        for number in self.processes.own(list(self.held_out)):
            progress(self.step / self.config.steps, f"making the validation case {number}")
            examples.append(make_example(self.source, self.networks.trainable.example, number))
        return examples

    def _cancelled(self, progress: Progress, message: str, stopped: Any) -> bool:
        """Report; return whether any process was asked to stop, the same in all of them."""
        asked = stopped()
        try:
            progress(self.step / self.config.steps, message)
        except Cancelled:
            asked = True
        return bool(self.processes.summed(torch.tensor(float(asked))) > 0)

    def _message(self, seconds_a_step: float) -> str:
        words = [f"step {self.step} of {self.config.steps}"]
        if self.losses[1]:
            words.append(f"loss {self.losses[0] / self.losses[1]:.4f}")
        if not math.isnan(self.scores["dice"]):
            words.append(f"Dice {self.scores['dice']:.3f}")
        left = seconds_a_step * (self.config.steps - self.step)
        return ", ".join([*words, f"{left / 60:.0f} min left" if left >= 90 else f"{left:.0f} s left"])

    def _save(self) -> None:
        if self.processes.first:
            told = {"step": self.step, "losses": self.losses, "scores": self.scores}
            self.folder.save_checkpoint(told | {"networks": self.networks.state()})
            self._save_weights("last")

    def _save_weights(self, name: str) -> None:
        told = "" if math.isnan(self.scores["dice"]) else f", Dice {self.scores['dice']:.3f} on held-out cases"
        cases = "one case" if self.config.batch == 1 else f"{self.config.batch} cases"
        source = (
            f"Trained with python -m xradiff train {self.method}: {self.step} steps of {cases}, "
            f"seed {self.config.seed}{told}."
        )
        self.networks.trainable.save(self.folder.path / f"{name}.safetensors", self.networks.average, source)
