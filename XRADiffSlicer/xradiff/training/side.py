"""Training of the network behind `masks.side`: `python -m xradiff.training.side --out DIR`.

Draws cases (kept in DIR/cases), trains, fits the scale that makes probabilities true on held-out cases, and writes
DIR/side.safetensors. The same command goes on with what was interrupted.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn

from ..checks import check_range
from ..console import progress_reporter
from ..errors import Cancelled, XRADiffError
from ..masks.side import WEIGHTS
from ..masks.side_network import SideNetwork
from ..progress import Progress, silent, stage
from ..weights import save_weights
from .folder import RunFolder
from .interruption import stop_signals
from .side_cases import SHARD, VIEWS, SideCases, side_cases
from .side_changes import changed
from .validation import chance

__all__ = ["SideTraining", "train_side"]

_RATE, _DECAY, _WARMUP = 2e-3, 0.02, 50
_VIEW_SHARES = (0.4, 0.35, 0.15, 0.1)  # of steps with 1, 2, 3, 4 views a case
_SAVE_EVERY = 100
_SCALES = np.geomspace(0.05, 5, 200)


@dataclasses.dataclass(frozen=True)
class SideTraining:
    """Settings of the training.

    Attributes:
        cases: whole trees for training, a multiple of 100; with a third as many single vessels, and a tenth of both
            more that are held out.
        steps: of the optimiser.
        batch: cases of a step.
        seed: of all chance; the single vessels have the next one.

    Raises:
        InputError: a value outside its range.
    """

    cases: int = 1000
    steps: int = 1000
    batch: int = 32
    seed: int = 0

    def __post_init__(self) -> None:
        check_range("number of cases", self.cases, SHARD, 1_000_000)
        check_range("steps", self.steps, 1, 1_000_000)
        check_range("batch", self.batch, 1, 4096)
        check_range("seed", self.seed, 0, 2**31)

    @property
    def counts(self) -> dict[str, tuple[int, int]]:
        """Numbers of cases for training and held out, multiples of 100, by what they show."""
        wanted = {"trees": self.cases, "vessel": self.cases / 3}
        return {shows: (_hundreds(count), _hundreds(count / 10)) for shows, count in wanted.items()}


def train_side(config: SideTraining, out: Path, progress: Progress = silent) -> Path:
    """Train, or go on with the run in `out`, and return the weight file.

    Raises:
        InputError: the folder cannot be used.
        MissingDependencyError: a package is missing.
        Cancelled: asked to stop; the same call goes on.
    """
    folder = RunFolder(out, {"method": WEIGHTS, "training": dataclasses.asdict(config)})
    folder.begin()
    parts = []
    for number, (shows, (training, held_out)) in enumerate(config.counts.items()):
        told = stage(progress, 0.3 * number, 0.3 * (number + 1))
        cases = side_cases(folder.path / "cases", config.seed + number, training + held_out, shows, told)
        parts.append((_part(cases, slice(0, training)), _part(cases, slice(training, None))))
    run = _Run(config, folder, *(_joined(each) for each in zip(*parts, strict=True)))
    with stop_signals() as stopped:
        run.steps(stage(progress, 0.6, 1.0), stopped)
    return run.finish()


def _hundreds(count: float) -> int:
    return SHARD * max(1, round(count / SHARD))


def _joined(parts: Sequence[SideCases]) -> SideCases:
    return SideCases(
        np.concatenate([part.pictures for part in parts]),
        np.concatenate([part.angles for part in parts]),
        np.concatenate([part.left for part in parts]),
    )


def _part(cases: SideCases, rows: slice) -> SideCases:
    return SideCases(cases.pictures[rows], cases.angles[rows], cases.left[rows])


class _Run:
    """One call of `train_side`."""

    def __init__(self, config: SideTraining, folder: RunFolder, cases: SideCases, held_out: SideCases) -> None:
        self.config, self.folder, self.cases, self.held_out, self.step = config, folder, cases, held_out, 0
        with torch.random.fork_rng():
            torch.manual_seed(config.seed)
            self.network = SideNetwork()
        self.optimiser = torch.optim.AdamW(self.network.parameters(), lr=_RATE, weight_decay=_DECAY)
        state = folder.read_checkpoint()
        if state is not None:
            self.network.load_state_dict(state["network"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.step = int(state["step"])

    def steps(self, progress: Progress, stopped: Any) -> None:
        """Take the steps that are left."""
        while self.step < self.config.steps:
            loss = self._step()
            self.step += 1
            told = f"step {self.step} of {self.config.steps}, loss {loss:.4f}"
            ended, asked = self.step == self.config.steps, _asked(progress, self.step / self.config.steps, told)
            asked = asked or stopped()
            if ended or asked or self.step % _SAVE_EVERY == 0:
                self._save(loss)
            if asked:
                raise Cancelled(f"cancelled after step {self.step} of {self.config.steps}; the same command goes on")

    def _step(self) -> float:
        generator = chance(self.config.seed, self.step)
        pictures, angles, left = drawn(self.cases, self.config.batch, generator)
        done = max(0, self.step - _WARMUP) / max(1, self.config.steps - _WARMUP)
        for group in self.optimiser.param_groups:
            group["lr"] = _RATE * min(1.0, (self.step + 1) / _WARMUP) * 0.5 * (1 + math.cos(math.pi * done))
        self.optimiser.zero_grad()
        logits = self.network.train()(changed(pictures, generator), angles)
        loss = nn.functional.binary_cross_entropy_with_logits(logits, left)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        return float(loss.detach())

    def _save(self, loss: float) -> None:
        state = {"network": self.network.state_dict(), "optimiser": self.optimiser.state_dict(), "step": self.step}
        self.folder.save_checkpoint(state)
        right = {f"{views}_views": _accuracy(*answers(self.network, self.held_out, views)) for views in (1, 2, 4)}
        self.folder.log({"step": self.step, "loss": loss} | right)

    def finish(self) -> Path:
        """Fit the scale and write the weights."""
        logits, left = _all_answers(self.network, self.held_out)
        scale = float(_SCALES[np.argmin([_surprise(logits * factor, left) for factor in _SCALES])])
        source = (
            f"Trained with python -m xradiff.training.side: {self.step} steps of {self.config.batch} cases out of "
            f"{len(self.cases.left)}, seed {self.config.seed}."
        )
        path = self.folder.path / f"{WEIGHTS}.safetensors"
        save_weights(path, self.network.state_dict(), WEIGHTS, {"scale": round(scale, 4), "source": source})
        return path


def _asked(progress: Progress, fraction: float, message: str) -> bool:
    """Report; return whether that asked to stop."""
    try:
        progress(fraction, message)
    except Cancelled:
        return True
    return False


def drawn(cases: SideCases, batch: int, generator: Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Return pictures (B, V, 96, 96) in [0, 1], angles (B, V, 4) and answers (B,) of a batch with 1 to 4 views."""
    views = 1 + int(torch.multinomial(torch.tensor(_VIEW_SHARES), 1, generator=generator))
    rows = torch.randint(len(cases.left), (batch, 1), generator=generator)
    columns = torch.rand(batch, VIEWS, generator=generator).argsort(dim=1)[:, :views]
    pictures = torch.from_numpy(cases.pictures[rows.numpy(), columns.numpy()]).float() / 255
    angles = torch.from_numpy(cases.angles[rows.numpy(), columns.numpy()])
    return pictures, angles, torch.from_numpy(cases.left[rows[:, 0].numpy()])


