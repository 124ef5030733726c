"""Cone-beam projection as ODL operators, to compose and to use with ODL's solvers.

ODL has no 3D cone-beam back-end without CUDA; `load_odl` registers ours with
`odl.applications.tomo.RayTransform`: "xradiff_torch", and "xradiff_rtk" for those who have itk-rtk.
The adjoint is exact in ODL's weighted inner products.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..checks import check_choice
from ..datatypes import VolumeGrid
from ..errors import InputError, MissingDependencyError
from ..geometry import Camera
from .joseph import backproject, forward_project
from .rtk import RtkProjector, load_rtk

__all__ = ["BACK_ENDS", "camera_geometry", "load_odl", "ray_transform", "ray_transforms", "volume_space"]

ODL_NAMES = {"torch": "xradiff_torch", "rtk": "xradiff_rtk", "astra_cuda": "astra_cuda"}
BACK_ENDS = tuple(ODL_NAMES)


def load_odl() -> ModuleType:
    """Import ODL without its side effects on the whole process, with our back-end registered.

    ODL changes numpy's print options and sets SCIPY_ARRAY_API, which alters how every package of
    the process (Slicer's too) sees scipy. Both are put back; scipy is imported before, so that it
    has read the variable already.
    """
    import scipy.ndimage  # noqa: F401

    options, variable = np.get_printoptions(), os.environ.get("SCIPY_ARRAY_API")
    try:
        import odl
        import odl.applications.tomo
        from odl.applications.tomo.operators.ray_trafo import RAY_TRAFO_IMPLS
    except ImportError as error:
        raise MissingDependencyError(f"ODL cannot be imported ({error}); install it with: pip install odl") from error
    finally:
        np.set_printoptions(**options)
        if variable is None:
            os.environ.pop("SCIPY_ARRAY_API", None)
        else:
            os.environ["SCIPY_ARRAY_API"] = variable
    for name, kind in ((ODL_NAMES["torch"], TorchConeBeam), (ODL_NAMES["rtk"], RtkConeBeam)):
        if name not in RAY_TRAFO_IMPLS:
            RAY_TRAFO_IMPLS[name] = kind
            # ODL takes the last registered back-end by default: leave that to what it had
            RAY_TRAFO_IMPLS.move_to_end(name, last=False)
    module: ModuleType = odl
    return module


def volume_space(grid: VolumeGrid, *, dtype: str = "float32", impl: str = "numpy") -> Any:
    """Return the ODL space of volumes (nx, ny, nz) on `grid`; impl "pytorch" keeps torch tensors."""
    low = np.asarray(grid.origin_lps_mm) - np.asarray(grid.spacing_mm) / 2
    return load_odl().uniform_discr(low, low + grid.extent_mm, grid.shape, dtype=dtype, impl=impl)


def camera_geometry(camera: Camera) -> Any:
    """Return the ODL cone-beam geometry of one view; its projections have shape (1, rows, columns)."""
    odl = load_odl()
    size = np.asarray(camera.shape) * camera.pixel_spacing_mm
    low = -(np.asarray(camera.principal_point) + 0.5) * camera.pixel_spacing_mm
    half = camera.sid_mm / 2  # where ODL puts its own origin along the ray does not matter
    return odl.applications.tomo.ConeBeamGeometry(
        odl.uniform_partition(-0.5, 0.5, 1),
        odl.uniform_partition(low, low + size, camera.shape),
        src_radius=half,
        det_radius=half,
        axis=camera.v,
        src_to_det_init=camera.d,
        det_axes_init=(camera.v, camera.u),
        translation=camera.source + half * camera.d,
    )


def ray_transform(
    camera: Camera, grid: VolumeGrid, *, back_end: str = "torch", dtype: str = "float32", impl: str = "numpy"
) -> Any:
    """Return the ODL operator from volumes (nx, ny, nz) on `grid` to line integrals (1, rows, columns) in mm.

    Args:
        camera: the view.
        grid: the volume's grid.
        back_end: "torch" (CPU; CUDA when the elements of a "pytorch" space lie there), "rtk" (itk-rtk;
            CPU, float32, the fastest forward projection there), or "astra_cuda" (ASTRA toolbox with
            CUDA; its adjoint is only approximate).
        dtype: "float32" or "float64".
        impl: ODL's array back-end, "numpy" or "pytorch".

    Raises:
        InputError: an unknown back-end.
        MissingDependencyError: ODL is missing, or RTK or ASTRA with CUDA is asked for and not there.
    """
    check_choice("projection back-end", back_end, BACK_ENDS)
    tomo = load_odl().applications.tomo
    if back_end == "astra_cuda" and not tomo.ASTRA_CUDA_AVAILABLE:
        raise MissingDependencyError(
            "the projection back-end astra_cuda needs the ASTRA toolbox and a CUDA device: "
            "pip install astra-toolbox, or use the back-end torch"
        )
    if back_end == "rtk":
        load_rtk()
    space = volume_space(grid, dtype=dtype, impl=impl)
    return tomo.RayTransform(space, camera_geometry(camera), impl=ODL_NAMES[back_end])


def ray_transforms(cameras: Sequence[Camera], grid: VolumeGrid, **options: str) -> Any:
    """Return the ODL operator to the projections of all views (a product space), one `ray_transform` each."""
    return load_odl().BroadcastOperator(*[ray_transform(camera, grid, **options) for camera in cameras])


class _ConeBeam(ABC):
    """ODL `RayTransform` back-end for flat-panel cone beams of any orientation; subclasses do the projection."""

    def __init__(self, geometry: Any, vol_space: Any, proj_space: Any) -> None:
        self.cameras = _cameras(geometry)
        self.grid = VolumeGrid(vol_space.shape, tuple(vol_space.cell_sides), tuple(vol_space.partition.grid.min_pt))
        self.vol_space, self.proj_space = vol_space, proj_space
        # <A x, y>_Y = w_Y (A x).y and <x, A* y>_X = w_X x.(A* y), so A* = w_Y / w_X A^T
        self.weight = _constant(proj_space) / _constant(vol_space)

    @abstractmethod
    def forward(self, volume: Tensor) -> Tensor:
        """Return the line integrals (views, rows, columns) of `volume` (nx, ny, nz)."""

    @abstractmethod
    def transpose(self, images: Tensor) -> Tensor:
        """Return the transpose (nx, ny, nz) applied to `images` (views, rows, columns)."""

    def call_forward(self, x: Any, out: Any = None, **_: object) -> Any:
        """Return the line integrals of the volume element `x`, written to `out` when given."""
        return _element(self.proj_space, self.forward(_tensor(x)).reshape(self.proj_space.shape), out)

    def call_backward(self, x: Any, out: Any = None, **_: object) -> Any:
        """Return the adjoint applied to the projection element `x`, written to `out` when given."""
        images = _tensor(x).reshape(len(self.cameras), *self.cameras[0].shape)
        return _element(self.vol_space, self.transpose(images) * self.weight, out)


class TorchConeBeam(_ConeBeam):
    """On the torch kernels."""

    def forward(self, volume: Tensor) -> Tensor:
        return torch.stack([forward_project(volume, self.grid, camera) for camera in self.cameras])

    def transpose(self, images: Tensor) -> Tensor:
        parts = zip(images, self.cameras, strict=True)
        return sum((backproject(image, self.grid, camera) for image, camera in parts), torch.zeros(()))


class RtkConeBeam(_ConeBeam):
    """On RTK's filters, in float32 on the CPU."""

    def forward(self, volume: Tensor) -> Tensor:
        projected = RtkProjector(self.cameras, self.grid).forward(volume.cpu().numpy().astype(np.float32))
        return torch.from_numpy(projected).to(volume)

    def transpose(self, images: Tensor) -> Tensor:
        spread = RtkProjector(self.cameras, self.grid).transpose(images.cpu().numpy().astype(np.float32))
        return torch.from_numpy(spread).to(images)


def _cameras(geometry: Any) -> list[Camera]:
    """Read one camera per angle out of an ODL flat-panel cone-beam geometry.

    Raises:
        InputError: a curved detector, or one that is not perpendicular to the central ray.
    """
    partition = geometry.det_partition
    if geometry.ndim != 3 or not hasattr(geometry, "src_position") or partition.ndim != 2:
        raise InputError(f"the torch back-end projects 3D cone beams on flat detectors, got {type(geometry).__name__}")
    pitch = tuple(float(side) for side in partition.cell_sides)
    cameras = []
    for angle in np.atleast_1d(geometry.angles):
        source = np.asarray(geometry.src_position(angle), dtype=float)
        down, right = np.asarray(geometry.det_axes(angle), dtype=float)
        reference = np.asarray(geometry.det_point_position(angle, [0.0, 0.0]), dtype=float)
        d = np.cross(right, down) * np.sign(np.dot(np.cross(right, down), reference - source))
        sid = float((reference - source) @ d)
        if not np.isclose(np.linalg.norm(d), 1) or sid <= 0:
            raise InputError("the torch back-end needs a flat detector with perpendicular axes in front of the source")
        foot = np.array([(source - reference) @ down, (source - reference) @ right])
        principal = (foot - partition.grid.min_pt) / pitch
        cameras.append(
            Camera(source, right, down, d, sid, pitch, (float(principal[0]), float(principal[1])), partition.shape)  # type: ignore[arg-type]
        )
    return cameras


def _constant(space: Any) -> float:
    return float(getattr(space.weighting, "const", 1.0)) if space.is_weighted else 1.0


def _tensor(element: Any) -> Tensor:
    data = element.data
    return data if isinstance(data, Tensor) else torch.from_numpy(np.ascontiguousarray(data))


def _element(space: Any, values: Tensor, out: Any) -> Any:
    result = space.element(values if space.impl == "pytorch" else values.cpu().numpy())
    if out is None:
        return result
    out[:] = result
    return out
