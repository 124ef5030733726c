"""The folder of a training run: what it is (run.json), how far it is (checkpoint.pt), what it learned, its log.

run.json           method, recipe, settings, cases, versions
checkpoint.pt      networks, moving average, optimisers, step; read with weights_only, so that it can run nothing
best.safetensors   weights of the best validation, as the method reads them
last.safetensors   those of the last checkpoint
log.jsonl          one validation a line
"""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import torch

from ..errors import InputError
from .config import CHANGEABLE

__all__ = ["RunFolder"]

KIND = "xradiff training"


class RunFolder:
    """A folder for the run that `record` (JSON-ready) describes; one that was interrupted there is continued.

    Raises:
        InputError: the folder holds something else, or another run.
    """

    def __init__(self, path: Path, record: dict[str, Any]) -> None:
        self.path = path.expanduser().resolve()
        self.record: dict[str, Any] = json.loads(json.dumps({"kind": KIND} | record))
        self._check()

    def _check(self) -> None:
        if self.path.exists() and not self.path.is_dir():
            raise InputError(f"the training folder must be a folder, got the file {self.path}")
        if not self.path.is_dir() or not any(self.path.iterdir()):
            return
        try:
            earlier = json.loads((self.path / "run.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            earlier = None
        if not isinstance(earlier, dict) or earlier.get("kind") != KIND:
            raise InputError(f"{self.path} is not empty and holds no training run; choose another folder")
        before, now = _leaves(earlier), _leaves(self.record)
        for key in now:
            if (
                key.split(".")[-1] not in CHANGEABLE
                and not key.startswith("versions.")
                and before.get(key) != now[key]
            ):
                raise InputError(
                    f"{self.path} is another training run: its {key} is {before.get(key)!r}, asked for is "
                    f"{now[key]!r}; choose another folder"
                )

    def begin(self) -> None:
        """Write run.json."""
        text = json.dumps(self.record, indent=2) + "\n"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            part = self.path / "run.json.part"
            part.write_text(text, encoding="utf-8")
            part.replace(self.path / "run.json")
        except OSError as error:
            raise InputError(f"the training folder {self.path} cannot be written: {error.strerror or error}") from None

    def save_checkpoint(self, state: dict[str, Any]) -> None:
        """Write the checkpoint, whole or not at all.

        Raises:
            InputError: the disk is full or the folder cannot be written; the checkpoint before stays.
        """
        part = self.path / "checkpoint.pt.part"
        try:
            torch.save(state, part)
            part.replace(self.path / "checkpoint.pt")
        except (OSError, RuntimeError) as error:
            part.unlink(missing_ok=True)
            raise InputError(f"the checkpoint cannot be written into {self.path}: {error}") from None

    def read_checkpoint(self) -> dict[str, Any] | None:
        """Return the checkpoint, on the CPU; None where there is none yet.

        Raises:
            InputError: damaged, or not a checkpoint of this program.
        """
        path = self.path / "checkpoint.pt"
        if not path.is_file():
            return None
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError):
            state = None
        if not isinstance(state, dict) or "step" not in state:
            raise InputError(f"{path} is damaged or no checkpoint of this program; remove it to begin anew")
        return state

    def log(self, entry: dict[str, Any]) -> None:
        """Append a line to the log; lines of later steps (of a run that was cut short) go."""
        path = self.path / "log.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        kept = [line for line in lines if json.loads(line)["step"] < entry["step"]]
        path.write_text("\n".join([*kept, json.dumps(entry)]) + "\n", encoding="utf-8")


def _leaves(record: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the entries of nested dictionaries as {"a.b": value}."""
    found: dict[str, Any] = {}
    for key, value in record.items():
        found |= _leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return found
