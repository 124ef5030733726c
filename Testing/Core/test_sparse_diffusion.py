"""Sparse XRA-Diff: tables and layers against dense ones, what voxels are told, symmetries, sampling, bad input."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import rotate

sys.path.append(str(Path(__file__).parent))
pytest.importorskip("diffusers")

from small_networks import SMALL_SPARSE, write_sparse_diffusion
from xradiff.datatypes import Acquisition, AngiogramView, SparseVolume, VolumeGrid
from xradiff.errors import InputError
from xradiff.geometry import camera_of
from xradiff.geometry.camera import camera_from
from xradiff.postprocess.components import component_labels
from xradiff.progress import silent
from xradiff.projection import MaskCone, backproject_masks, footprints, signed_distance_px
from xradiff.projection import silhouette as projected
from xradiff.quantification import dice
from xradiff.reconstruction import registry
from xradiff.reconstruction.interface import ReconstructionInputs
from xradiff.reconstruction.methods.sparse_diffusion import case as case_module
from xradiff.reconstruction.methods.sparse_diffusion import layers, mask_guidance, method, training
from xradiff.reconstruction.methods.sparse_diffusion.active import LEAST_TOLERANCE_MM, STILL
from xradiff.reconstruction.methods.sparse_diffusion.answers import MOVES, places_of, probabilities_of
from xradiff.reconstruction.methods.sparse_diffusion.case import SparseCase, hull_values, prepare_case
from xradiff.reconstruction.methods.sparse_diffusion.conditions import conditions_of, conditions_of_case
from xradiff.reconstruction.methods.sparse_diffusion.config import SparseDiffusionConfig
from xradiff.reconstruction.methods.sparse_diffusion.connect import connect_parts
from xradiff.reconstruction.methods.sparse_diffusion.contradictions import contradictions
from xradiff.reconstruction.methods.sparse_diffusion.edges import averaged_along
from xradiff.reconstruction.methods.sparse_diffusion.example import SparseExample
from xradiff.reconstruction.methods.sparse_diffusion.features import MEAN_RADIUS, WALL, voxel_features
from xradiff.reconstruction.methods.sparse_diffusion.layers import CaseNorm, DownSample, SubmanifoldConv, UpSample
from xradiff.reconstruction.methods.sparse_diffusion.mask_guidance import SHARPNESS, STRENGTH, MaskRays, fill_pixels
from xradiff.reconstruction.methods.sparse_diffusion.method import SparseDiffusion
from xradiff.reconstruction.methods.sparse_diffusion.network import SparseDenoiser
from xradiff.reconstruction.methods.sparse_diffusion.rays import HEADS, RayAttention
from xradiff.reconstruction.methods.sparse_diffusion.recipe import Recipe
from xradiff.reconstruction.methods.sparse_diffusion.sampler import noise_levels, sample
from xradiff.reconstruction.methods.sparse_diffusion.tables import joined_indices, tables_of
from xradiff.reconstruction.methods.sparse_diffusion.training import SparseTraining
from xradiff.reconstruction.methods.sparse_diffusion.vessel_maps import vessel_maps
from xradiff.synthetic.case import CaseOptions, draw_case
from xradiff.synthetic.tubes import Tube, TubeTree, silhouette
from xradiff.training.truth import TreeTruth

POSES = (Acquisition(30.0, 20.0, 1050.0, 750.0, (0.6, 0.6)), Acquisition(-40.0, 5.0, 1080.0, 750.0, (0.6, 0.6)))
SHAPE = (256, 256)


def tube_views(points, radius_mm, poses=POSES):
    points = np.asarray(points, dtype=float)
    tree = TubeTree((Tube(points, np.full(len(points), radius_mm)),))
    masks = [silhouette(tree, camera_from(pose, SHAPE)) for pose in poses]
    return tuple(AngiogramView(f"view {n}", m, p, mask=m) for n, (m, p) in enumerate(zip(masks, poses, strict=True)))


@pytest.fixture(scope="module")
def drawn():
    return draw_case(CaseOptions(side="right", image_px=256), 3, 0)


@pytest.fixture(scope="module")
def prepared(drawn):
    return prepare_case(drawn.views, 0.5)


def random_lattice(seed=0, count=150, size=9):
    """Indices (N, 3) of `count` voxels of a small lattice, and tables of two levels."""
    rng = np.random.default_rng(seed)
    flat = np.sort(rng.choice(size**3, count, replace=False))
    indices = torch.from_numpy(np.stack(np.unravel_index(flat, (size,) * 3), axis=1))
    return indices, tables_of(indices, torch.zeros(count, dtype=torch.long), 2)


def dense(rows, indices, size=10):
    volume = torch.zeros(rows.shape[1], size, size, size, dtype=rows.dtype)
    volume[(slice(None), *indices.T)] = rows.T
    return volume[None]


# layers


def test_submanifold_convolution_is_the_dense_one_at_the_voxels(monkeypatch):
    monkeypatch.setattr(layers, "CHUNK", 64)  # several chunks
    torch.manual_seed(0)
    indices, tables = random_lattice()
    rows, conv = torch.randn(len(indices), 3, dtype=torch.float64), SubmanifoldConv(3, 4).double()
    torch.nn.init.normal_(conv.bias)
    kernel = conv.weight.view(3, 3, 3, 3, 4).permute(4, 3, 0, 1, 2)
    expected = torch.nn.functional.conv3d(dense(rows, indices), kernel, conv.bias, padding=1)
    torch.testing.assert_close(conv(rows, tables.levels[0]), expected[(0, slice(None), *indices.T)].T)


def test_its_way_back_is_the_derivative(monkeypatch):
    monkeypatch.setattr(layers, "CHUNK", 16)
    torch.manual_seed(0)
    _, tables = random_lattice(count=40, size=5)
    rows = torch.randn(40, 2, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(54, 3, dtype=torch.float64, requires_grad=True)
    apply = layers._Submanifold.apply
    assert torch.autograd.gradcheck(lambda r, w: apply(r, w, tables.levels[0].neighbours), (rows, weight))


def test_down_and_up_are_the_dense_strided_convolutions():
    torch.manual_seed(0)
    indices, tables = random_lattice()
    coarse = torch.unique(indices // 2, dim=0)
    rows, down, up = torch.randn(len(indices), 3), DownSample(3, 4), UpSample(4, 3)
    kernel = down.weight.view(2, 2, 2, 3, 4).permute(4, 3, 0, 1, 2)
    expected = torch.nn.functional.conv3d(dense(rows, indices), kernel, stride=2)[(0, slice(None), *coarse.T)].T
    found = down(rows, tables.levels[0])
    torch.testing.assert_close(found, expected)
    kernel = up.weight.view(4, 2, 2, 2, 3).permute(0, 4, 1, 2, 3)
    expected = torch.nn.functional.conv_transpose3d(dense(found, coarse, 5), kernel, stride=2)
    torch.testing.assert_close(up(found, tables.levels[0]), expected[(0, slice(None), *indices.T)].T)


def test_each_case_is_normalised_by_itself():
    torch.manual_seed(0)
    counts = (30, 1, 9)  # one voxel alone has no variance
    parts = [5 * torch.randn(count, 4) + 2 for count in counts]
    indices, case = joined_indices([torch.arange(3 * count).view(count, 3) for count in counts], 1)
    level, norm = tables_of(indices, case, 1).levels[0], CaseNorm(4)
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    expected = [
        (part - part.mean(0)) / (part.var(0, unbiased=False) + 1e-5).sqrt() * norm.weight + norm.bias for part in parts
    ]
    torch.testing.assert_close(norm(torch.cat(parts), level), torch.cat(expected), rtol=1e-5, atol=1e-3)


def test_rivals_on_a_ray_are_weighed_by_softmax():
    torch.manual_seed(0)
    _, tables = random_lattice(count=6, size=4)
    rows = torch.randn(6, 16, requires_grad=True)
    rays = torch.tensor([[0, 0, 3, 3, 3, 1], [5, 2, 5, 2, 2, 5]])  # numbers without a voxel, as in a cropped case
    attention = RayAttention(16)
    torch.nn.init.normal_(attention.out.weight)
    given = attention.norm(rows, tables.levels[0])
    score, value = attention.score(given), attention.value(given).view(6, HEADS, -1)
    expected = torch.zeros(6, 16 + 2 * HEADS)
    for ray in rays:
        for voxel in range(6):
            same = (ray == ray[voxel]).nonzero().flatten()
            share = score[same].softmax(0)
            mean = (share[:, :, None] * value[same]).sum(0).flatten()
            own = (score[voxel] - score[same].logsumexp(0)).exp()
            expected[voxel] += torch.cat([mean, own, score[same].logsumexp(0)]) / len(rays)
    found = attention(rows, rays, torch.ones(2, 6), tables.levels[0])
    torch.testing.assert_close(found, rows + attention.out(expected))
    (gradient,) = torch.autograd.grad(found.square().sum(), rows)
    assert gradient.isfinite().all()


def test_out_of_memory_on_a_gpu_takes_smaller_chunks(monkeypatch):
    torch.manual_seed(0)
    indices, tables = random_lattice()
    rows, conv = torch.randn(len(indices), 3), SubmanifoldConv(3, 4)
    expected = conv(rows, tables.levels[0])
    whole = layers._gathered

    def small(padded, table):
        if len(table) > 40:
            raise torch.OutOfMemoryError("no memory")
        return whole(padded, table)

    monkeypatch.setattr(layers, "_gathered", small)
    torch.testing.assert_close(conv(rows, tables.levels[0]), expected)
    monkeypatch.setattr(layers, "_gathered", lambda padded, table: (_ for _ in ()).throw(torch.OutOfMemoryError("x")))
    with pytest.raises(InputError, match="too little memory on the device"):
        conv(rows, tables.levels[0])


# voxels and what they are told


def test_active_blocks_hold_every_voxel_that_the_masks_allow(drawn, prepared):
    voxels, cones = prepared.voxels, [MaskCone.of(v.vessel_mask(), camera_of(v)) for v in drawn.views]
    hull = backproject_masks(cones, voxels.fine)
    inside = np.ravel_multi_index(tuple(hull.indices[hull.values >= 0.5].T), voxels.fine.shape)
    children = np.ravel_multi_index(tuple(voxels.children().reshape(-1, 3).T), voxels.fine.shape)
    assert len(inside) and np.isin(inside, children).all()
    np.testing.assert_allclose(voxels.fine.centres(voxels.children()), voxels.children_lps_mm(), atol=1e-4)
    values = hull_values(prepared.features, 0.5).reshape(-1)
    at = np.searchsorted(children, inside, sorter=np.argsort(children))
    apart = np.abs(values[np.argsort(children)[at]] - hull.values[hull.values >= 0.5])
    assert apart.mean() < 0.06 and apart.max() < 0.5  # fitted edges, a pixel being wider than a voxel here


@pytest.mark.parametrize("move", [(0, 0, 0), (1, 0, 1)])
def test_the_voxels_are_those_of_generated_truths(drawn, prepared, move):
    """A result and a truth with voxels of 0.5 mm are compared without interpolation."""
    voxels = prepared.moved(move).voxels
    steps = drawn.truth(0.5).grid.indices(voxels.fine.centres(voxels.children().reshape(-1, 3)))
    np.testing.assert_array_equal(steps, np.rint(steps))


def test_a_straight_tube_tells_its_radius_and_direction():
    axis = np.array([0.3, 0.2, 1.0]) / np.linalg.norm([0.3, 0.2, 1.0])
    views = tube_views(np.linspace(-25, 25, 80)[:, None] * axis, 1.5)
    case = prepare_case(views, 0.5)
    points = case.voxels.centres_lps_mm()
    near = (np.abs(points @ axis) < 15) & (np.linalg.norm(points - (points @ axis)[:, None] * axis, axis=1) < 1.0)
    shared = case.features.shared[near]
    np.testing.assert_allclose(shared[:, 12], 1.5, atol=0.2)
    assert np.median(shared[:, 14]) < 0.15  # both views see the same radius
    xx, yy, zz, xy, yz, zx = shared[:, :6].mean(axis=0)
    _, vectors = np.linalg.eigh([[xx, xy, zx], [xy, yy, yz], [zx, yz, zz]])
    assert abs(vectors[:, 2] @ axis) > 0.995


def test_two_views_of_a_straight_tube_imply_its_wall():
    """Also at voxels that do not lie on the axis, in planes that are not perpendicular."""
    axis = np.array([0.3, 0.2, 1.0]) / np.linalg.norm([0.3, 0.2, 1.0])
    views = tube_views(np.linspace(-25, 25, 80)[:, None] * axis, 2.0)
    case = prepare_case(views, 0.5, tolerance_mm=1.0)
    children = case.voxels.children_lps_mm()
    along = children @ axis
    true = np.linalg.norm(children - along[..., None] * axis, axis=2) - 2.0
    near = (np.abs(along) < 15).all(axis=1) & (true.min(axis=1) < 0.5)
    wall = case.features.shared[:, WALL][near]
    assert np.abs(wall - true[near]).mean() < 0.12 and np.corrcoef(wall.ravel(), true[near].ravel())[0, 1] > 0.95
    hull = case.features.single[..., :8].max(axis=0)[near]
    assert (true[near][hull < -0.05] > 0.1).any()  # corners that both masks allow ...
    assert ((wall < 0) == (true[near] < 0)).mean() > ((hull < 0) == (true[near] < 0)).mean()  # ... and this does not


def test_a_view_tells_nothing_of_what_lies_beside_its_image():
    """There three views tell what the two others alone do; elsewhere the third one counts."""
    axis = np.array([0.3, 0.2, 1.0]) / np.linalg.norm([0.3, 0.2, 1.0])
    third = Acquisition(0.0, -30.0, 1050.0, 750.0, (0.6, 0.6), detector_offset_mm=(0.0, 75.0))
    views = tube_views(np.linspace(-30, 30, 80)[:, None] * axis, 1.5, (*POSES, third))
    case = prepare_case(views, 0.5)
    seen = case.features.seen[2] == 1
    assert (case.features.seen[:2] == 1).all() and 0.2 < seen.mean() < 0.8
    pair = voxel_features([vessel_maps(view) for view in views[:2]], case.voxels, case.tolerance_mm)
    told = np.delete(np.arange(30), np.s_[15:18])  # the place is counted from the middle of all masks
    np.testing.assert_allclose(case.features.shared[~seen][:, told], pair.shared[~seen][:, told], atol=1e-5)
    np.testing.assert_allclose(case.features.single[:2, ~seen, :12], pair.single[:, ~seen, :12], atol=1e-5)
    assert np.abs(case.features.shared[seen][:, told] - pair.shared[seen][:, told]).mean() > 0.01
    np.testing.assert_allclose(hull_values(case.features, 0.5)[~seen], hull_values(pair, 0.5)[~seen], atol=1e-6)


def test_the_calibre_wavers_less_along_a_vessel_than_the_radius():
    axis = np.array([1.0, 0.15, 0.0])
    maps = vessel_maps(tube_views(np.linspace(-20, 20, 80)[:, None] * axis, 1.5)[0])
    ends = maps.camera.project(np.array([[-15.0], [15.0]]) * axis).astype(int)
    middle = np.zeros(SHAPE, dtype=bool)
    middle[:, slice(*sorted(ends[:, 1]))] = True
    inside = (maps.cone.distance_px < 0) & middle
    millimetres = maps.camera.pixel_size_mm(750.0)
    calibre, radius = maps.calibre_px[inside] * millimetres, maps.radius_px[inside] * millimetres
    assert calibre.std() < 0.5 * radius.std() and calibre.mean() == pytest.approx(1.5, abs=0.15)


def slanted_band(degrees: float, half_width_px: float = 2.6) -> tuple[np.ndarray, np.ndarray]:
    """Return the mask of a straight vessel and the true distances of its pixels' centres to the edge, in px."""
    rows, columns = np.mgrid[-60:61, -60:61].astype(np.float32)
    angle = np.deg2rad(degrees)
    distance = np.abs(rows * np.cos(angle) - columns * np.sin(angle) + 0.3) - half_width_px
    return distance < 0, distance


