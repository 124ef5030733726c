"""Pictures rendered offscreen in a child process; a machine that cannot is no reason to fail."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..datatypes import SurfaceMesh
from ..progress import Progress, silent
from .scenes import Picture

__all__ = ["RenderOutcome", "render_pictures"]

TIMEOUT_S = 180.0
WINDOW_VARIABLE = "VTK_DEFAULT_OPENGL_WINDOW"


@dataclass(frozen=True)
class RenderOutcome:
    """Which pictures exist now, and why not all do ("" if they do)."""

    names: tuple[str, ...]
    problem: str = ""


def render_pictures(
    folder: Path, pictures: tuple[Picture, ...], mesh: SurfaceMesh, progress: Progress = silent
) -> RenderOutcome:
    """Render `pictures` of `mesh` into `folder` as PNG files named after them.

    `progress` is asked several times a second and may cancel. Nothing but the pictures stays in
    the folder, and this process's environment is not touched.
    """
    problem = ""
    with tempfile.TemporaryDirectory(dir=folder, prefix="render-") as work:
        job = _write_job(Path(work), pictures, mesh)
        for window in _window_classes():
            problem = _run(job, window, progress)
            names = tuple(picture.name for picture in pictures if (Path(work) / picture.name).is_file())
            if not problem:
                break
        for name in names:
            (Path(work) / name).replace(folder / name)
    return RenderOutcome(names, problem)


def _write_job(folder: Path, pictures: tuple[Picture, ...], mesh: SurfaceMesh) -> Path:
    """Write what the worker needs: triangles, vertices of each panel, and the pictures as JSON."""
    arrays = {"triangles": mesh.triangles}
    record = []
    for picture in pictures:
        panels = []
        for panel in picture.panels:
            key = f"vertices{len(arrays)}"
            arrays[key] = panel.vertices  # type: ignore[assignment]
            entry = {name: getattr(panel, name) for name in ("width_mm", "height_mm", "letters", "caption")}
            panels.append({**entry, "vertices": key})
        size = {"width_px": picture.width_px, "height_px": picture.height_px}
        record.append({"name": picture.name, **size, "panels": panels})
    path = folder / "job.npz"
    np.savez(path, pictures=np.array(json.dumps(record)), **arrays)  # type: ignore[arg-type]
    return path


def _window_classes() -> tuple[str, ...]:
    """Return the VTK window classes to try; "" is VTK's own choice."""
    if os.environ.get(WINDOW_VARIABLE) or not sys.platform.startswith("linux"):
        return ("",)
    without_display = ("vtkEGLRenderWindow", "vtkOSOpenGLRenderWindow")
    return ("", *without_display) if os.environ.get("DISPLAY") else without_display


def _run(job: Path, window: str, progress: Progress) -> str:
    """Run the worker; return "" when it is done, or why it failed."""
    environment = dict(os.environ)
    package_root = str(Path(__file__).resolve().parents[2])
    paths = [package_root, environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    if window:
        environment[WINDOW_VARIABLE] = window
    log = job.parent / "log.txt"
    with log.open("wb") as stream:
        try:
            worker = subprocess.Popen(
                [sys.executable, "-m", f"{__package__}.render_worker", str(job)],
                env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stream,
            )  # fmt: skip
        except OSError as error:
            return f"the rendering process could not be started ({error.strerror or error})"
        code = _wait(worker, progress)
    if code == 0:
        return ""
    if code is None:
        return f"rendering took longer than {TIMEOUT_S:.0f} s"
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1].strip()[:200] if lines else f"the rendering process ended with code {code}"


def _wait(worker: subprocess.Popen[bytes], progress: Progress) -> int | None:
    """Return the exit code, None after the time limit; end the worker whatever happens."""
    start = time.monotonic()
    try:
        while time.monotonic() - start < TIMEOUT_S:
            progress(min((time.monotonic() - start) / 10, 0.95), "rendering")
            try:
                return worker.wait(timeout=0.2)
            except subprocess.TimeoutExpired:
                continue
        return None
    finally:
        if worker.poll() is None:
            worker.kill()
            worker.wait()
