"""reprojection.csv and run.json."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, fields
from pathlib import Path

from ..quantification import ReprojectionFit
from .content import DISCLAIMER, ResultFolderContent
from .jsonable import jsonable

__all__ = ["RUN_KIND", "read_run", "run_record", "write_reprojection_csv", "write_run_json"]

RUN_KIND = "xradiff result"


def write_reprojection_csv(path: Path, fits: tuple[ReprojectionFit, ...]) -> None:
    """Write one line a view; the columns are the fields of `ReprojectionFit`."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(ReprojectionFit)])
        writer.writeheader()
        writer.writerows(asdict(fit) for fit in fits)


def run_record(content: ResultFolderContent, files: list[str]) -> dict[str, object]:
    """Return what run.json holds: all that a replay needs, and what came out."""
    record = {
        "kind": RUN_KIND,
        "format_version": 1,
        "disclaimer": DISCLAIMER,
        "method": {
            "name": content.method_name,
            "title": content.method_title,
            "config": content.method_config,
        },
        "settings": content.settings,
        "inputs": [
            {
                "view": view.name,
                "files": view.files,
                "frame": view.frame,
                "shape": view.shape,
                "acquisition_as_used": view.acquisition,
                "notes": view.notes,
            }
            for view in content.views
        ],
        "calibration": content.calibration,
        "reprojection": content.fits,
        "summary": content.summary,
        "warnings": content.warnings,
        "notes": content.notes,
        "provenance": content.provenance,
        "coordinates": "patient LPS mm, origin at the C-arm isocentre; NIfTI files carry the RAS affine",
        "files": sorted(files),
    }
    return {key: jsonable(value) for key, value in record.items()}


def write_run_json(path: Path, record: dict[str, object]) -> None:
    """Write `record` as JSON that a person can read."""
    path.write_text(json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def read_run(folder: Path) -> dict[str, object] | None:
    """Return the run.json of a result folder of ours, None for any other folder."""
    try:
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) and record.get("kind") == RUN_KIND else None
