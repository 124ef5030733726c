"""Dense projection to 512 x 512 and its adjoint, against what else is installed (itk-rtk, DiffDRR).

The others are no dependencies: `pip install itk-rtk diffdrr` in an environment of its own to compare.
"""

from __future__ import annotations

import importlib.util
from functools import partial

import numpy as np
from bench_tools import measure, write_table

SHAPE = (512, 512)
THREADS = 2


def scene(count: int):
    from xradiff.datatypes import Acquisition, VolumeGrid
    from xradiff.geometry.camera import camera_from

    grid = VolumeGrid.centred((count,) * 3, 102.4 / count)
    volume = np.random.default_rng(0).random(grid.shape, dtype=np.float32)
    return grid, volume, camera_from(Acquisition(39.2, -7.9, 1074, 749, 0.308), SHAPE)


def ours(count: int, back: bool):
    import torch
    from xradiff.projection.joseph import backproject, forward_project

    torch.set_num_threads(THREADS)
    grid, volume, camera = scene(count)
    if back:
        image = torch.rand(SHAPE)
        return lambda: backproject(image, grid, camera)
    tensor = torch.from_numpy(volume)
    return lambda: forward_project(tensor, grid, camera)


def rtk(count: int, back: bool):
    import itk
    from itk import RTK

    itk.MultiThreaderBase.SetGlobalDefaultNumberOfThreads(THREADS)
    grid, volume, _ = scene(count)
    kind = itk.Image[itk.F, 3]

    def constant(size, spacing, origin):
        source = RTK.ConstantImageSource[kind].New()
        source.SetSize(size)
        source.SetSpacing(spacing)
        source.SetOrigin(origin)
        source.SetConstant(0.0)
        source.Update()
        return source.GetOutput()

    geometry = RTK.ThreeDCircularProjectionGeometry.New()
    geometry.AddProjection(749.0, 1074.0, 39.2, 0.0, 0.0, 7.9)
    stack = constant([512, 512, 1], [0.308, 0.308, 1.0], [-0.308 * 255.5] * 2 + [0.0])
    space = constant([count] * 3, list(grid.spacing_mm), list(grid.origin_lps_mm))
    image = itk.image_from_array(volume)
    image.SetSpacing(list(grid.spacing_mm))
    image.SetOrigin(list(grid.origin_lps_mm))
    if back:
        stack = itk.image_from_array(np.random.default_rng(0).random((1, 512, 512), dtype=np.float32))
        stack.SetSpacing([0.308, 0.308, 1.0])
        stack.SetOrigin([-0.308 * 255.5] * 2 + [0.0])
        filter_ = RTK.JosephBackProjectionImageFilter[kind, kind].New()
        first, second = space, stack
    else:
        filter_ = RTK.JosephForwardProjectionImageFilter[kind, kind].New()
        first, second = stack, image
    filter_.SetInput(0, first)
    filter_.SetInput(1, second)
    filter_.SetGeometry(geometry)

    filter_.InPlaceOff()  # the inputs must survive for the next run

    def run():
        filter_.Modified()
        filter_.Update()
        return filter_.GetOutput()

    return run


def diffdrr(count: int, back: bool, renderer: str = "trilinear"):
    import torch
    from diffdrr.data import read
    from diffdrr.drr import DRR
    from torchio import ScalarImage

    torch.set_num_threads(THREADS)
    grid, volume, _ = scene(count)
    affine = np.diag([*grid.spacing_mm, 1.0])
    subject = read(ScalarImage(tensor=torch.from_numpy(volume)[None], affine=affine))
    drr = DRR(subject, sdd=1074.0, height=512, delx=0.308, renderer=renderer)
    rotation, translation = torch.tensor([[0.68, 0.0, 0.14]]), torch.tensor([[0.0, 749.0, 0.0]])
    options = {"n_points": count} if renderer == "trilinear" else {}
    if back:
        drr.density.requires_grad_(True)

        def run():
            drr.density.grad = None
            drr(rotation, translation, parameterization="euler_angles", convention="ZXY", **options).sum().backward()

        return run

    def forward():
        with torch.no_grad():
            return drr(rotation, translation, parameterization="euler_angles", convention="ZXY", **options)

    return forward


def main() -> None:
    ways = [("this project (Joseph, torch)", ours)]
    if importlib.util.find_spec("itk"):
        ways.append(("itk-rtk (Joseph)", rtk))
    if importlib.util.find_spec("diffdrr"):
        ways.append(("DiffDRR trilinear, one sample a voxel (adjoint: forward + autograd)", diffdrr))
    rows = []
    for count in (128, 256):
        for name, way in ways:
            forward, back = (measure(partial(way, count, direction), 3)["median"] for direction in (False, True))
            rows.append([f"{count}^3", name, f"{forward:.3f}", f"{back:.3f}"])
    write_table(
        "projection_speed",
        "Dense projection to 512 x 512, float32, two threads",
        ["volume", "projector", "forward, median s", "adjoint, median s"],
        rows,
        "Exact adjoint pairs: this project and RTK's two Joseph filters by construction, DiffDRR through autograd.",
    )


if __name__ == "__main__":
    main()