def along_band(degrees: float) -> np.ndarray:
    angle = np.deg2rad(degrees)
    return np.broadcast_to(np.array([np.sin(angle), np.cos(angle)], dtype=np.float32), (121, 121, 2))


@pytest.mark.parametrize("degrees", [7.0, 20.0, 33.0, 61.0])
def test_edges_averaged_along_a_vessel_are_finer_than_a_pixel_and_leave_its_width(degrees):
    mask, true = slanted_band(degrees)
    stairs = signed_distance_px(mask)
    fine = averaged_along(stairs, along_band(degrees), np.ones(mask.shape, dtype=np.float32), 2.0)
    near = np.abs(true) < 1.5
    near[:12] = near[-12:] = near[:, :12] = near[:, -12:] = False
    assert (fine - true)[near].std() < 0.65 * (stairs - true)[near].std()
    assert abs((fine - true)[near].mean()) < 0.05
    assert np.array_equal(fine[stairs > 6.5], stairs[stairs > 6.5])  # far away nothing changes


def test_edges_stay_where_no_direction_is_clear_and_do_not_depend_on_its_sign():
    mask, _ = slanted_band(20.0)
    stairs, along = signed_distance_px(mask), along_band(20.0)
    assert np.array_equal(averaged_along(stairs, along, np.full(mask.shape, 0.2, dtype=np.float32), 2.0), stairs)
    signs = np.random.default_rng(0).choice([-1, 1], mask.shape)[..., None].astype(np.float32)
    clear = np.ones(mask.shape, dtype=np.float32)
    one, other = (averaged_along(stairs, tangent, clear, 2.0) for tangent in (along, along * signs))
    assert np.allclose(one, other, atol=1e-4) and not np.array_equal(one, stairs)


