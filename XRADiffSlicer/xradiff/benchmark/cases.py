"""Folder of cases -> views, truth where it is known, facts. Nothing is read before it is asked for."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..datatypes import AngiogramView, SparseVolume, VolumeGrid
from ..errors import InputError
from ..files import existing_file, identity_of
from ..masks import with_masks
from ..views import read_view

__all__ = ["Case", "list_cases", "read_case", "read_truth"]

DESCRIPTION, TRUTH, CENTRELINE = "case.json", "truth.nii.gz", "truth_centreline.vtp"
NO_SHIFT = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Case:
    """One case folder.

    Attributes:
        name: of the folder.
        folder: holds view0.png, view0.json, ..., truth.nii.gz, case.json and perhaps truth_centreline.vtp.
        side: "left" or "right".
        view_count: number of views.
        shifts_lps_mm: displacement of the patient in each view, which the geometry files do not say.
        deformed: whether the tree also changed its shape or orientation between the views.
        known: whether the true tree is; a patient's is not, and case.json says so ("truth": false).
    """

    name: str
    folder: Path
    side: str
    view_count: int
    shifts_lps_mm: tuple[tuple[float, float, float], ...]
    deformed: bool
    known: bool = True

    @property
    def moved(self) -> bool:
        """Whether the views show the tree at different places or in different shapes."""
        return self.deformed or any(shift != NO_SHIFT for shift in self.shifts_lps_mm)

    def views(self) -> tuple[AngiogramView, ...]:
        """Return all views with masks.

        Raises:
            InputError: a file cannot be used.
        """
        names = [f"view{number}" for number in range(self.view_count)]
        read = [read_view(self.folder / f"{n}.png", self.folder / f"{n}.json", name=n) for n in names]
        return with_masks(read)

    def truth(self) -> SparseVolume:
        """Return the true tree, in the reference position.

        Raises:
            InputError: the file cannot be used.
        """
        return read_truth(self.folder / TRUTH)

    def centreline_points(self) -> NDArray[np.float64] | None:
        """Return the points (N, 3) of the true centreline, LPS mm; None where the case has no such file.

        Raises:
            InputError: the file cannot be used.
        """
        from ..export import read_centreline_vtp

        file = self.folder / CENTRELINE
        return read_centreline_vtp(file).points_lps_mm() if file.exists() else None

    def sha256(self) -> str:
        """Return one SHA-256 over the names and contents of the case's files."""
        names = [f"view{number}.{end}" for number in range(self.view_count) for end in ("png", "json")]
        digest = hashlib.sha256()
        for name in (*names, DESCRIPTION, TRUTH, CENTRELINE):
            if name == DESCRIPTION or name.startswith("view") or (self.folder / name).exists():
                digest.update(f"{name} {identity_of(existing_file(self.folder / name, name)).sha256}\n".encode())
        return digest.hexdigest()


def list_cases(folder: str | Path) -> tuple[Case, ...]:
    """Return the cases below the data folder `folder`, in the order of their names.

    Raises:
        InputError: there is no such folder or no case in it, or a case lacks a file.
    """
    path = Path(folder)
    if not path.is_dir():
        raise InputError(f"the data folder does not exist: {path}")
    found = sorted(entry.parent for entry in path.glob(f"*/{DESCRIPTION}"))
    if not found:
        raise InputError(f"no case in {path}; a data folder holds folders with {DESCRIPTION}, view0.png, {TRUTH}")
    return tuple(read_case(entry) for entry in found)


def read_case(folder: Path) -> Case:
    """Return what `folder` holds; images and volumes are read later.

    Real views need a case.json of {"side": "right", "truth": false}.

    Raises:
        InputError: case.json cannot be used, or a file is missing.
    """
    file = existing_file(folder / DESCRIPTION, f"the description of {folder.name}")
    try:
        facts: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        side = facts["side"]
        shifts = [tuple(float(value) for value in shift) for shift in facts.get("true_shift_lps_mm") or ()]
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"not the description of a case: {file} ({error!r})") from None
    if side not in ("left", "right"):
        raise InputError(f'"side" must be "left" or "right", got {side!r} in {file}')
    count = 0
    while (folder / f"view{count}.png").exists():
        existing_file(folder / f"view{count}.json", f"the geometry of view {count}")
        count += 1
    if count < 2:
        raise InputError(f"a case needs view0.png and view1.png or more views, got {count} in {folder}")
    if any(len(shift) != 3 for shift in shifts) or (shifts and len(shifts) != count):
        raise InputError(f'"true_shift_lps_mm" must hold three numbers for each of the {count} views in {file}')
    known = facts.get("truth") is not False
    if known:
        existing_file(folder / TRUTH, f'the truth of {folder.name} (or "truth": false in case.json)')
    every = tuple((x, y, z) for x, y, z in shifts) or (NO_SHIFT,) * count
    return Case(folder.name, folder.resolve(), side, count, every, bool(facts.get("deformed")), known)


def read_truth(path: str | Path) -> SparseVolume:
    """Return the voxels above 0 of a label image (NIfTI, NRRD) with value 1, LPS mm.

    Raises:
        InputError: the file cannot be read, is not a 3D image along the patient's axes, or is empty.
    """
    import SimpleITK as sitk

    file = existing_file(path, "the true volume")
    try:
        image = sitk.ReadImage(str(file))
    except RuntimeError:
        raise InputError(f"not an image that can be read: {file}") from None
    if image.GetDimension() != 3:
        raise InputError(f"the true volume must have 3 dimensions, got {image.GetDimension()}: {file}")
    image = sitk.DICOMOrient(image, "LPS")
    if not np.allclose(image.GetDirection(), np.eye(3).ravel(), atol=1e-4):
        raise InputError(f"the true volume must lie along the patient's axes, got an oblique image: {file}")
    grid = VolumeGrid(image.GetSize(), image.GetSpacing(), image.GetOrigin())
    volume = SparseVolume.from_dense(sitk.GetArrayViewFromImage(image).transpose(2, 1, 0) > 0, grid)
    if len(volume.indices) == 0:
        raise InputError(f"the true volume has no voxel above 0: {file}")
    return volume
