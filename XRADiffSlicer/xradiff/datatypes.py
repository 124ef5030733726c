"""The few nouns that every stage shares: acquisition, view, grid, sparse volume, surface mesh.

All positions are patient LPS (x to the patient's left, y to posterior, z to superior) in mm with
the origin at the C-arm isocentre; angles are degrees. Nothing here reads files or computes geometry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .checks import check_finite_vector, check_range
from .errors import InputError

__all__ = ["Acquisition", "AngiogramView", "InputFile", "SegmentedFrame", "SparseVolume", "SurfaceMesh", "VolumeGrid"]


@dataclass(frozen=True)
class Acquisition:
    """How one angiogram was taken: the five DICOM numbers and small corrections to them.

    Attributes:
        primary_deg: positioner primary angle (0018,1510), LAO positive, in [-180, 180].
        secondary_deg: positioner secondary angle (0018,1511), cranial positive, in [-90, 90].
        sid_mm: distance source to detector (0018,1110).
        sod_mm: distance source to isocentre (0018,1111), smaller than `sid_mm`.
        pixel_spacing_mm: imager pixel spacing (0018,1164) at the detector, (row, column); one
            number stands for both.
        roll_deg: rotation of the image axes about the viewing axis (u towards v).
        detector_offset_mm: where the image centre lies on the detector, from the foot of the
            central ray, along (u, v).
        table_shift_mm: displacement of the patient (table, breathing) at the time of this view,
            relative to the reference position, LPS. A point p of the reference patient projects
            to where p + table_shift_mm lies.

    Raises:
        InputError: a number is missing, not finite or impossible.
    """

    primary_deg: float
    secondary_deg: float
    sid_mm: float
    sod_mm: float
    pixel_spacing_mm: tuple[float, float]
    roll_deg: float = 0.0
    detector_offset_mm: tuple[float, float] = (0.0, 0.0)
    table_shift_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        def put(name: str, value: object) -> None:
            object.__setattr__(self, name, value)

        put("primary_deg", check_range("primary angle", self.primary_deg, -180, 180, unit="deg"))
        put("secondary_deg", check_range("secondary angle", self.secondary_deg, -90, 90, unit="deg"))
        put("roll_deg", check_range("detector roll", self.roll_deg, -360, 360, unit="deg"))
        put("sid_mm", check_range("SID", self.sid_mm, 0, 10_000, unit="mm", open_minimum=True))
        put("sod_mm", check_range("SOD", self.sod_mm, 0, 10_000, unit="mm", open_minimum=True))
        if self.sod_mm >= self.sid_mm:
            raise InputError(
                f"SOD (source-isocentre) must be smaller than SID (source-detector), "
                f"got SOD {self.sod_mm:g} mm and SID {self.sid_mm:g} mm"
            )
        spacing = self.pixel_spacing_mm
        pair = (spacing, spacing) if np.isscalar(spacing) else tuple(spacing)
        for value in check_finite_vector("pixel spacing [row, column]", pair, 2):  # type: ignore[arg-type]
            check_range("pixel spacing", value, 0, 100, unit="mm", open_minimum=True)
        put("pixel_spacing_mm", tuple(float(value) for value in pair))  # type: ignore[arg-type]
        put("detector_offset_mm", check_finite_vector("detector offset", self.detector_offset_mm, 2))
        put("table_shift_mm", check_finite_vector("table shift", self.table_shift_mm, 3))

    def shifted(self, shift_mm: ArrayLike) -> Acquisition:
        """Return a copy whose patient is displaced by a further `shift_mm` (3, LPS)."""
        total = np.asarray(self.table_shift_mm) + np.asarray(shift_mm, dtype=float)
        return replace(self, table_shift_mm=(float(total[0]), float(total[1]), float(total[2])))


@dataclass(frozen=True)
class InputFile:
    """A file that went into a run, with its SHA-256 (hexadecimal)."""

    path: str
    sha256: str


@dataclass(frozen=True)
class SegmentedFrame:
    """Why a frame of a run was used and how its mask was made; all of it can be written as JSON.

    Attributes:
        reason: why this frame, one sentence.
        curve: opacification of each frame of the run, 1 in the best one.
        times_ms: time of each frame from the first one.
        settings: settings of the segmentation by name.
    """

    reason: str
    curve: tuple[float, ...]
    times_ms: tuple[float, ...]
    settings: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class AngiogramView:
    """One angiogram: pixels as displayed (row 0 on top), how it was taken, and its vessel mask.

    Attributes:
        name: short name for messages, for example "view 0".
        pixels: (rows, columns) grey values as stored.
        acquisition: how it was taken.
        mask: (rows, columns) boolean vessel mask, None until the masks stage made it.
        files: what it was read from.
        frame: index of the frame in a run of several.
        notes: what the reader assumed, one sentence each.
        segmented: where the mask was made from a frame of a grey run; None for masks that were given.
    """

    name: str
    pixels: NDArray[np.generic]
    acquisition: Acquisition
    mask: NDArray[np.bool_] | None = None
    files: tuple[InputFile, ...] = ()
    frame: int = 0
    notes: tuple[str, ...] = ()
    segmented: SegmentedFrame | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the image."""
        return (int(self.pixels.shape[0]), int(self.pixels.shape[1]))

    def vessel_mask(self) -> NDArray[np.bool_]:
        """Return the mask.

        Raises:
            InputError: the masks stage has not run on this view.
        """
        if self.mask is None:
            raise InputError(f"{self.name} has no vessel mask; give a mask image or segment the frame first")
        return self.mask

    def with_acquisition(self, acquisition: Acquisition) -> AngiogramView:
        """Return a copy taken as `acquisition` says."""
        return replace(self, acquisition=acquisition)

    def with_mask(self, mask: NDArray[np.bool_]) -> AngiogramView:
        """Return a copy with this vessel mask."""
        return replace(self, mask=mask)


