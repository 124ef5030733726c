"""Child process that renders prepared pictures: python -m xradiff.export.render_worker JOB.npz

A process of its own, because a machine without OpenGL may end the process that asks for it.
The job is made by `rendering`. Exit code 0: all pictures are there; otherwise stderr says why not.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

BACKGROUND = (0.055, 0.067, 0.086)
FAR_RGB, NEAR_RGB = (0.58, 0.20, 0.19), (1.00, 0.68, 0.56)
TEXT_RGB = (0.80, 0.83, 0.87)
SCALE_BAR_MM = 10.0


def main(job_path: str) -> int:
    """Render every picture of the job beside it; return the exit code."""
    _import_backends()
    job = np.load(job_path)
    for picture in json.loads(str(job["pictures"])):
        image = _render(picture, job)
        path = Path(job_path).parent / picture["name"]
        _write(image, path)
        if not path.is_file():
            print(f"{picture['name']} was not written", file=sys.stderr)
            return 1
        if _is_blank(image):
            print("OpenGL drew nothing", file=sys.stderr)
            path.unlink()
            return 1
        print(picture["name"], flush=True)
    return 0


def _import_backends() -> None:
    """Load the modules that register themselves as VTK's drawing code."""
    import vtkmodules.vtkInteractionStyle
    import vtkmodules.vtkRenderingFreeType
    import vtkmodules.vtkRenderingOpenGL2  # noqa: F401


def _render(picture: dict[str, Any], job: Any) -> Any:
    """Return the vtkImageData of one picture."""
    from vtkmodules.vtkRenderingCore import vtkRenderWindow, vtkWindowToImageFilter

    window = vtkRenderWindow()
    window.SetOffScreenRendering(1)
    window.SetMultiSamples(8)
    window.SetSize(picture["width_px"], picture["height_px"])
    count = len(picture["panels"])
    for place, panel in enumerate(picture["panels"]):
        renderer = _panel(panel, job[panel["vertices"]], job["triangles"], picture["height_px"])
        renderer.SetViewport(place / count, 0, (place + 1) / count, 1)
        window.AddRenderer(renderer)
    window.Render()
    grab = vtkWindowToImageFilter()
    grab.SetInput(window)
    grab.ReadFrontBufferOff()
    grab.Update()
    return grab.GetOutput()


def _panel(panel: dict[str, Any], vertices: NDArray[Any], triangles: NDArray[Any], height_px: int) -> Any:
    """Return the renderer of one panel: surface, lights, camera, scale bar and letters."""
    from vtkmodules.vtkRenderingCore import vtkRenderer

    renderer = vtkRenderer()
    renderer.SetBackground(*BACKGROUND)
    renderer.AddActor(_surface(vertices, triangles))
    _light(renderer, (0.35, 0.55, 1.0), 0.95)
    _light(renderer, (-0.8, -0.2, 0.5), 0.25)
    camera = renderer.GetActiveCamera()
    camera.ParallelProjectionOn()
    camera.SetParallelScale(panel["height_mm"] / 2)
    far = float(np.abs(vertices[:, 2]).max()) + 100
    camera.SetPosition(0, 0, 2 * far)
    camera.SetFocalPoint(0, 0, 0)
    camera.SetViewUp(0, 1, 0)
    camera.SetClippingRange(0.5 * far, 4 * far)
    _annotate(renderer, panel, height_px, far)
    return renderer


