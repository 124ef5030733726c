"""Angiograms with drawn vessels as cases of a training: for fine-tuning the segmentation network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..masks.label_folders import LabelledImage, labelled_images
from ..masks.network.labelled import LabelledFrame

__all__ = ["LabelledFolder"]


class LabelledFolder:
    """The labelled angiograms of a folder, see `masks.label_folders`.

    Raises:
        InputError: there are none.
    """

    drawn = False

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).expanduser().resolve()
        self._images = labelled_images(self.folder)

    @property
    def count(self) -> int:
        """Number of images."""
        return len(self._images)

    def case(self, number: int) -> tuple[FolderCase, int]:
        """Return image `number`, which is read when its frame is asked for, and the number."""
        return FolderCase(self._images[number]), number

    def describe(self) -> dict[str, Any]:
        """Return folder and number of images."""
        return {"labelled angiograms": str(self.folder), "cases": self.count}


@dataclass(frozen=True, eq=False)
class FolderCase:
    """One labelled angiogram."""

    labelled: LabelledImage

    def labelled_frames(self) -> tuple[LabelledFrame, ...]:
        """Return it as the only frame of a view.

        Raises:
            InputError: image or mask cannot be read.
        """
        return (LabelledFrame(self.labelled.frames(), 0, (1.0,), self.labelled.vessels()),)