@torch.no_grad()
def answers(network: nn.Module, cases: SideCases, views: int, generator: Generator | None = None) -> tuple[Any, Any]:
    """Return logits and truths of all cases by their first `views` views; changed by chance with a generator."""
    logits = []
    network.eval()
    for start in range(0, len(cases.left), SHARD):
        part = slice(start, start + SHARD)
        pictures = torch.from_numpy(cases.pictures[part, :views]).float() / 255
        pictures = pictures if generator is None else changed(pictures, generator)
        logits.append(network(pictures, torch.from_numpy(cases.angles[part, :views])).double().numpy())
    return np.concatenate(logits), cases.left


def _all_answers(network: nn.Module, cases: SideCases) -> tuple[Any, Any]:
    """Return logits and truths with one to four views, as the cases are and changed."""
    every = []
    for views in range(1, VIEWS + 1):
        every += [answers(network, cases, views), answers(network, cases, views, chance(views))]
    logits, left = (np.concatenate(parts) for parts in zip(*every, strict=True))
    return logits, left


def _accuracy(logits: Any, left: Any) -> float:
    return float(((logits > 0) == (left > 0.5)).mean())


def _surprise(logits: Any, left: Any) -> float:
    """Return the mean of -log p of the truths."""
    return float(np.logaddexp(0, np.where(left > 0.5, -logits, logits)).mean())


def main() -> int:
    """Read the arguments and train."""
    parser = argparse.ArgumentParser(prog="python -m xradiff.training.side", description=train_side.__doc__)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    for field in dataclasses.fields(SideTraining):
        parser.add_argument(f"--{field.name}", type=int, default=field.default)
    given = vars(parser.parse_args())
    out = given.pop("out")
    try:
        print(train_side(SideTraining(**given), out, progress_reporter("bar")))
    except XRADiffError as error:
        print(f"xradiff: {error}")
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
