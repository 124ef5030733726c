"""Folder of a synthetic case -> what its nodes take: plain arrays and JSON.

Runs in the worker process as well as in Slicer, so it imports nothing of Slicer.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .Contents import Contents, ijkToRasFromGrid, surfaceArrays

if TYPE_CHECKING:
    from xradiff.datatypes import SparseVolume

CENTRELINE_FILE = "truth_centreline.vtp"


def contentsOfCase(case: Path) -> Contents:
    """Return what the nodes of a case folder get.

    The arrays are "truth" (z, y, x), "points", "triangles" and "normals" of its surface, "view0", "view1", ...
    (rows, columns), and where there are runs "run0", "run1", ... (frames, rows, columns). The facts are "case" (as in
    case.json), "ijkToRas", "views" (name, geometry) and "runs" (name, geometry, seconds from frame to frame, heart
    phases).

    :raises OSError, KeyError or ValueError: a file is missing or not as it should be.
    """
    from xradiff.surface import surface_of
    from xradiff.views import read_geometry_json, read_view

    parameters = json.loads((case / "case.json").read_text(encoding="utf-8"))
    volume = sparseFromImage(case / "truth.nii.gz")
    dense, grid = volume.to_dense(margin=1)
    arrays = {"truth": np.ascontiguousarray(dense.T > 0).astype(np.uint8), **surfaceArrays(surface_of(volume))}
    views, runs = [], []
    for index, image in enumerate(sorted(case.glob("view*.png"))):
        geometry = image.with_suffix(".json")
        arrays[f"view{index}"] = np.asarray(read_view(image, geometry).pixels)
        views.append({"name": image.stem, "geometry": read_geometry_json(geometry)})
    for index, file in enumerate(sorted(case.glob("view*.dcm"))):
        arrays[f"run{index}"], facts = _run(file)
        geometry = read_geometry_json(file.with_suffix(".json"))
        runs.append({"name": f"angiogram{file.stem[4:]}", "geometry": geometry, **facts})
    matrices = {"truth": ijkToRasFromGrid(grid).tolist()}
    return Contents(arrays, {"case": parameters, "ijkToRas": matrices, "views": views, "runs": runs})


def sparseFromImage(path: Path) -> SparseVolume:
    """Read the non-zero voxels of an image whose axes are parallel to the patient's.

    :raises ValueError: it cannot be read or is oblique.
    """
    import SimpleITK as sitk
    from xradiff.datatypes import SparseVolume, VolumeGrid

    try:
        image = sitk.DICOMOrient(sitk.ReadImage(str(path), sitk.sitkFloat32), "LPS")
    except RuntimeError:
        raise ValueError(f"{path.name} is not an image that can be read") from None
    if not np.allclose(image.GetDirection(), np.eye(3).ravel(), atol=1e-4):
        raise ValueError(f"{path.name} is oblique")
    grid = VolumeGrid(image.GetSize(), image.GetSpacing(), image.GetOrigin())
    return SparseVolume.from_dense(sitk.GetArrayFromImage(image).T, grid)


def _run(file: Path) -> tuple[np.ndarray, dict[str, Any]]:
    """Return the frames of a run, and the time between them with their heart phases."""
    import pydicom

    header = pydicom.dcmread(file)
    frames, seconds = header.pixel_array, float(header.FrameTime) / 1000
    phases = heartPhases(len(frames), seconds, float(header.HeartRate), header.get("RWavePointer"))
    return frames, {"seconds": seconds, "phases": phases}


def heartPhases(count: int, seconds: float, beatsPerMinute: float, waves: Any) -> list[float | None]:
    """Return the share of the heart cycle since the last R wave of each frame, in [0, 1).

    :param seconds: time from frame to frame.
    :param waves: frames (from 1) at which the header notes an R wave, one or several; without one, and so
      without a known phase, None for every frame. The header rounds to a frame, so do the phases.
    """
    if waves is None or not beatsPerMinute:
        return [None] * count
    beats = sorted(int(wave) - 1 for wave in (waves if isinstance(waves, Sequence) else [waves]))
    last = [max((beat for beat in beats if beat <= index), default=beats[0]) for index in range(count)]
    return [(index - beat) * seconds * beatsPerMinute / 60 % 1.0 for index, beat in enumerate(last)]
