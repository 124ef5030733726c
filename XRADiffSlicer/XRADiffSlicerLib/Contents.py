"""What goes into nodes: plain arrays and JSON, made beside the application and read there in no time.

Runs in the worker process as well as in Slicer, so it imports nothing of Slicer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from xradiff.datatypes import SparseVolume, SurfaceMesh, VolumeGrid

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
AGREE, MASK_ONLY, RESULT_ONLY = 1, 2, 3
AXES = ("right to left", "front to back", "foot to head")
FACTS_FILE = "contents.json"
TRUTH_FILE = "truth.npz"


@dataclass(frozen=True)
class Contents:
    """A reconstruction as its nodes take it.

    :ivar arrays: "probability", "segmentation" and, with samples, "uncertainty" (z, y, x); "points" (N, 3) in RAS mm;
        "triangles" (M, 3); "normals" (N, 3) outwards; with samples "spread" (N,), the uncertainty at the points;
        "overlay0", "overlay1", ... (rows, columns) with AGREE, MASK_ONLY, RESULT_ONLY or 0.
    :ivar facts: JSON: "ijkToRas" of the volumes, "views" (name, frame, facts of the geometry as used), "fits",
        "warnings", "notes", "truthDice" (None where the truth is not known), "side" (None where it was not looked
        for), "measurements" (quantity, value, unit).
    """

    arrays: Mapping[str, np.ndarray]
    facts: dict[str, Any]

    @property
    def fits(self) -> tuple[SimpleNamespace, ...]:
        """How the reprojected result fits each view; the names of `xradiff.quantification.ReprojectionFit`."""
        return tuple(SimpleNamespace(**fit) for fit in self.facts["fits"])

    @property
    def side(self) -> SimpleNamespace | None:
        """What the masks say of the side: `likely`, its `probability`, and what was `used`; None where not asked."""
        return None if self.facts["side"] is None else SimpleNamespace(**self.facts["side"])

    def ijkToRas(self, name: str) -> np.ndarray:
        """Return the 4x4 matrix of the volume `name`."""
        return np.array(self.facts["ijkToRas"][name])


class ArrayFiles(Mapping[str, np.ndarray]):
    """The arrays in a folder, each read when it is asked for."""

    def __init__(self, folder: Path) -> None:
        self._files = {file.stem: file for file in folder.glob("*.npy")}

    def __getitem__(self, name: str) -> np.ndarray:
        return np.load(self._files[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def contentsOf(result: Any, truth: SparseVolume | None = None) -> Contents:
    """Return what the nodes of a reconstruction get.

    :param result: what has `probability`, `uncertainty`, `segmentation`, `surface`, `views`, `fits`, `warnings`,
        `notes`, `side`, `segment` and `summary` of `xradiff.pipeline.Reconstruction`.
    :param truth: the vessels as they are, where that is known.
    """
    from xradiff.quantification import dice, on_common_grid

    arrays: dict[str, np.ndarray] = {}
    matrices = {}
    for name in ("probability", "segmentation", "uncertainty"):
        if (volume := getattr(result, name)) is not None:
            dense, grid = volume.to_dense(margin=1)
            arrays[name] = np.ascontiguousarray(dense.T)
            matrices[name] = ijkToRasFromGrid(grid).tolist()
    arrays["segmentation"] = (arrays["segmentation"] > 0).astype(np.uint8)
    arrays |= surfaceArrays(result.surface)
    if result.uncertainty is not None:
        arrays["spread"] = _valuesAt(result.surface.vertices_lps_mm, result.uncertainty)
    for index, view in enumerate(result.views):
        arrays[f"overlay{index}"] = overlayOf(view, result.segmentation)
    truthDice = None
    if truth is not None and not result.segment:  # one vessel is not compared with a tree
        place = on_common_grid(result.segmentation, truth)
        truthDice = dice(place.result, place.truth)
    views = [{"name": view.name, "frame": view.frame, "facts": asdict(view.acquisition)} for view in result.views]
    fits = [vars(fit) for fit in result.fits]
    told = {"warnings": list(result.warnings), "notes": list(result.notes)}
    facts = {"ijkToRas": matrices, "views": views, "fits": fits, **told}
    side = None if result.side is None else result.side.record()
    measured = measurementsOf(result)
    return Contents(arrays, {**facts, "truthDice": truthDice, "side": side, "measurements": measured})


def measurementsOf(result: Any) -> list[tuple[str, float, str]]:
    """Return quantity, value and unit of what is measured on the result in 3D."""
    from xradiff.surface.mesh import surface_area_mm2

    size = result.summary
    return [
        ("Volume", size.volume_mm3, "mm³"),
        ("Surface area", surface_area_mm2(result.surface), "mm²"),
        ("Connected parts", size.components, ""),
        ("Share of the largest part", 100 * size.largest_fraction, "%"),
        *((f"Extent {axis}", mm, "mm") for axis, mm in zip(AXES, size.extent_mm, strict=True)),
    ]


def surfaceArrays(mesh: SurfaceMesh) -> dict[str, np.ndarray]:
    """Return "points" (N, 3) in RAS mm, "triangles" (M, 3) and "normals" (N, 3), outwards, of a closed surface.

    A normal is the mean of those of the triangles around the point, weighted by their areas.
    """
    from xradiff.surface.mesh import area_vectors

    # Negating two axes is a half turn, not a mirror: the triangles keep their orientation.
    toRas = LPS_TO_RAS[:3, :3]
    triangles = np.asarray(mesh.triangles, dtype=np.int64)
    areas, around = area_vectors(mesh), np.zeros((len(mesh.vertices_lps_mm), 3))
    for axis in range(3):
        weights = np.repeat(areas[:, axis], 3)
        around[:, axis] = np.bincount(triangles.ravel(), weights, minlength=len(around))
    normals = around / np.maximum(np.linalg.norm(around, axis=1, keepdims=True), 1e-12)
    points = (mesh.vertices_lps_mm @ toRas).astype(np.float32)
    return {"points": points, "triangles": triangles, "normals": (normals @ toRas).astype(np.float32)}


def overlayOf(view: Any, segmentation: SparseVolume) -> np.ndarray:
    """Return where mask and reprojected result agree and where only one of them is, (rows, columns) uint8."""
    from xradiff.geometry import camera_of
    from xradiff.projection.silhouette import silhouette

    mask, drawn = view.vessel_mask(), silhouette(segmentation, camera_of(view))
    overlay = np.zeros(mask.shape, np.uint8)
    for label, area in ((AGREE, mask & drawn), (MASK_ONLY, mask & ~drawn), (RESULT_ONLY, drawn & ~mask)):
        overlay[area] = label
    return overlay


def _valuesAt(points: np.ndarray, volume: SparseVolume) -> np.ndarray:
    """The values of a volume at (N, 3) points in LPS mm, trilinear."""
    from scipy import ndimage

    dense, grid = volume.to_dense(margin=1)
    index = (points - np.asarray(grid.origin_lps_mm)) / np.asarray(grid.spacing_mm)
    return ndimage.map_coordinates(dense, index.T, order=1, mode="nearest").astype(np.float32)


# ---- files ----------------------------------------------------------------------------------


def saveContents(contents: Contents, folder: Path) -> None:
    """Write `contents` into a new folder."""
    folder.mkdir()
    for name, array in contents.arrays.items():
        np.save(folder / f"{name}.npy", array)
    (folder / FACTS_FILE).write_text(json.dumps(contents.facts), encoding="ascii")


def readContents(folder: Path) -> Contents:
    """Read what `saveContents` wrote; the arrays when they are used.

    :raises OSError or ValueError: a file is missing or not as it should be.
    """
    return Contents(ArrayFiles(folder), json.loads((folder / FACTS_FILE).read_text(encoding="ascii")))


def readTruth(folder: Path) -> SparseVolume | None:
    """Return the truth that `Exchange.exportTruth` wrote into `folder`, None without."""
    if not (folder / TRUTH_FILE).exists():
        return None
    with np.load(folder / TRUTH_FILE) as file:
        return sparseFromArray(file["voxels"], file["ijkToRas"])


# ---- volumes --------------------------------------------------------------------------------


def ijkToRasFromGrid(grid: VolumeGrid) -> np.ndarray:
    """Return the 4x4 matrix from voxel index (x, y, z) to RAS millimetres."""
    ijkToLps = np.diag([*grid.spacing_mm, 1.0])
    ijkToLps[:3, 3] = grid.origin_lps_mm
    return LPS_TO_RAS @ ijkToLps


def sparseFromArray(array: np.ndarray, ijkToRas: np.ndarray) -> SparseVolume:
    """Return the non-zero voxels of an array (z, y, x) whose axes are parallel to the patient's.

    :raises ValueError: it is oblique.
    """
    from xradiff.datatypes import SparseVolume, VolumeGrid

    ijkToLps, shape = LPS_TO_RAS @ ijkToRas, array.shape[::-1]
    flat = np.ravel(array)
    at = np.flatnonzero(flat != 0)  # of a vector of booleans: many times faster than of a dense array of numbers
    indices = np.stack(np.unravel_index(at, array.shape)[::-1], axis=1).astype(np.int32)
    for axis in range(3):
        if ijkToLps[axis, axis] < 0:
            indices[:, axis] = shape[axis] - 1 - indices[:, axis]
            ijkToLps[:3, 3] += ijkToLps[:3, axis] * (shape[axis] - 1)
            ijkToLps[:3, axis] *= -1
    spacing = np.diag(ijkToLps)[:3]
    if not np.allclose(ijkToLps[:3, :3], np.diag(spacing), atol=1e-6):
        raise ValueError("the volume is oblique; its axes must be parallel to the patient's")
    grid = VolumeGrid(shape, tuple(spacing), tuple(ijkToLps[:3, 3]))
    order = np.lexsort(indices.T[::-1])
    return SparseVolume(grid, indices[order], flat[at][order].astype(np.float32))
