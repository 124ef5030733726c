"""Corresponding points that a user marked in several views."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..datatypes import InputFile
from ..errors import InputError
from ..files import existing_file, identity_of
from ..geometry import Camera
from .closed_form import Gaps
from .frame import ray_normals

__all__ = ["Landmarks", "landmark_gaps", "read_landmarks"]

_COLUMNS = ("landmark", "view", "row", "column")
_WEIGHT = 2.0  # of a landmark against a frontier point, which counts at most 1


@dataclass(frozen=True)
class Landmarks:
    """Named anatomical points seen in two or more views.

    Attributes:
        positions: for each name, the pixel (row, column) by view index (from 0).
        files: what they were read from.

    Raises:
        InputError: a landmark seen in fewer than two views, a negative view, a position that is not finite.
    """

    positions: dict[str, dict[int, tuple[float, float]]]
    files: tuple[InputFile, ...] = ()

    def __post_init__(self) -> None:
        for name, seen in self.positions.items():
            if len(seen) < 2:
                raise InputError(f"landmark {name!r} must be marked in two or more views, got {len(seen)}")
            for view, pixel in seen.items():
                if view < 0 or len(pixel) != 2 or not np.isfinite(pixel).all():
                    raise InputError(
                        f"landmark {name!r} needs a view index from 0 and a finite (row, column), "
                        f"got view {view} and {pixel}"
                    )

    def __len__(self) -> int:
        return len(self.positions)

    def check(self, shapes: Sequence[tuple[int, int]]) -> None:
        """Check the landmarks against the images' `shapes` (rows, columns).

        Raises:
            InputError: a view that does not exist, or a position outside its image.
        """
        for name, seen in self.positions.items():
            for view, (row, column) in seen.items():
                if view >= len(shapes):
                    raise InputError(f"landmark {name!r} names view {view}, accepted are 0 to {len(shapes) - 1}")
                rows, columns = shapes[view]
                if not (-0.5 <= row <= rows - 0.5 and -0.5 <= column <= columns - 0.5):
                    raise InputError(
                        f"landmark {name!r} must lie in view {view} ({rows} rows x {columns} columns), "
                        f"got row {row:g}, column {column:g}"
                    )

    def shared(self, i: int, j: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the pixels (N, 2) in view i and (N, 2) in view j of the landmarks that both show."""
        both = [seen for seen in self.positions.values() if i in seen and j in seen]
        first = np.array([seen[i] for seen in both], dtype=float).reshape(-1, 2)
        return first, np.array([seen[j] for seen in both], dtype=float).reshape(-1, 2)


def landmark_gaps(landmarks: Landmarks | None, cameras: Sequence[Camera]) -> tuple[Gaps, ...]:
    """Return the gaps between the landmarks' rays for every pair of views that shares landmarks."""
    gaps = []
    for i, j in combinations(range(len(cameras)), 2):
        first, second = landmarks.shared(i, j) if landmarks else (np.zeros((0, 2)),) * 2
        if len(first):
            normals, sizes = ray_normals(cameras[i], cameras[j], first, second)
            gaps.append(Gaps(i, j, normals, sizes, np.full(len(sizes), _WEIGHT)))
    return tuple(gaps)


def read_landmarks(path: str | Path) -> Landmarks:
    """Read a CSV file with the columns landmark, view, row, column (view index from 0; pixels).

    Raises:
        InputError: the file cannot be read, lacks a column, or a line is wrong (with its number).
    """
    file = existing_file(path, "the landmarks file")
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"landmarks file {path} cannot be read: {error}") from None
    reader = csv.DictReader(text.splitlines(), skipinitialspace=True)
    header = [name.strip() for name in reader.fieldnames or ()]
    if not set(_COLUMNS) <= set(header):
        raise InputError(f"landmarks file {path} must have the columns {', '.join(_COLUMNS)}, got {header}")
    reader.fieldnames = header
    positions: dict[str, dict[int, tuple[float, float]]] = {}
    for line in reader:
        name, view, pixel = _parsed(line, f"landmarks file {path}, line {reader.line_num}")
        if view in positions.setdefault(name, {}):
            raise InputError(f"landmarks file {path}, line {reader.line_num}: {name!r} is marked twice in view {view}")
        positions[name][view] = pixel
    if not positions:
        raise InputError(f"landmarks file {path} must hold at least one landmark, got none")
    return Landmarks(positions, (identity_of(file),))


def _parsed(line: dict[str, str], where: str) -> tuple[str, int, tuple[float, float]]:
    """Return name, view and (row, column) of one line."""
    name = (line["landmark"] or "").strip()
    try:
        view, row, column = int(line["view"]), float(line["row"]), float(line["column"])
    except (TypeError, ValueError):
        received = [line[column] for column in _COLUMNS]
        raise InputError(f"{where}: view must be a whole number, row and column numbers, got {received}") from None
    if not name or view < 0 or not np.isfinite([row, column]).all():
        raise InputError(
            f"{where}: needs a name, a view from 0 and finite pixels, got {name!r}, {view}, {row}, {column}"
        )
    return name, view, (row, column)
