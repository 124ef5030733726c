"""Surface -> pictures to render, in display coordinates: x to the right, y up, z towards the viewer, mm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..datatypes import AngiogramView, SurfaceMesh
from ..geometry import Camera, camera_of
from .words import angles_in_words

__all__ = ["Panel", "Picture", "direction_letters", "overview", "view_picture"]

Array = NDArray[np.float64]
LONG_SIDE_PX = 1024


@dataclass(frozen=True, eq=False)
class Panel:
    """One drawing of the surface.

    Attributes:
        vertices: (V, 3) display coordinates in mm.
        width_mm: what the panel shows horizontally, centred at x = 0.
        height_mm: and vertically, centred at y = 0.
        letters: patient directions at the left, right, top and bottom edge.
        caption: text at the bottom left.
    """

    vertices: Array
    width_mm: float
    height_mm: float
    letters: tuple[str, str, str, str]
    caption: str


@dataclass(frozen=True, eq=False)
class Picture:
    """Panels side by side, all of the same size."""

    name: str
    width_px: int
    height_px: int
    panels: tuple[Panel, ...]


def direction_letters(vector: Array) -> str:
    """Return the patient direction of an LPS vector: L/R, P/A, H/F, the second where it is above 0.4."""
    unit = vector / np.linalg.norm(vector)
    order = [axis for axis in np.argsort(-np.abs(unit), kind="stable") if abs(unit[axis]) > 0.4][:2]
    return "".join("LPH"[axis] if unit[axis] > 0 else "RAF"[axis] for axis in order)


def _letters(right: Array, up: Array) -> tuple[str, str, str, str]:
    left_right = direction_letters(-right), direction_letters(right)
    return (*left_right, direction_letters(up), direction_letters(-up))


def view_picture(name: str, view: AngiogramView, mesh: SurfaceMesh) -> Picture:
    """Return the surface framed and oriented exactly as the angiogram of `view`.

    The perspective is that of the X-ray source. Angiograms are displayed as seen from the detector,
    so what is nearer to the detector is in front; a camera at the source would show the mirror image.
    Lengths are those at the mean depth of the surface.
    """
    camera = camera_of(view)
    depth = camera.depth(mesh.vertices_lps_mm)
    middle = float(depth.mean())
    row_mm, column_mm = (pitch * middle / camera.sid_mm for pitch in camera.pixel_spacing_mm)
    pixels = camera.project(mesh.vertices_lps_mm) - (np.asarray(camera.shape) - 1) / 2
    vertices = np.stack([pixels[:, 1] * column_mm, -pixels[:, 0] * row_mm, depth - middle], axis=1)
    size = camera.shape[1] * column_mm, camera.shape[0] * row_mm
    panel = Panel(vertices, *size, _letters(camera.u, -camera.v), _caption(view, camera))
    scale = LONG_SIDE_PX / max(size)
    return Picture(name, round(size[0] * scale), round(size[1] * scale), (panel,))


def _caption(view: AngiogramView, camera: Camera) -> str:
    return f"{view.name}: {angles_in_words(view.acquisition)}"


def overview(name: str, mesh: SurfaceMesh) -> Picture:
    """Return the surface from the front and from the patient's left, without perspective, to one scale."""
    low, high = mesh.vertices_lps_mm.min(axis=0), mesh.vertices_lps_mm.max(axis=0)
    side = 1.2 * float(np.max(high - low))
    x, y, z = np.eye(3)
    panels = []
    for caption, right, towards in (("from the front", x, -y), ("from the patient's left", y, x)):
        vertices = (mesh.vertices_lps_mm - (low + high) / 2) @ np.stack([right, z, towards], axis=1)
        panels.append(Panel(vertices, side, side, _letters(right, z), caption))
    return Picture(name, 2 * LONG_SIDE_PX, LONG_SIDE_PX, tuple(panels))
