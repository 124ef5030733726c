"""ODL back-end on RTK's Joseph filters (itk-rtk), the fastest exact pair on a CPU where it is installed.

It is optional: its wheel brings 1.8 GB and an ITK of its own, and no gradient passes through it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..datatypes import VolumeGrid
from ..errors import MissingDependencyError
from ..geometry import Camera

__all__ = ["RtkProjector", "load_rtk"]

Array = NDArray[np.float32]


def load_rtk() -> Any:
    """Return the RTK module of itk.

    Raises:
        MissingDependencyError: itk-rtk is not installed.
    """
    try:
        from itk import RTK
    except ImportError as error:
        raise MissingDependencyError(
            "the projection back-end rtk needs the package itk-rtk: pip install itk-rtk, or use the back-end torch"
        ) from error
    return RTK


class RtkProjector:
    """Line integrals of volumes (nx, ny, nz) on a grid in some cameras, and their transpose; float32."""

    def __init__(self, cameras: Sequence[Camera], grid: VolumeGrid) -> None:
        self.cameras, self.grid = tuple(cameras), grid
        self.rtk = load_rtk()

    def forward(self, volume: Array) -> Array:
        """Return the line integrals (views, rows, columns) in mm times the unit of `volume`."""
        images = []
        for camera in self.cameras:
            empty = self._projection(np.zeros(camera.shape, np.float32), camera)
            images.append(self._run("Forward", camera, empty, self._volume(volume))[0])
        return np.stack(images)

    def transpose(self, images: Array) -> Array:
        """Return the transpose (nx, ny, nz) of `forward` applied to `images` (views, rows, columns)."""
        total = np.zeros(self.grid.shape, np.float32)
        for image, camera in zip(images, self.cameras, strict=True):
            empty = self._volume(np.zeros(self.grid.shape, np.float32))
            total += self._run("Back", camera, empty, self._projection(image, camera)).transpose(2, 1, 0)
        return total

    def _run(self, direction: str, camera: Camera, target: Any, source: Any) -> Array:
        import itk

        kind = itk.Image[itk.F, 3]
        run = getattr(self.rtk, f"Joseph{direction}ProjectionImageFilter")[kind, kind].New()
        run.InPlaceOff()
        run.SetInput(0, target)
        run.SetInput(1, source)
        run.SetGeometry(self._geometry(camera))
        run.Update()
        result: Array = itk.array_from_image(run.GetOutput())
        return result

    def _geometry(self, camera: Camera) -> Any:
        """RTK takes the detector's position, rows and columns as vectors in the volume's own space."""
        import itk

        def filled(kind: Any, values: NDArray[np.float64]) -> Any:
            result = kind()
            for axis in range(3):
                result[axis] = float(values[axis])
            return result

        point, vector = itk.Point[itk.D, 3], itk.Vector[itk.D, 3]
        geometry = self.rtk.ThreeDCircularProjectionGeometry.New()
        foot = camera.source + camera.sid_mm * camera.d
        geometry.AddProjection(
            filled(point, camera.source), filled(point, foot), filled(vector, camera.u), filled(vector, camera.v)
        )
        return geometry

    def _volume(self, volume: Array) -> Any:
        return _image(volume.transpose(2, 1, 0), self.grid.spacing_mm, self.grid.origin_lps_mm)

    def _projection(self, image: Array, camera: Camera) -> Any:
        row_mm, column_mm = camera.pixel_spacing_mm
        row0, column0 = camera.principal_point
        return _image(image[None], (column_mm, row_mm, 1.0), (-column0 * column_mm, -row0 * row_mm, 0.0))


def _image(array: Array, spacing_mm: Sequence[float], origin_mm: Sequence[float]) -> Any:
    import itk

    image = itk.image_from_array(np.ascontiguousarray(array, dtype=np.float32))
    image.SetSpacing([float(value) for value in spacing_mm])
    image.SetOrigin([float(value) for value in origin_mm])
    return image