def test_edge_distance_and_tangent_of_a_mask():
    views = tube_views(np.linspace(-25, 25, 80)[:, None] * np.array([1.0, 0, 0]), 2.0)
    maps = vessel_maps(views[0])
    rows, columns = np.nonzero(views[0].mask)
    middle = (rows[len(rows) // 2], columns[len(columns) // 2])
    camera = camera_of(views[0])
    ends = camera.project(np.array([[-20.0, 0, 0], [20.0, 0, 0]]))
    along = (ends[1] - ends[0]) / np.linalg.norm(ends[1] - ends[0])
    assert abs(maps.tangent[middle] @ along) > 0.99 and maps.clarity[middle] > 0.9
    assert maps.radius_px[middle] * camera.pixel_size_mm(750.0) == pytest.approx(2.0, abs=0.2)


def test_a_tolerance_keeps_what_moved(drawn):
    """A shift of 1 mm across the epipolar planes: the truth leaves the exact hull, not the tolerant one."""
    first, second = drawn.views
    normal = np.cross(camera_of(first).d, camera_of(second).d)
    moved = second.with_acquisition(second.acquisition.shifted(normal / np.linalg.norm(normal)))
    kept = []
    for tolerance in (0.0, 1.0):
        case = prepare_case((first, moved), 0.5, tolerance)
        truth = TreeTruth(drawn.subject.tree).voxels(case.voxels.fine).indices
        shape = case.voxels.fine.shape
        children = np.ravel_multi_index(tuple(case.voxels.children().reshape(-1, 3).T), shape)
        kept.append(np.isin(np.ravel_multi_index(tuple(truth.T), shape), children).mean())
    assert kept[0] < 0.93 < 0.97 < kept[1]


# network


def random_network(seed=0):
    torch.manual_seed(seed)
    network = SparseDenoiser(SMALL_SPARSE).eval()
    for tensor in network.parameters():
        torch.nn.init.normal_(tensor, std=0.2)
    return network


def answer(network, given, noise, level=0.7, before=None):
    with torch.no_grad():
        return network(noise, torch.full((len(given.side),), level), given, before)


def test_order_of_the_views_changes_nothing(drawn):
    network = random_network()
    both = [
        conditions_of_case(prepare_case(views, 0.5), "left", 2, "cpu") for views in (drawn.views, drawn.views[::-1])
    ]
    noise = torch.randn(len(both[0].shared), 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(*(answer(network, given, noise) for given in both), atol=1e-3, rtol=1e-3)


def test_cases_of_a_batch_do_not_see_each_other():
    """Also where one has three views and the other two."""
    network, example = random_network(), SparseExample(0.5)
    cases = [draw_case(CaseOptions(side="right", image_px=128, poses="clinical", views=n), 4, n) for n in (2, 3)]
    examples = [example(case.views, TreeTruth(case.subject.tree)) for case in cases]
    noise = [torch.randn(one["volume"].shape, generator=torch.Generator().manual_seed(1)) for one in examples]
    alone = [answer(network, conditions_of(example.join([one]), 2), n) for one, n in zip(examples, noise, strict=True)]
    together = answer(network, conditions_of(example.join(examples), 2), torch.cat(noise))
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-4, rtol=1e-4)


def test_without_its_condition_the_network_knows_nothing_but_the_voxels(prepared):
    network, given = random_network(), conditions_of_case(prepared, "left", 2, "cpu")
    noise = torch.randn(len(given.shared), 8, generator=torch.Generator().manual_seed(0))
    other = replace(given, single=given.single + 1, shared=given.shared + 1, side=given.side + 1)
    assert not torch.allclose(answer(network, given, noise), answer(network, other, noise))
    torch.testing.assert_close(answer(network, given.without(), noise), answer(network, other.without(), noise))
    before = torch.ones_like(noise)  # an answer given before knew the condition
    assert not torch.allclose(answer(network, given, noise, before=before), answer(network, given, noise))
    blind = answer(network, given.without(), noise, before=before)
    torch.testing.assert_close(blind, answer(network, given.without(), noise))


def test_joined_cases_stay_apart_at_every_level():
    parts = [torch.tensor([[0, 0, 0], [5, 1, 1]]), torch.tensor([[0, 0, 0], [1, 1, 1]])]
    joined, case = joined_indices(parts, 3)
    for level in tables_of(joined, case, 3).levels:
        for row, neighbours in enumerate(level.neighbours):
            there = neighbours[neighbours < len(level)]
            assert (level.case[there] == level.case[row]).all()


# diffusion


def test_the_schedule_ends_in_pure_noise():
    levels = noise_levels(Recipe())
    assert levels[-1] == pytest.approx(1, abs=1e-6) and levels[0] < 0.1 and (levels.diff() > 0).all()


@pytest.mark.parametrize(("steps", "guidance"), [(1, 1.0), (5, 1.0), (3, 2.0)])
def test_a_network_that_knows_the_truth_is_sampled_to_it(prepared, steps, guidance):
    given = conditions_of_case(prepared, "auto", 2, "cpu")
    truth = (torch.rand(len(given.shared), 8, generator=torch.Generator().manual_seed(0)) < 0.3).float()

    class Knows(torch.nn.Module):
        def forward(self, noisy, level, told, before=None):
            assert noisy.abs().max() < 10
            return 20 * (2 * truth - 1)

    noise = torch.randn(truth.shape, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(sample(Knows(), given, noise, Recipe(), steps=steps, guidance=guidance), truth)


def test_every_pass_is_shown_the_answer_before(prepared):
    given, shown = conditions_of_case(prepared, "auto", 2, "cpu"), []

    class Counts(torch.nn.Module):
        def forward(self, noisy, level, told, before=None):
            shown.append(before)
            return torch.full_like(noisy, float(len(shown)))

    noise = torch.zeros(len(given.shared), 8)
    found = sample(Counts(), given, noise, Recipe(), steps=2, guidance=1.0, passes=2)
    assert shown[0] is None
    for number, before in enumerate(shown[1:], start=1):
        torch.testing.assert_close(before, torch.full_like(noise, float(np.tanh(number / 2))))
    assert len(shown) == 4 and found.min() == found.max()


@pytest.mark.parametrize("shares", [(1.0, 0.0, 0.0), (0.0, 0.0, 1.0)])
def test_all_weights_learn_also_where_an_answer_is_shown(drawn, monkeypatch, shares):
    """In reduced precision too, where the passes before leave copies of the weights without gradients behind."""
    monkeypatch.setattr(training, "ANSWERS_BEFORE", shares)
    trainable = SparseTraining(replace(SMALL_SPARSE, drop_probability=0.0))
    trainable.network = random_network()
    batch = trainable.example.join([trainable.example(drawn.views, TreeTruth(drawn.subject.tree))])
    with torch.autocast("cpu", torch.bfloat16):
        loss = trainable.loss("network", batch, torch.Generator().manual_seed(0))
    loss.backward()
    silent_ones = [name for name, one in trainable.network.named_parameters() if not one.grad.abs().sum() > 0]
    assert not silent_ones


def test_mask_guidance_explains_what_is_unexplained(drawn, prepared):
    rays = MaskRays.of(prepared.voxels, drawn.views, "cpu")
    empty = torch.full((len(prepared.voxels), 8), -4.0)
    one_likely = empty.clone()
    one_likely[0, 0] = -3.0
    pushed = rays.pushed(one_likely, 5) - one_likely
    assert (pushed >= -1e-6).all() and pushed.max() > 0.5
    on_its_ray = (rays.ray[0] == rays.ray[0][0]).nonzero()[:, 0]
    if rays.inside[0][rays.ray[0][0]] == 1:
        assert pushed.reshape(-1)[0] >= pushed.reshape(-1)[on_its_ray].max() - 1e-6
    full = torch.full_like(empty, 6.0)
    torch.testing.assert_close(rays.pushed(full, 5), full, atol=1e-2, rtol=0)


def test_an_answer_that_explains_too_little_is_pushed(drawn, prepared):
    rays = MaskRays.of(prepared.voxels, drawn.views, "cpu")
    shape = (len(prepared.voxels), 8)
    assert rays.explained(torch.full(shape, 1.0), 0.0) > 0.99
    assert rays.explained(torch.full(shape, -1.0), 0.0) == 0

    unsure = torch.randn(shape, generator=torch.Generator().manual_seed(0)).clamp(max=1.9) - 4

    class Unsure(torch.nn.Module):
        def forward(self, noisy, level, told, before=None):
            return unsure

    told = []

    def answer(least):
        config = SparseDiffusionConfig(moved_passes=0, least_coverage=least, precision="float32")
        words = {"generator": np.random.default_rng(0), "progress": silent, "filled": told.append}
        inputs = ReconstructionInputs(drawn.views, 0.5)
        return torch.from_numpy(probabilities_of(Unsure(), prepared, inputs, SMALL_SPARSE, config, **words)[0])

    kept = answer(0.0)
    assert (kept < 0.5).all() and not told
    pushed = answer(0.75)
    assert rays.explained(torch.logit(pushed), 0.0) > 0.8 and told == [0.0]
    assert (pushed >= 0.5).float().mean() < 0.2  # not by making everything a vessel
    for view in drawn.views:  # and no pixel is left empty that a voxel projects onto
        camera = camera_of(view)
        everything = projected(vessels_of(prepared, np.ones(shape, dtype=np.float32)), camera)
        left = view.vessel_mask() & everything & ~projected(vessels_of(prepared, pushed.numpy()), camera)
        assert left.sum() < 0.01 * view.vessel_mask().sum()


def test_thin_vessels_count_from_a_threshold_of_their_own(drawn, prepared):
    recipe = Recipe(threshold=0.6, thin_threshold=0.2)
    radii = torch.tensor([0.3, 0.6, 0.9, 1.2, 3.0])
    torch.testing.assert_close(recipe.thresholds(radii), torch.tensor([0.2, 0.2, 0.4, 0.6, 0.6]))
    torch.testing.assert_close(Recipe(threshold=0.6).thresholds(radii), torch.full((5,), 0.6))

    inputs, config = ReconstructionInputs(drawn.views, 0.5), SparseDiffusionConfig(moved_passes=0, mask_guidance=0)
    words = {"generator": np.random.default_rng(0), "progress": silent}
    raw = probabilities_of(random_network(), prepared, inputs, SMALL_SPARSE, config, **words)
    words["generator"] = np.random.default_rng(0)
    moved = replace(SMALL_SPARSE, threshold=0.6, thin_threshold=0.2)
    found = probabilities_of(random_network(), prepared, inputs, moved, config, **words)
    least = moved.thresholds(torch.from_numpy(prepared.features.shared[:, MEAN_RADIUS, None])).numpy()
    clear = np.abs(raw - least) > 1e-3
    assert least.min() < 0.3 and np.array_equal((found >= 0.5)[clear], (raw >= least)[clear])


def test_the_blocks_are_moved_each_way_once():
    assert len(set(MOVES)) == 7 and set(MOVES) | {STILL} == set(np.ndindex(2, 2, 2))
    with pytest.raises(InputError, match="7"):
        SparseDiffusionConfig(moved_passes=len(MOVES) + 1)


@pytest.mark.parametrize("move", [(1, 1, 1), (1, 0, 0), (0, 1, 0), (1, 0, 1)])
def test_moved_blocks_hold_the_same_voxels(drawn, prepared, move):
    first, moved = prepared.voxels, prepared.moved(move).voxels
    np.testing.assert_allclose(np.subtract(first.fine.origin_lps_mm, moved.fine.origin_lps_mm), 0.5 * np.array(move))
    for wanted, among in ((first, moved), (moved, first)):
        places = places_of(wanted, among)
        there, here = (voxels.children_lps_mm().reshape(-1, 3) for voxels in (among, wanted))
        np.testing.assert_allclose(there[places[places >= 0]], here[places >= 0], atol=1e-3)
        known = {tuple(point) for point in np.rint(2 * (there - first.fine.origin_lps_mm)).astype(int)}
        missing = np.rint(2 * (here[places < 0] - first.fine.origin_lps_mm)).astype(int)
        assert len(missing) and not any(tuple(point) in known for point in missing)
    hull = backproject_masks([MaskCone.of(v.vessel_mask(), camera_of(v)) for v in drawn.views], first.fine, 0.0)
    allowed = hull.indices[hull.values >= 0.5]  # both grids hold all that the masks allow
    everything = np.ravel_multi_index(tuple(allowed.T), first.fine.shape)
    children = np.ravel_multi_index(tuple(first.children().reshape(-1, 3).T), first.fine.shape)
    places = dict(zip(children.tolist(), places_of(first, moved).tolist(), strict=True))
    assert all(places[voxel] >= 0 for voxel in everything.tolist())


def test_the_answer_is_the_mean_of_the_last_ones_on_moved_blocks(drawn, prepared):
    cases = [prepared, *(prepared.moved(move) for move in MOVES)]
    inputs, asked = ReconstructionInputs(drawn.views, 0.5), []

    class Minds(torch.nn.Module):
        """Answers a number that rises with x in the patient, otherwise at every call."""

        def forward(self, noisy, level, told, before=None):
            case = cases[max(len(asked) - 1, 0)]
            assert len(noisy) == len(case.voxels)
            asked.append(before)
            return 0.1 * len(asked) + torch.from_numpy(case.voxels.children_lps_mm()[..., 0]) / 20

    def answer(**settings):
        asked.clear()
        words = {"generator": np.random.default_rng(0), "progress": silent}
        config = SparseDiffusionConfig(passes=2, **{"mask_guidance": 0, "least_coverage": 0} | settings)
        return torch.from_numpy(probabilities_of(Minds(), prepared, inputs, Recipe(), config, **words)[0])

    x = torch.from_numpy(prepared.voxels.children_lps_mm()[..., 0]) / 20
    for moved_passes in (0, 1, 5):
        found = answer(moved_passes=moved_passes)
        expected = [(x + 0.2).sigmoid()]  # the second call is the last one on the first blocks
        for number, case in enumerate(cases[1 : moved_passes + 1]):
            there = torch.from_numpy(places_of(prepared.voxels, case.voxels) >= 0).view_as(x)
            expected.append(torch.where(there, (x + 0.1 * (number + 3)).sigmoid(), expected[-1]))
        assert len(asked) == 2 + moved_passes
        torch.testing.assert_close(found, torch.stack(expected[-4:]).mean(0), atol=1e-5, rtol=0)

    def told_at(case, values):
        """Return what the network is told on the blocks of `case` of values (N, 8) at the first ones."""
        places = torch.from_numpy(places_of(case.voxels, prepared.voxels)).view(-1, 8)
        return torch.where(places >= 0, values.reshape(-1)[places.clamp(min=0)], torch.tensor(-1.0))

    torch.testing.assert_close(asked[2], told_at(cases[1], 2 * expected[0] - 1), atol=1e-4, rtol=0)
    torch.testing.assert_close(asked[4], told_at(cases[3], 2 * expected[2] - 1), atol=1e-4, rtol=0)
    answer(mask_guidance=3, moved_passes=1)
    pushed = MaskRays.of(prepared.voxels, drawn.views, "cpu").pushed(x + 0.2, 3)
    torch.testing.assert_close(asked[2], told_at(cases[1], 2 * pushed.sigmoid() - 1), atol=1e-3, rtol=0)


def test_each_sample_goes_on_from_its_own_answer(drawn, prepared):
    noises = []

    class Echo(torch.nn.Module):
        """Answers the noise that it is first shown, then what it said before, sharpened."""

        def forward(self, noisy, level, told, before=None):
            if before is None:
                noises.append(noisy)
                return noisy
            return 3 * before

    words = {"generator": np.random.default_rng(0), "progress": silent}
    config = SparseDiffusionConfig(samples=2, moved_passes=1, mask_guidance=0, precision="float32")
    found = probabilities_of(Echo(), prepared, ReconstructionInputs(drawn.views, 0.5), Recipe(), config, **words)
    there = torch.from_numpy(places_of(prepared.voxels, prepared.moved(MOVES[0]).voxels) >= 0).view(-1, 8)
    assert len(found) == len(noises) == 2 and 0.5 < there.float().mean() < 1
    for mean, noise in zip(found, noises, strict=True):
        first = noise.sigmoid()
        again = torch.where(there, (3 * (2 * first - 1)).sigmoid(), first)
        np.testing.assert_allclose(mean, (first + again) / 2, atol=1e-5)


def test_moved_blocks_of_a_thinned_case(drawn):
    """Those alone that share a voxel with a block that was kept, and that the thinning keeps."""

    def upper(maps, voxels, progress):
        z = voxels.centres_lps_mm()[:, 2]
        return z > middle

    middle = float(np.median(prepare_case(drawn.views, 0.5).voxels.centres_lps_mm()[:, 2]))
    case = prepare_case(drawn.views, 0.5, thinning=upper)
    moved = case.moved((1, 1, 1))
    assert len(case.voxels) < len(case.allowed) and (moved.voxels.centres_lps_mm()[:, 2] > middle).all()
    shared = places_of(moved.voxels, case.voxels).reshape(-1, 8) >= 0
    assert shared.any(axis=1).all() and not shared.all()
    assert (places_of(case.voxels, moved.voxels) >= 0).mean() > 0.7


def test_the_mean_of_samples_is_filled_where_each_was(tmp_path, drawn, monkeypatch):
    write_sparse_diffusion(tmp_path)
    told = [0.3]

    def answers(network, case, *rest, filled, **words):
        """Two samples that have no voxel in common."""
        for share in told:
            filled(share)
        odd = np.arange(len(case.voxels) * 8).reshape(-1, 8) % 2
        return np.stack([0.9 * odd, 0.9 * (1 - odd)]).astype(np.float32)

    monkeypatch.setattr(method, "probabilities_of", answers)
    found = reconstruct(drawn.views, tmp_path, samples=2, connect_mm=0).volume
    vessel = SparseVolume(found.grid, found.indices[found.values >= 0.5], found.values[found.values >= 0.5])
    for view in drawn.views:
        mask, camera = view.vessel_mask(), camera_of(view)
        assert (mask & ~projected(vessel, camera)).sum() < 0.01 * mask.sum()
    told.clear()
    assert (reconstruct(drawn.views, tmp_path, samples=2, connect_mm=0).volume.values < 0.5).all()


def test_where_no_moved_block_is_left_the_answer_before_stands(drawn, prepared, monkeypatch):
    """And moved blocks are not refused for being a few more: the first answer is there."""
    moved, asked = SparseCase.moved, []
    monkeypatch.setattr(
        SparseCase, "moved", lambda case, move, progress: None if move in MOVES[::2] else moved(case, move, progress)
    )
    monkeypatch.setattr(case_module, "check_count", lambda voxels, tolerance_mm: pytest.fail("checked again"))

    class Counts(torch.nn.Module):
        def forward(self, noisy, level, told, before=None):
            asked.append(before)
            return torch.full_like(noisy, float(len(asked)))

    words = {"generator": np.random.default_rng(0), "progress": silent}
    inputs, config = ReconstructionInputs(drawn.views, 0.5), SparseDiffusionConfig(least_coverage=0)
    found = probabilities_of(Counts(), prepared, inputs, Recipe(), config, **words)[0]
    assert len(asked) == 1 + len(MOVES[1::2])
    last = torch.tensor([3.0, 3.0, 4.0, 4.0]).sigmoid().mean()  # moves 4 to 7, of which 5 and 7 have no block
    assert np.isclose(found, last, atol=1e-4).mean() > 0.6


def test_every_pixel_of_the_masks_gets_its_likeliest_voxel(drawn, prepared):
    chance = torch.rand((len(prepared.voxels), 8), generator=torch.Generator().manual_seed(1)).numpy() * 0.4
    filled = fill_pixels(chance, prepared.voxels, drawn.views)
    raised = filled != chance
    assert raised.any() and (filled[raised] == np.float32(0.51)).all()
    points = prepared.voxels.children_lps_mm().reshape(-1, 3)
    for number, view in enumerate(drawn.views):
        camera = camera_of(view)
        pixels, reached = np.rint(camera.project(points)).astype(int), np.zeros(camera.shape, dtype=bool)
        reached[tuple(pixels[((pixels >= 0) & (pixels < camera.shape)).all(axis=1)].T)] = True
        assert not (view.vessel_mask() & reached & ~projected(vessels_of(prepared, filled), camera)).any()
        if number == 0:  # nothing was a vessel before
            first, last = footprints(points, 0.5, camera)
            vessel, likely = np.flatnonzero(raised), chance.reshape(-1)
            for place in np.argwhere(view.vessel_mask() & reached)[::97]:
                on_ray = np.flatnonzero((pixels == place).all(axis=1))
                covers = vessel[((first[vessel] <= place) & (place < last[vessel])).all(axis=1)]
                assert likely[covers].max() >= likely[on_ray].max()


def test_empty_pixels_are_filled_beside_vessels_where_they_can_be(drawn, prepared, monkeypatch):
    chance = torch.rand((len(prepared.voxels), 8), generator=torch.Generator().manual_seed(1)).numpy() * 0.4
    truth = hull_values(prepared.features, 0.5) >= 0.5
    middle = prepared.voxels.children_lps_mm()[..., 2]
    likely = np.where(truth & (middle > np.median(middle)), 0.9, chance).astype(np.float32)
    grown = fill_pixels(likely, prepared.voxels, drawn.views)
    assert (grown >= likely).all() and (grown[likely >= 0.5] == likely[likely >= 0.5]).all()
    monkeypatch.setattr(mask_guidance, "GROWING_ROUNDS", 0)
    scattered = fill_pixels(likely, prepared.voxels, drawn.views)
    parts = [int(component_labels(vessels_of(prepared, values)).max()) for values in (grown, scattered)]
    assert parts[0] < 0.7 * parts[1], parts


def vessels_of(case, values):
    kept = values >= 0.5
    return SparseVolume(case.voxels.fine, case.voxels.children()[kept], values[kept])


def test_examples_count_every_true_voxel(drawn):
    example = SparseExample(0.5)(drawn.views, TreeTruth(drawn.subject.tree))
    grid = prepare_case(drawn.views, 0.5, float(example["shared"][0, 18])).voxels.fine
    total = len(TreeTruth(drawn.subject.tree).voxels(grid).indices)
    assert float(example["volume"].sum() + example["missed"]) == total
    assert float(example["missed"]) < 0.1 * total and example["side"].item() == 2


def test_masks_that_are_not_exact_are_shown_with_a_tolerance():
    cases = [draw_case(CaseOptions(image_px=128), 6, number) for number in range(10)]
    least = {}
    for exact in (True, None, False):
        examples = [SparseExample(0.5)(case.views, TreeTruth(case.subject.tree, exact)) for case in cases]
        least[exact] = sum(float(example["shared"][0, 18]) == LEAST_TOLERANCE_MM for example in examples)
    assert least[True] > least[None] > least[False], least


def test_training_learns_one_case(drawn):
    torch.manual_seed(0)
    trainable = SparseTraining(replace(SMALL_SPARSE, learning_rate=2e-2))
    batch = trainable.example.join([trainable.example(drawn.views, TreeTruth(drawn.subject.tree))])
    optimiser, losses = trainable.optimiser("network"), []
    for step in range(60):
        loss = trainable.loss("network", batch, torch.Generator().manual_seed(step))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert np.mean(losses[-3:]) < 0.75 * np.mean(losses[:3])
    found = trainable.probabilities(trainable.network, batch, torch.Generator().manual_seed(0))
    before = dice(batch["backprojection"].numpy() >= 0.5, batch["volume"].numpy() >= 0.5)
    assert dice(found.numpy() >= 0.5, batch["volume"].numpy() >= 0.5) > before


# method


def reconstruct(views, folder, **settings):
    config = SparseDiffusionConfig(weights=str(folder / "sparse_diffusion_both.safetensors"), **settings)
    inputs = ReconstructionInputs(tuple(views), 0.5)
    return SparseDiffusion().reconstruct(inputs, config, generator=np.random.default_rng(0), progress=silent)


def test_two_to_four_views_in_any_geometry(tmp_path):
    write_sparse_diffusion(tmp_path)
    sizes = []
    for count in (2, 3, 4):
        case = draw_case(CaseOptions(side="left", image_px=256, poses="clinical", views=count), 8, 0)
        sizes.append(int((reconstruct(case.views, tmp_path).volume.values >= 0.5).sum()))
    assert min(sizes) > 0


def test_tampered_and_foreign_weights_are_refused(tmp_path, drawn):
    write_sparse_diffusion(tmp_path)
    path = tmp_path / "sparse_diffusion_both.safetensors"
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(InputError, match="is damaged: its SHA-256 is"):
        reconstruct(drawn.views, tmp_path)


def three_views():
    pose = Acquisition(0.0, -25.0, 1060.0, 750.0, (0.6, 0.6))
    return tube_views(np.linspace(-25, 25, 80)[:, None] * np.array([0.2, 0.3, 1.0]), 1.5, (*POSES, pose))


def test_a_view_that_contradicts_the_others_is_named(tmp_path):
    write_sparse_diffusion(tmp_path)
    views = three_views()
    longer = views[2].mask.copy()
    longer[20:236, 60:64] = True  # a vessel that no other view shows
    notes = reconstruct((*views[:2], views[2].with_mask(longer)), tmp_path).warnings
    assert any(note.startswith("view 2 contradicts the others") for note in notes)
    assert not any("contradict" in note for note in reconstruct(views, tmp_path).warnings)


@pytest.mark.parametrize("wrong", [0, 1, 2])
def test_the_view_without_which_the_others_agree_is_named(wrong):
    """A turned mask leaves little of the others' masks explained too: its own need not be explained least.

    Where leaving out another view does nearly as well, both are named.
    """
    views = list(three_views())
    views[wrong] = views[wrong].with_mask(rotate(views[wrong].mask.astype(np.uint8), 25, reshape=False, order=0) > 0)
    case = prepare_case(views, 0.5)
    (told,) = contradictions(case, views)
    assert "contradict" in told and f"view {wrong}" in told.split(";")[1 if "any of" in told else 0]
    assert contradictions(prepare_case(three_views(), 0.5), three_views()) == ()


def test_a_wrong_view_is_noticed_where_masks_touch_the_sides_of_their_images():
    """What one view does not tell of is no excuse: ghosts of two others out there could explain any mask."""
    poses = tuple(Acquisition(a, b, 1050.0, 750.0, (0.308, 0.308)) for a, b in ((30, 0), (-40, 20), (0, -35)))
    case = draw_case(CaseOptions(side="right", image_px=512, poses=poses, views=3), 3, 1)
    assert contradictions(prepare_case(case.views, 0.5), case.views) == ()
    assert contradictions(prepare_case(case.views, 0.5, 1.0), case.views) == ()
    turned = replace(poses[2], primary_deg=8.0, secondary_deg=-27.0)
    views = (*case.views[:2], case.views[2].with_acquisition(turned))
    prepared = prepare_case(views, 0.5)
    assert prepared.features.seen.min() == 0
    (told,) = contradictions(prepared, views)
    assert "contradict" in told and views[2].name in told


def test_of_two_views_both_are_named():
    views = three_views()[:2]
    longer = views[1].mask.copy()
    longer[20:236, 60:64] = True
    views = (views[0], views[1].with_mask(longer))
    (told,) = contradictions(prepare_case(views, 0.5), views)
    assert told.startswith("view 0 and view 1 contradict each other")


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("DefaultCPUAllocator: can't allocate memory")]
)
def test_too_little_memory_anywhere_in_the_network_is_said_in_one_line(tmp_path, drawn, monkeypatch, error):
    write_sparse_diffusion(tmp_path)

    def full(*_):
        raise error

    monkeypatch.setattr(RayAttention, "_view", full)
    with pytest.raises(InputError, match=r"^too little memory on cpu for \d+ blocks; close other programs$"):
        reconstruct(drawn.views, tmp_path)


def test_masks_that_allow_more_than_a_tree_are_warned_of(tmp_path, drawn, monkeypatch):
    write_sparse_diffusion(tmp_path)
    monkeypatch.setattr(method, "MANY", 100)
    assert any("more than those of a coronary tree do" in note for note in reconstruct(drawn.views, tmp_path).warnings)


def test_masks_that_allow_too_much_are_refused(tmp_path):
    write_sparse_diffusion(tmp_path)
    full = [
        AngiogramView(f"view {n}", np.ones(SHAPE), pose, mask=np.ones(SHAPE, dtype=bool))
        for n, pose in enumerate(POSES)
    ]
    with pytest.raises(InputError, match="the masks allow .* blocks .* at most"):
        reconstruct(full, tmp_path)


@pytest.mark.parametrize("value", ["nonsense", "-1", "11"])
def test_a_bad_tolerance_is_one_line(value):
    with pytest.raises(InputError, match="tolerance_mm"):
        SparseDiffusionConfig(tolerance_mm=value)


@pytest.mark.parametrize(
    ("calibrated_mm", "given", "used_mm"), [(0.0, "auto", 0.25), (0.6, "auto", 0.6), (0.6, "0", 0.0), (0.0, "1", 1.0)]
)
def test_masks_of_pixels_disagree_by_half_a_voxel_at_least(drawn, tmp_path, calibrated_mm, given, used_mm):
    write_sparse_diffusion(tmp_path)
    inputs = ReconstructionInputs(tuple(drawn.views), 0.5, tolerance_mm=calibrated_mm)
    config = SparseDiffusionConfig(weights=str(tmp_path / "sparse_diffusion_both.safetensors"), tolerance_mm=given)
    result = SparseDiffusion().reconstruct(inputs, config, generator=np.random.default_rng(0), progress=silent)
    assert f"The masks may disagree by {used_mm:g} mm (tolerance_mm)." in result.notes


def test_the_method_is_in_the_table():
    spec = registry.method_spec("sparse_diffusion")
    assert spec.stochastic and registry.load_trainable(spec) is SparseTraining


# gaps


def line(gap_probability, gap=range(20, 26)):
    """A vessel of 40 voxels of 0.5 mm with a gap."""
    probability = np.full(40, 0.9, dtype=np.float32)
    probability[list(gap)] = gap_probability
    indices = np.stack([np.full(40, 5), np.full(40, 5), np.arange(40)], axis=1)
    kept = probability > 0
    grid = VolumeGrid((10, 10, 40), (0.5,) * 3, (0.0, 0.0, 0.0))
    return SparseVolume(grid, indices[kept].astype(np.int32), probability[kept])


@pytest.mark.parametrize(
    ("gap_probability", "longest_mm", "joined"),
    [(0.3, 5.0, True), (0.3, 2.0, False), (0.02, 5.0, False), (0.3, 0, False)],
)
def test_a_gap_that_the_masks_allow_is_bridged(gap_probability, longest_mm, joined):
    volume = line(gap_probability)
    found = connect_parts(volume, longest_mm)
    assert bool((found.values >= 0.5).all()) == joined
    np.testing.assert_array_equal(found.values[volume.values >= 0.5], volume.values[volume.values >= 0.5])
    if not joined:
        np.testing.assert_array_equal(found.values, volume.values)


def test_a_bridge_is_as_wide_as_its_neighbours_are_not_unlikely():
    x, y, z = np.meshgrid(range(1, 8), range(1, 8), range(40), indexing="ij")
    inside = (abs(x - 4) <= 1) & (abs(y - 4) <= 1)
    gap = (z >= 20) & (z < 26)
    probability = np.where(inside & ~gap, 0.9, np.where(gap & (x == 4) & (y == 4), 0.3, 0.2)).astype(np.float32)
    probability[gap & (x == 5)] = 0.07  # unlikely on this side
    indices = np.stack([x, y, z], axis=-1).reshape(-1, 3).astype(np.int32)
    found = connect_parts(
        SparseVolume(VolumeGrid((9, 9, 40), (0.5,) * 3, (0.0,) * 3), indices, probability.ravel()), 10
    )
    wide = (found.values >= 0.5).reshape(x.shape)
    assert (wide == (inside & ~gap) | (gap & (x >= 3) & (x <= 4) & (abs(y - 4) <= 1)))[:, :, 1:-1].all()


def test_nothing_is_bridged_where_no_voxel_is_allowed_and_specks_stay():
    assert (connect_parts(line(0.0), 5.0).values >= 0.5).sum() == 34
    speck = line(0.3, gap=range(20, 37))  # 3 voxels remain
    np.testing.assert_array_equal(connect_parts(speck, 20.0).values, speck.values)


def test_mask_guidance_is_the_gradient(drawn, prepared):
    rays = MaskRays.of(prepared.voxels, drawn.views, "cpu")
    logits = torch.randn(len(prepared.voxels), 8, generator=torch.Generator().manual_seed(0), requires_grad=True)
    loss = torch.zeros(())
    for ray, inside in zip(rays.ray, rays.inside, strict=True):
        total = torch.zeros_like(inside).index_add(
            0, ray, torch.nn.functional.logsigmoid(-SHARPNESS * logits).reshape(-1)
        )
        loss = loss - (torch.log1p(-torch.exp(total)) * inside).sum()
    (gradient,) = torch.autograd.grad(loss, logits)
    moved = rays.pushed(logits.detach(), 1) - logits.detach()
    torch.testing.assert_close(moved, -STRENGTH / SHARPNESS * gradient, atol=1e-3, rtol=1e-2)


def test_samples_give_an_uncertainty(tmp_path, drawn):
    write_sparse_diffusion(tmp_path)
    result = reconstruct(drawn.views, tmp_path, samples=3)
    assert result.uncertainty is not None and (result.uncertainty.values >= 0).all()
    told = "3 samples were drawn in 2 steps each, with 1 pass on moved blocks"
    assert any(told in note for note in result.notes)
    np.testing.assert_array_equal(result.uncertainty.indices, result.volume.indices)
    assert reconstruct(drawn.views, tmp_path).uncertainty is None
