"""Dense operators: analytic line integrals, exact adjoint, ODL's view of them, differentiability."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from xradiff.datatypes import Acquisition, VolumeGrid
from xradiff.errors import InputError, MissingDependencyError
from xradiff.geometry.camera import camera_from

torch = pytest.importorskip("torch")

from xradiff.projection.joseph import backproject, forward_project  # noqa: E402
from xradiff.projection.operators import (  # noqa: E402
    TorchConeBeam,
    camera_geometry,
    load_odl,
    ray_transform,
    ray_transforms,
)
from xradiff.projection.points import project_points, splat_points  # noqa: E402

ANGLES = [(0, 0), (39.2, -7.9), (-47, 45), (90, 0), (0, 80)]
GRID = VolumeGrid.centred((20, 24, 28), 0.8, (3, -2, 5))


def camera(primary=39.2, secondary=-7.9, shape=(50, 60), pitch=0.6, **more):
    return camera_from(Acquisition(primary, secondary, 1074, 749, pitch, **more), shape)


def oblique():
    return camera(roll_deg=5, detector_offset_mm=(3, -4), table_shift_mm=(1, 2, 3))


def sphere(grid, radius, centre):
    indices = np.stack(np.meshgrid(*[np.arange(n) for n in grid.shape], indexing="ij"), axis=-1)
    inside = np.linalg.norm(grid.centres(indices) - centre, axis=-1) - radius
    return torch.as_tensor(np.clip(0.5 - inside / grid.spacing_mm[0], 0, 1))


@pytest.mark.parametrize("angles", ANGLES)
def test_a_spheres_projection_is_its_chord_length(angles):
    centre, radius = np.array([4.0, -6.0, 5.0]), 12.0
    grid, view = VolumeGrid.centred((64, 64, 64), 0.5, centre), camera(*angles, shape=(80, 80))
    image = forward_project(sphere(grid, radius, centre), grid, view).numpy()
    pixels = np.stack(np.meshgrid(np.arange(80), np.arange(80), indexing="ij"), axis=-1)
    distance = np.linalg.norm(np.cross(view.ray_directions(pixels), centre - view.source), axis=-1)
    chord = 2 * np.sqrt(np.clip(radius**2 - distance**2, 0, None))
    well_inside = distance < radius - 1
    error = (image - chord)[well_inside]
    assert np.abs(error).max() < 0.25  # half a voxel
    assert abs(error.mean()) < 0.03
    assert np.abs(image[distance > radius + 1]).max() == 0


def test_the_sums_of_a_sphere_agree_between_opposite_sides():
    """One material line integral, seen from front and back, has the same maximum."""
    ball = sphere(GRID, 6.0, GRID.centre_lps_mm)
    front, back = (forward_project(ball, GRID, camera(a, 0)).max() for a in (0, 180))
    assert float(front) == pytest.approx(float(back), rel=2e-3)


@pytest.mark.parametrize("angles", ANGLES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_the_transpose_is_exact(angles, dtype, tolerance):
    generator = torch.Generator().manual_seed(1)
    view = camera(*angles, roll_deg=5, detector_offset_mm=(3, -4))
    volume = torch.rand(GRID.shape, generator=generator, dtype=dtype)
    image = torch.rand(view.shape, generator=generator, dtype=dtype)
    there = (forward_project(volume, GRID, view) * image).sum()
    back = (volume * backproject(image, GRID, view)).sum()
    assert float(there) == pytest.approx(float(back), rel=tolerance)


def test_voxels_behind_the_source_or_the_detector_do_not_count():
    view = camera()
    for distance in (-200.0, 1.2 * view.sid_mm):
        grid = VolumeGrid.centred((8, 8, 8), 2.0, view.source + distance * view.d)
        assert float(forward_project(torch.ones(grid.shape), grid, view).abs().max()) == 0


def test_gradients_are_right_to_second_order():
    grid, view = VolumeGrid.centred((4, 5, 3), 2.0), camera(shape=(6, 7), pitch=3.0)
    volume = torch.rand(grid.shape, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: forward_project(x, grid, view), volume)
    assert torch.autograd.gradgradcheck(lambda x: forward_project(x, grid, view) ** 2, volume)


def test_wrong_shapes_and_types_are_refused():
    with pytest.raises(
        InputError, match=r"volume must be float32 or float64 of shape \(20, 24, 28\), got .*\(3, 3, 3\)"
    ):
        forward_project(torch.zeros(3, 3, 3), GRID, camera())
    with pytest.raises(InputError, match="image must be .* got torch.int64"):
        backproject(torch.zeros(50, 60, dtype=torch.int64), GRID, camera())


@pytest.mark.parametrize("impl", ["numpy", "pytorch"])
def test_odl_adjoint_is_exact_in_odls_inner_products(impl):
    operator = ray_transforms([oblique(), camera(-30, 10)], GRID, dtype="float64", impl=impl)
    generator = np.random.default_rng(0)
    x = operator.domain.element(generator.random(GRID.shape))
    y = operator.range.element([generator.random(part.shape) for part in operator.range])
    there, back = float(operator(x).inner(y)), float(x.inner(operator.adjoint(y)))
    assert there == pytest.approx(back, rel=1e-10)


def test_odl_operator_composes_and_odls_solver_converges():
    odl = load_odl()
    operator = ray_transforms([camera(), camera(-45, 0), camera(0, 40)], GRID)
    truth = operator.domain.element(sphere(GRID, 5.0, GRID.centre_lps_mm).numpy().astype(np.float32))
    data, estimate = operator(truth), operator.domain.zero()
    start = (operator(estimate) - data).norm()
    odl.solvers.conjugate_gradient_normal(operator, estimate, data, niter=5)
    assert (operator(estimate) - data).norm() < 0.05 * start


def test_odl_reads_our_camera_back_from_its_geometry():
    view = oblique()
    read = TorchConeBeam(camera_geometry(view), *(lambda a: (a.domain, a.range))(ray_transform(view, GRID))).cameras[0]
    np.testing.assert_allclose(read.matrix, view.matrix, atol=1e-7)


def test_our_back_end_serves_odls_own_circular_geometry():
    """A rotating cone beam made with ODL alone projects a centred ball alike at every angle."""
    odl = load_odl()
    tomo = odl.applications.tomo
    geometry = tomo.ConeBeamGeometry(
        odl.uniform_partition(0, np.pi, 4),
        odl.uniform_partition([-20, -20], [20, 20], (40, 40)),
        700,
        300,
        axis=(0, 0, 1),
    )
    space = odl.uniform_discr([-10] * 3, [10] * 3, (20, 20, 20), dtype="float32")
    grid = VolumeGrid.centred((20, 20, 20), 1.0)
    ball = space.element(sphere(grid, 6.0, np.zeros(3)).numpy().astype(np.float32))
    images = tomo.RayTransform(space, geometry, impl="xradiff_torch")(ball).asarray()
    totals = images.sum(axis=(1, 2))
    assert totals.max() / totals.min() < 1.01
    assert images.max() == pytest.approx(12, abs=0.5)


def test_importing_odl_leaves_the_process_as_it_was():
    code = (
        "import os, numpy as np\n"
        "before = np.get_printoptions()\n"
        "from xradiff.projection.operators import load_odl\n"
        "load_odl()\n"
        "assert np.get_printoptions() == before, np.get_printoptions()\n"
        "assert 'SCIPY_ARRAY_API' not in os.environ\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "SCIPY_ARRAY_API"} | {
        "PYTHONPATH": os.pathsep.join(sys.path)
    }
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def test_astra_is_refused_with_the_way_to_get_it():
    if load_odl().applications.tomo.ASTRA_CUDA_AVAILABLE:
        assert ray_transform(camera(), GRID, back_end="astra_cuda").impl == "astra_cuda"
        return
    with pytest.raises(MissingDependencyError, match="pip install astra-toolbox"):
        ray_transform(camera(), GRID, back_end="astra_cuda")
    with pytest.raises(InputError, match="projection back-end must be one of torch, rtk, astra_cuda, got 'abacus'"):
        ray_transform(camera(), GRID, back_end="abacus")


def test_rtk_agrees_and_its_adjoint_is_exact_where_it_is_installed():
    try:
        operator = ray_transform(oblique(), GRID, back_end="rtk")
    except MissingDependencyError as error:
        assert "pip install itk-rtk" in str(error)
        return
    x = operator.domain.element(sphere(GRID, 6.0, GRID.centre_lps_mm).numpy().astype(np.float32))
    y = operator.range.element(np.random.default_rng(0).random(operator.range.shape, dtype=np.float32))
    projected, ours = operator(x).asarray(), ray_transform(oblique(), GRID)(x).asarray()
    assert np.abs(projected - ours).max() < 0.25
    assert float(operator(x).inner(y)) == pytest.approx(float(x.inner(operator.adjoint(y))), rel=1e-5)


def test_points_project_as_the_camera_does_and_their_gradient_is_right():
    points = torch.tensor([[0.0, 0, 0], [5, -8, 11]], dtype=torch.float64, requires_grad=True)
    pixels, depth = project_points(points, oblique())
    np.testing.assert_allclose(pixels.detach().numpy(), oblique().project(points.detach().numpy()))
    np.testing.assert_allclose(depth.detach().numpy(), oblique().depth(points.detach().numpy()))
    assert torch.autograd.gradcheck(lambda p: project_points(p, oblique())[0], points)
    with pytest.raises(InputError, match="must have shape"):
        project_points(torch.zeros(4, 2), oblique())


def test_splat_shares_the_weight_and_loses_only_what_falls_outside():
    pixels = torch.tensor([[2.25, 3.5], [0.0, 0.0], [-0.5, 4.0], [99, 99]], dtype=torch.float64)
    weights = torch.tensor([1.0, 2.0, 4.0, 8.0], dtype=torch.float64)
    image = splat_points(pixels, weights, (5, 6))
    assert float(image[2, 3]) == pytest.approx(0.75 * 0.5)
    assert float(image.sum()) == pytest.approx(1 + 2 + 2)
    inputs = (pixels[:1].requires_grad_(), weights[:1].requires_grad_())
    assert torch.autograd.gradcheck(lambda p, w: splat_points(p, w, (5, 6)), inputs)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
def test_cuda_gives_the_numbers_of_the_cpu():
    volume = torch.rand(GRID.shape)
    on_cpu, on_gpu = (forward_project(volume.to(d), GRID, oblique()).cpu() for d in ("cpu", "cuda"))
    torch.testing.assert_close(on_cpu, on_gpu, rtol=1e-5, atol=1e-4)
