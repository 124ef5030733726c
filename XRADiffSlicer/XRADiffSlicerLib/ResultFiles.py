"""Nodes of a result -> files in a folder that the user chose."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import slicer

from .Outputs import UNCERTAINTY_ROLE, OutputNodes, measurementsOf
from .ResultViews import reportOf

VOLUME, SEGMENTATION, SURFACE, REPORT = "volume", "segmentation", "surface", "report"
ALL = (VOLUME, SEGMENTATION, SURFACE, REPORT)
# node, its storage, and the files; without compression, which would hold the application for a second
STORAGES = {
    "probability.nrrd": (VOLUME, "probability", "vtkMRMLVolumeArchetypeStorageNode"),
    "segmentation.seg.nrrd": (SEGMENTATION, "segmentation", "vtkMRMLSegmentationStorageNode"),
    "surface.vtp": (SURFACE, "model", "vtkMRMLModelStorageNode"),
    "surface.stl": (SURFACE, "model", "vtkMRMLModelStorageNode"),
    "reprojection.csv": (REPORT, "table", "vtkMRMLTableStorageNode"),
}


def exportResult(outputs: OutputNodes, folder: str | Path, wanted: Collection[str] = ALL) -> list[Path]:
    """Write what is wanted of VOLUME, SEGMENTATION, SURFACE and REPORT; files of these names are replaced.

    :param outputs: those of its nodes that are None are left out.
    :raises OSError: a file cannot be written.
    """
    place, written = Path(folder), []
    for name, (kind, field, storage) in STORAGES.items():
        node = getattr(outputs, field)
        if kind in wanted and node is not None:
            written.append(_write(node, storage, place / name))
    spread = outputs.probability.GetNodeReference(UNCERTAINTY_ROLE) if outputs.probability is not None else None
    if VOLUME in wanted and spread is not None:
        written.append(_write(spread, "vtkMRMLVolumeArchetypeStorageNode", place / "uncertainty.nrrd"))
    table = measurementsOf(outputs.segmentation)
    if REPORT in wanted and table is not None:
        written.append(_write(table, "vtkMRMLTableStorageNode", place / "measurements.csv"))
    html = reportOf(outputs.segmentation)
    if REPORT in wanted and html:
        (place / "report.html").write_text(html, encoding="utf-8")
        written.append(place / "report.html")
    return written


def _write(node: Any, storageClass: str, path: Path) -> Path:
    storage = getattr(slicer, storageClass)()
    storage.SetFileName(str(path))
    storage.SetUseCompression(0)
    if not path.parent.is_dir() or not storage.WriteData(node) or not path.exists():
        raise OSError(f"{path} could not be written")
    return path
