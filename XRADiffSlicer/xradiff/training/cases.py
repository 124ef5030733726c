"""Where the cases come from: drawn in memory, by number, or read from a dataset folder."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from ..datatypes import AngiogramView
from ..errors import InputError
from ..masks import with_masks
from ..reconstruction.trainable import VesselTruth
from ..synthetic.case import CaseOptions, draw_case
from ..views import read_view
from .truth import TreeTruth, read_truth

__all__ = ["CaseSource", "DatasetCases", "GeneratedCases"]

Case = tuple[tuple[AngiogramView, ...], VesselTruth]


class CaseSource(Protocol):
    """Cases by number, 0 to `count` - 1; can be pickled, since worker processes read it too.

    Attributes:
        count: number of cases.
        drawn: whether cases are drawn by their numbers, which then may be `count` and more too.
    """

    @property
    def count(self) -> int: ...

    @property
    def drawn(self) -> bool: ...

    def case(self, number: int) -> tuple[Any, Any]:
        """Return what an example is made of, as views and truth; the same number gives the same case."""
        ...

    def describe(self) -> dict[str, Any]:
        """Return what they are, JSON-ready."""
        ...


@dataclass(frozen=True)
class GeneratedCases:
    """Synthetic cases that never touch the disk: those that `synthesize` would write with these options and seed."""

    options: CaseOptions
    seed: int
    count: int
    drawn = True

    def case(self, number: int) -> Case:
        """Return views and truth of case `number`."""
        case = draw_case(self.options, self.seed, number)
        return case.views, TreeTruth(case.subject.tree, self.options.exact_masks)

    def describe(self) -> dict[str, Any]:
        """Return options and seed."""
        return {"generated": asdict(self.options), "seed": self.seed, "cases": self.count}


class DatasetCases:
    """The complete cases of a dataset folder, in the order of their names.

    Raises:
        InputError: there are none.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).expanduser().resolve()
        self.drawn = False
        self._names = sorted(path.parent.name for path in self.folder.glob("case*/case.json"))
        if not self._names:
            raise InputError(f"{folder} holds no case; make some with: python -m xradiff synthesize --out {folder}")

    @property
    def count(self) -> int:
        """Number of cases."""
        return len(self._names)

    def case(self, number: int) -> Case:
        """Return views and truth of the case at place `number`.

        Raises:
            InputError: a file is missing or cannot be used.
        """
        folder = self.folder / self._names[number]
        images = sorted(folder.glob("view*.png"))
        views = [read_view(image, image.with_suffix(".json"), name=f"{folder.name}/{image.stem}") for image in images]
        return with_masks(views), read_truth(folder / "truth.nii.gz", _side(folder))

    def describe(self) -> dict[str, Any]:
        """Return folder and number of cases."""
        return {"dataset": str(self.folder), "cases": self.count}


def _side(folder: Path) -> str:
    """Return the side that case.json tells, "" where it tells none."""
    try:
        told = json.loads((folder / "case.json").read_text(encoding="utf-8")).get("side", "")
    except (OSError, ValueError, AttributeError):
        return ""
    return told if told in ("left", "right") else ""