@dataclass(frozen=True)
class VolumeGrid:
    """A regular grid of voxels along the LPS axes.

    Attributes:
        shape: number of voxels along (x, y, z).
        spacing_mm: voxel edge along (x, y, z); one number stands for all three.
        origin_lps_mm: centre of voxel (0, 0, 0).

    Raises:
        InputError: an empty shape, a spacing that is not positive, a number that is not finite.
    """

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    origin_lps_mm: tuple[float, float, float]

    def __post_init__(self) -> None:
        shape = tuple(int(count) for count in self.shape)
        if len(shape) != 3 or min(shape) < 1:
            raise InputError(f"grid shape must hold 3 counts of at least 1, got {self.shape!r}")
        spacing = (self.spacing_mm,) * 3 if np.isscalar(self.spacing_mm) else self.spacing_mm
        for value in check_finite_vector("voxel spacing", spacing, 3):  # type: ignore[arg-type]
            check_range("voxel spacing", value, 0, 100, unit="mm", open_minimum=True)
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "spacing_mm", tuple(np.asarray(spacing, dtype=float).tolist()))
        object.__setattr__(self, "origin_lps_mm", check_finite_vector("grid origin", self.origin_lps_mm, 3))

    @classmethod
    def centred(cls, shape: Sequence[int], spacing_mm: float, centre_lps_mm: ArrayLike = (0, 0, 0)) -> VolumeGrid:
        """Return the grid of `shape` voxels whose middle is `centre_lps_mm`."""
        half = (np.asarray(shape) - 1) / 2 * spacing_mm
        origin = np.asarray(centre_lps_mm, dtype=float) - half
        return cls(tuple(shape), (spacing_mm,) * 3, tuple(origin))  # type: ignore[arg-type]

    @property
    def size(self) -> int:
        """Number of voxels (Python integer: does not overflow)."""
        return self.shape[0] * self.shape[1] * self.shape[2]

    @property
    def centre_lps_mm(self) -> NDArray[np.float64]:
        """Middle of the grid, (3,)."""
        return self.centres((np.asarray(self.shape) - 1) / 2)

    @property
    def extent_mm(self) -> NDArray[np.float64]:
        """Outer edge lengths, (3,)."""
        return np.asarray(self.shape) * np.asarray(self.spacing_mm)

    def centres(self, indices: ArrayLike) -> NDArray[np.float64]:
        """Return voxel centres (..., 3) in LPS mm of (fractional) `indices` (..., 3)."""
        return np.asarray(self.origin_lps_mm) + np.asarray(indices) * np.asarray(self.spacing_mm)

    def indices(self, points_lps_mm: ArrayLike) -> NDArray[np.float64]:
        """Return fractional indices (..., 3) of `points_lps_mm` (..., 3)."""
        return (np.asarray(points_lps_mm) - np.asarray(self.origin_lps_mm)) / np.asarray(self.spacing_mm)

    def cropped(self, start: Sequence[int], shape: Sequence[int]) -> VolumeGrid:
        """Return the part of this grid that begins at index `start` and holds `shape` voxels."""
        return VolumeGrid(tuple(shape), self.spacing_mm, tuple(self.centres(start)))  # type: ignore[arg-type]

    def divided(self, parts: int) -> VolumeGrid:
        """Return the grid whose voxels are the `parts`^3 parts of those of this one."""
        spacing = np.asarray(self.spacing_mm) / parts
        origin = np.asarray(self.origin_lps_mm) - spacing * (parts - 1) / 2
        shape = tuple(parts * count for count in self.shape)
        return VolumeGrid(shape, tuple(spacing), tuple(origin))  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class SparseVolume:
    """The voxels of a grid that are not zero.

    Attributes:
        grid: the grid that `indices` count in.
        indices: (N, 3) int32 voxel indices (x, y, z), no duplicates, lexicographic order.
        values: (N,) float32.
    """

    grid: VolumeGrid
    indices: NDArray[np.int32]
    values: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.indices.ndim != 2 or self.indices.shape[1] != 3 or len(self.indices) != len(self.values):
            raise InputError(
                f"a sparse volume needs indices (N, 3) and values (N,), "
                f"got {self.indices.shape} and {self.values.shape}"
            )

    @classmethod
    def from_dense(cls, array: NDArray[np.floating] | NDArray[np.bool_], grid: VolumeGrid) -> SparseVolume:
        """Return the non-zero voxels of `array` (nx, ny, nz)."""
        if array.shape != grid.shape:
            raise InputError(f"the array must have the grid's shape {grid.shape}, got {array.shape}")
        indices = np.argwhere(array).astype(np.int32)
        return cls(grid, indices, array[tuple(indices.T)].astype(np.float32))

    def points_lps_mm(self) -> NDArray[np.float64]:
        """Voxel centres, (N, 3)."""
        return self.grid.centres(self.indices)

    def where(self, keep: NDArray[np.bool_]) -> SparseVolume:
        """Return the voxels selected by the boolean array `keep` (N,)."""
        return SparseVolume(self.grid, self.indices[keep], self.values[keep])

    def bounding_grid(self, margin: int = 0) -> VolumeGrid:
        """Return the smallest grid (aligned with `grid`) that holds all voxels and `margin` around them.

        Raises:
            InputError: there are no voxels.
        """
        if len(self.indices) == 0:
            raise InputError("the volume is empty; it has no bounding box")
        start = self.indices.min(axis=0) - margin
        stop = self.indices.max(axis=0) + 1 + margin
        return self.grid.cropped(start, tuple(stop - start))

    def to_dense(self, margin: int = 0) -> tuple[NDArray[np.float32], VolumeGrid]:
        """Return the cropped dense array (nx, ny, nz) and its grid; see `bounding_grid`."""
        grid = self.bounding_grid(margin)
        dense = np.zeros(grid.shape, dtype=np.float32)
        local = self.indices - (self.indices.min(axis=0) - margin)
        dense[tuple(local.T)] = self.values
        return dense, grid


@dataclass(frozen=True, eq=False)
class SurfaceMesh:
    """A closed triangle mesh whose normals point outwards.

    Attributes:
        vertices_lps_mm: (V, 3) float64.
        triangles: (T, 3) int64 vertex indices, anticlockwise seen from outside.
    """

    vertices_lps_mm: NDArray[np.float64]
    triangles: NDArray[np.int64]
