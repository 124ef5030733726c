"""Size of a segmented volume."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..datatypes import SparseVolume
from ..errors import InputError
from ..postprocess.components import component_labels

__all__ = ["VolumeSummary", "summarise"]


@dataclass(frozen=True)
class VolumeSummary:
    """Size of the voxels of a volume.

    Attributes:
        volume_mm3: number of voxels times the volume of one.
        voxels: number of voxels.
        components: connected parts (26 neighbours).
        largest_fraction: share of the voxels in the largest part.
        extent_mm: outer edges of the bounding box along LPS x, y, z.
        centre_lps_mm: its middle.
        spacing_mm: voxel edges.
    """

    volume_mm3: float
    voxels: int
    components: int
    largest_fraction: float
    extent_mm: tuple[float, float, float]
    centre_lps_mm: tuple[float, float, float]
    spacing_mm: tuple[float, float, float]


def summarise(volume: SparseVolume) -> VolumeSummary:
    """Return the size of all voxels of `volume`, whatever their values.

    Raises:
        InputError: the volume is empty.
    """
    if len(volume.indices) == 0:
        raise InputError("the result is empty; it has no size")
    labels, box = component_labels(volume), volume.bounding_grid()
    return VolumeSummary(
        volume_mm3=len(labels) * float(np.prod(volume.grid.spacing_mm)),
        voxels=len(labels),
        components=int(labels.max()) + 1,
        largest_fraction=float(np.mean(labels == 0)),
        extent_mm=_three(box.extent_mm),
        centre_lps_mm=_three(box.centre_lps_mm),
        spacing_mm=volume.grid.spacing_mm,
    )


def _three(vector: NDArray[np.float64]) -> tuple[float, float, float]:
    return (float(vector[0]), float(vector[1]), float(vector[2]))
