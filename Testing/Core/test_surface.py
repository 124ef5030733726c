"""Surfaces of bodies whose volume, position and topology are known."""

from __future__ import annotations

import numpy as np
import pytest
from xradiff import memory
from xradiff.datatypes import SparseVolume, SurfaceMesh, VolumeGrid
from xradiff.errors import Cancelled, InputError
from xradiff.surface import (
    enclosed_volume_mm3,
    euler_number,
    from_polydata,
    is_closed,
    surface_area_mm2,
    surface_of,
    to_polydata,
)

ORIGIN = (13.37, -42.1, 7.77)


def body(signed_distance, shape=(60, 60, 60), spacing=0.5, *, soft=True):
    """The volume of a body given by its signed distance (mm, positive inside) at LPS points."""
    grid = VolumeGrid(shape, spacing, ORIGIN)
    distance = signed_distance(grid.centres(np.moveaxis(np.indices(shape), 0, -1)))
    dense = np.clip(distance / min(grid.spacing_mm) + 0.5, 0, 1) if soft else distance >= 0
    return SparseVolume.from_dense(dense.astype(np.float32), grid)


def sphere(centre, radius):
    return lambda points: radius - np.linalg.norm(points - centre, axis=-1)


def tube(start, stop, radius):
    """A tube with flat ends, along any direction."""
    length = np.linalg.norm(stop - start)
    axis = (stop - start) / length

    def distance(points):
        along = (points - start) @ axis
        across = np.linalg.norm(points - start - along[..., None] * axis, axis=-1)
        return np.minimum(radius - across, np.minimum(along, length - along))

    return distance


CENTRE = np.add(ORIGIN, (14.6, 15.3, 14.8))
HALF = np.array([8.0, 6.0, 4.0])
SIDE = np.array([7.0, 0.0, 0.0])
TUBE = tube(CENTRE - HALF, CENTRE + HALF, 1.5)
TUBE_MM3 = np.pi * 1.5**2 * 2 * np.sqrt(116)


@pytest.mark.parametrize("soft", [True, False], ids=["soft", "binary"])
@pytest.mark.parametrize("smoothing", [0, 20, 60])
def test_a_tube_of_3_mm_keeps_its_volume(soft, smoothing):
    mesh = surface_of(body(TUBE, soft=soft), smoothing=smoothing)
    assert enclosed_volume_mm3(mesh) == pytest.approx(TUBE_MM3, rel=0.02 if smoothing else 0.03)
    assert is_closed(mesh) and euler_number(mesh) == 2


@pytest.mark.parametrize("soft", [True, False], ids=["soft", "binary"])
@pytest.mark.parametrize("smoothing", [0, 20])
def test_a_sphere_has_its_volume_place_and_radius(soft, smoothing):
    mesh = surface_of(body(sphere(CENTRE, 6.0), soft=soft), smoothing=smoothing)
    assert enclosed_volume_mm3(mesh) == pytest.approx(4 / 3 * np.pi * 6**3, rel=0.02)
    np.testing.assert_allclose(mesh.vertices_lps_mm.mean(axis=0), CENTRE, atol=0.05)
    radius = np.linalg.norm(mesh.vertices_lps_mm - CENTRE, axis=1)
    assert np.abs(radius - 6.0).max() < (0.06 if soft else 0.26)
    assert radius.std() < (0.02 if soft else 0.13 if smoothing == 0 else 0.08)
    if soft:
        assert surface_area_mm2(mesh) == pytest.approx(4 * np.pi * 36, rel=0.02)


def test_a_thin_vessel_of_three_voxels_does_not_shrink():
    thin = tube(CENTRE - HALF, CENTRE + HALF, 0.75)
    volume = body(thin, soft=False)
    assert enclosed_volume_mm3(surface_of(volume)) == pytest.approx(len(volume.indices) * 0.125, rel=1e-3)
    assert enclosed_volume_mm3(surface_of(volume, smoothing=0)) < 0.95 * len(volume.indices) * 0.125


def test_normals_point_outwards():
    mesh = surface_of(body(sphere(CENTRE, 6.0)))
    a, b, c = (mesh.vertices_lps_mm[mesh.triangles[:, corner]] for corner in range(3))
    normal = np.cross(b - a, c - a)
    assert np.all(np.einsum("ij,ij->i", normal, (a + b + c) / 3 - CENTRE) > 0)


