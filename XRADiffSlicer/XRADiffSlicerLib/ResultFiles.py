"""Nodes of a result -> files in a folder that the user chose."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import slicer

from .Outputs import UNCERTAINTY_ROLE
from .ResultViews import reportOf

VOLUME, SEGMENTATION, SURFACE, REPORT = "volume", "segmentation", "surface", "report"
# node, its storage, and the files; without compression, which would hold the application for a second
STORAGES = {
    "probability.nrrd": (VOLUME, "outputProbability", "vtkMRMLVolumeArchetypeStorageNode"),
    "segmentation.seg.nrrd": (SEGMENTATION, "outputSegmentation", "vtkMRMLSegmentationStorageNode"),
    "surface.vtp": (SURFACE, "outputModel", "vtkMRMLModelStorageNode"),
    "surface.stl": (SURFACE, "outputModel", "vtkMRMLModelStorageNode"),
    "reprojection.csv": (REPORT, "outputTable", "vtkMRMLTableStorageNode"),
}


def exportResult(parameters: Any, folder: Path, wanted: Collection[str]) -> list[Path]:
    """Write what is wanted of VOLUME, SEGMENTATION, SURFACE and REPORT; files of these names are replaced.

    :param parameters: has the output nodes, as the panel's parameters; those that are None are left out.
    :raises OSError: a file cannot be written.
    """
    written = []
    for name, (kind, field, storage) in STORAGES.items():
        node = getattr(parameters, field)
        if kind in wanted and node is not None:
            written.append(_write(node, storage, folder / name))
    spread = parameters.outputProbability.GetNodeReference(UNCERTAINTY_ROLE) if parameters.outputProbability else None
    if VOLUME in wanted and spread is not None:
        written.append(_write(spread, "vtkMRMLVolumeArchetypeStorageNode", folder / "uncertainty.nrrd"))
    html = reportOf(parameters.outputSegmentation)
    if REPORT in wanted and html:
        (folder / "report.html").write_text(html, encoding="utf-8")
        written.append(folder / "report.html")
    return written


def _write(node: Any, storageClass: str, path: Path) -> Path:
    storage = getattr(slicer, storageClass)()
    storage.SetFileName(str(path))
    storage.SetUseCompression(0)
    if not path.parent.is_dir() or not storage.WriteData(node) or not path.exists():
        raise OSError(f"{path} could not be written")
    return path