def _surface(vertices: NDArray[Any], triangles: NDArray[Any]) -> Any:
    """Return the actor of the surface, lighter where it is nearer to the viewer."""
    from vtkmodules.util.numpy_support import numpy_to_vtk
    from vtkmodules.vtkFiltersCore import vtkPolyDataNormals
    from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper

    from ..datatypes import SurfaceMesh
    from ..surface import to_polydata

    polydata = to_polydata(SurfaceMesh(vertices, triangles))
    low, high = np.percentile(vertices[:, 2], [1, 99])
    near = np.clip((vertices[:, 2] - low) / max(high - low, 1e-9), 0, 1)[:, None]
    colours = (1 - near) * np.asarray(FAR_RGB) + near * np.asarray(NEAR_RGB)
    polydata.GetPointData().SetScalars(numpy_to_vtk((255 * colours).astype(np.uint8), deep=True))
    normals = vtkPolyDataNormals()
    normals.SetInputData(polydata)
    normals.SplittingOff()
    normals.ConsistencyOff()
    mapper = vtkPolyDataMapper()
    mapper.SetInputConnection(normals.GetOutputPort())
    actor = vtkActor()
    actor.SetMapper(mapper)
    look = actor.GetProperty()
    look.SetAmbient(0.22)
    look.SetDiffuse(0.85)
    look.SetSpecular(0.25)
    look.SetSpecularPower(25)
    return actor


def _light(renderer: Any, direction: tuple[float, float, float], intensity: float) -> None:
    from vtkmodules.vtkRenderingCore import vtkLight

    light = vtkLight()
    light.SetLightTypeToSceneLight()
    light.SetPosition(*direction)
    light.SetFocalPoint(0, 0, 0)
    light.SetIntensity(intensity)
    renderer.AddLight(light)


def _annotate(renderer: Any, panel: dict[str, Any], height_px: int, front_mm: float) -> None:
    """Add patient directions at the edges, the caption and a scale bar."""
    size = max(12, round(height_px / 42))
    left, right, top, bottom = panel["letters"]
    for text, x, y, horizontal, vertical in (
        (left, 0.02, 0.5, "Left", "Centered"),
        (right, 0.98, 0.5, "Right", "Centered"),
        (top, 0.5, 0.98, "Centered", "Top"),
        (bottom, 0.5, 0.02, "Centered", "Bottom"),
        (panel["caption"], 0.02, 0.02, "Left", "Bottom"),
    ):
        _text(renderer, text, (x, y), (horizontal, vertical), size)
    x1, y = 0.47 * panel["width_mm"], -0.46 * panel["height_mm"]
    _bar(renderer, (x1 - SCALE_BAR_MM, y, front_mm), (x1, y, front_mm))
    middle = (x1 - SCALE_BAR_MM / 2) / panel["width_mm"] + 0.5
    _text(renderer, f"{SCALE_BAR_MM:g} mm", (middle, 0.05), ("Centered", "Bottom"), size)


def _text(renderer: Any, text: str, place: tuple[float, float], align: tuple[str, str], size: int) -> None:
    from vtkmodules.vtkRenderingCore import vtkTextActor

    actor = vtkTextActor()
    actor.SetInput(text)
    actor.GetPositionCoordinate().SetCoordinateSystemToNormalizedViewport()
    actor.SetPosition(*place)
    look = actor.GetTextProperty()
    look.SetFontSize(size)
    look.SetColor(*TEXT_RGB)
    getattr(look, f"SetJustificationTo{align[0]}")()
    getattr(look, f"SetVerticalJustificationTo{align[1]}")()
    renderer.AddActor2D(actor)


def _bar(renderer: Any, start: tuple[float, ...], stop: tuple[float, ...]) -> None:
    from vtkmodules.vtkFiltersSources import vtkLineSource
    from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper

    line = vtkLineSource()
    line.SetPoint1(*start)
    line.SetPoint2(*stop)
    mapper = vtkPolyDataMapper()
    mapper.SetInputConnection(line.GetOutputPort())
    actor = vtkActor()
    actor.SetMapper(mapper)
    actor.GetProperty().SetColor(*TEXT_RGB)
    actor.GetProperty().SetLineWidth(3)
    actor.GetProperty().LightingOff()
    renderer.AddActor(actor)


def _is_blank(image: Any) -> bool:
    from vtkmodules.util.numpy_support import vtk_to_numpy

    pixels = vtk_to_numpy(image.GetPointData().GetScalars())
    return bool(np.all(pixels == pixels[0]))


def _write(image: Any, path: Path) -> None:
    from vtkmodules.vtkIOImage import vtkPNGWriter

    writer = vtkPNGWriter()
    writer.SetInputData(image)
    writer.SetFileName(str(path))
    writer.Write()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