@pytest.mark.parametrize("name, expected", [("ring", 0), ("shell", 4), ("two", 4)])
def test_euler_number_of_a_ring_a_hollow_ball_and_two_balls(name, expected):
    def ring(points):
        x, y, z = np.moveaxis(points - CENTRE, -1, 0)
        return 2.0 - np.hypot(np.hypot(x, y) - 8, z)

    shapes = {
        "ring": ring,
        "shell": lambda points: np.minimum(sphere(CENTRE, 9)(points), -sphere(CENTRE, 5)(points)),
        "two": lambda points: np.maximum(sphere(CENTRE + SIDE, 4)(points), sphere(CENTRE - SIDE, 4)(points)),
    }
    mesh = surface_of(body(shapes[name]))
    assert is_closed(mesh) and euler_number(mesh) == expected
    if name == "shell":
        assert enclosed_volume_mm3(mesh) == pytest.approx(4 / 3 * np.pi * (9**3 - 5**3), rel=0.02)


def test_voxels_of_three_different_edges():
    mesh = surface_of(body(sphere(CENTRE, 6.0), shape=(60, 40, 30), spacing=(0.5, 0.75, 1.0)))
    assert enclosed_volume_mm3(mesh) == pytest.approx(4 / 3 * np.pi * 6**3, rel=0.03)
    np.testing.assert_allclose(mesh.vertices_lps_mm.mean(axis=0), CENTRE, atol=0.1)


@pytest.mark.parametrize("seed", range(3))
def test_even_noise_up_to_the_border_of_the_grid_gives_a_closed_surface(seed):
    rng = np.random.default_rng(seed)
    values = rng.choice(np.array([0, 0.25, 0.5, 1], dtype=np.float32), (17, 14, 15))
    mesh = surface_of(SparseVolume.from_dense(values, VolumeGrid(values.shape, 0.5, ORIGIN)))
    assert is_closed(mesh)


def test_values_on_the_level_do_not_put_several_vertices_on_one_point():
    grid = VolumeGrid((5, 5, 5), 0.5, ORIGIN)
    corner = np.zeros(grid.shape, dtype=np.float32)
    corner[1:4, 1:4, 1:4] = 1.0
    corner[1, 1, 1], corner[3, 3, 3] = 0.5, np.float32(0.49999997)
    mesh = surface_of(SparseVolume.from_dense(corner, grid), smoothing=0)
    assert is_closed(mesh)
    assert len(np.unique(mesh.vertices_lps_mm.astype(np.float32), axis=0)) == len(mesh.vertices_lps_mm)


def test_one_voxel_has_a_surface_around_its_centre():
    grid = VolumeGrid((3, 3, 3), 0.5, ORIGIN)
    one = SparseVolume(grid, np.array([[1, 1, 1]], dtype=np.int32), np.ones(1, dtype=np.float32))
    mesh = surface_of(one)
    assert is_closed(mesh) and euler_number(mesh) == 2
    np.testing.assert_allclose(mesh.vertices_lps_mm.mean(axis=0), np.array(ORIGIN) + 0.5, atol=1e-6)


def test_open_meshes_and_flipped_triangles_are_not_closed():
    mesh = surface_of(body(sphere(CENTRE, 3.0)))
    assert not is_closed(SurfaceMesh(mesh.vertices_lps_mm, mesh.triangles[1:]))
    flipped = mesh.triangles.copy()
    flipped[0] = flipped[0, ::-1]
    assert not is_closed(SurfaceMesh(mesh.vertices_lps_mm, flipped))


def test_polydata_round_trip_is_exact_and_owns_its_memory():
    mesh = surface_of(body(sphere(CENTRE, 3.0)))
    polydata = to_polydata(mesh)
    vertices = mesh.vertices_lps_mm.copy()
    mesh.vertices_lps_mm[:] = 0
    back = from_polydata(polydata)
    np.testing.assert_array_equal(back.vertices_lps_mm, vertices)
    np.testing.assert_array_equal(back.triangles, mesh.triangles)
    assert back.vertices_lps_mm.dtype == np.float64 and back.triangles.dtype == np.int64


def test_polydata_of_quads_is_refused():
    from vtkmodules.vtkFiltersSources import vtkCubeSource

    cube = vtkCubeSource()
    cube.Update()
    with pytest.raises(InputError, match="not triangles"):
        from_polydata(cube.GetOutput())


def test_bad_input_is_refused(monkeypatch):
    volume = body(sphere(CENTRE, 3.0))
    with pytest.raises(InputError, match="no voxel"):
        surface_of(volume, level=1.5)
    with pytest.raises(InputError, match="smoothing"):
        surface_of(volume, smoothing=-1)
    monkeypatch.setattr(memory, "available_bytes", lambda: 1000)
    with pytest.raises(InputError, match="memory"):
        surface_of(volume)


def test_a_cancel_passes():
    def cancel(fraction, message):
        raise Cancelled

    with pytest.raises(Cancelled):
        surface_of(body(sphere(CENTRE, 3.0)), progress=cancel)
