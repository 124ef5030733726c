"""Small parts that at most one view calls for are left out of sparse XRA-Diff's result, and only those."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parent))
pytest.importorskip("diffusers")

from small_networks import write_sparse_diffusion
from xradiff.datatypes import Acquisition, AngiogramView, SparseVolume, VolumeGrid
from xradiff.geometry.camera import camera_from
from xradiff.progress import silent
from xradiff.projection import MaskCone, silhouette
from xradiff.reconstruction.interface import ReconstructionInputs
from xradiff.reconstruction.methods.sparse_diffusion import method
from xradiff.reconstruction.methods.sparse_diffusion.case import SparseCase
from xradiff.reconstruction.methods.sparse_diffusion.config import SparseDiffusionConfig
from xradiff.reconstruction.methods.sparse_diffusion.connect import part_numbers
from xradiff.reconstruction.methods.sparse_diffusion.ghosts import without_ghosts
from xradiff.reconstruction.methods.sparse_diffusion.method import bridged_without_ghosts

POSES = tuple(
    Acquisition(primary, secondary, 1050.0, 750.0, (0.6, 0.6))
    for primary, secondary in ((30.0, 20.0), (-40.0, 5.0), (0.0, -30.0))
)
SHAPE = (256, 256)
GRID = VolumeGrid((120, 120, 120), (0.5,) * 3, (-30.0, -30.0, -30.0))


def rod(middle_mm, half_mm: float, thick: int = 2) -> np.ndarray:
    """Return the voxels (N, 3) of a straight vessel along x."""
    x, y, z = np.rint(GRID.indices(np.array([middle_mm], dtype=float))[0]).astype(int)
    half = int(half_mm / 0.5)
    return np.array([[i, y + j, z + k] for i in range(x - half, x + half) for j in range(thick) for k in range(thick)])


def volume_of(*parts: np.ndarray, value: float = 0.9) -> SparseVolume:
    indices = np.concatenate(parts).astype(np.int32)
    return SparseVolume(GRID, indices, np.full(len(indices), value, dtype=np.float32))


def cones_of(*shown: np.ndarray) -> list[MaskCone]:
    """Return as many masks as are asked for, each of the voxels that it shows."""
    cameras = [camera_from(pose, SHAPE) for pose in POSES[: len(shown)]]
    return [MaskCone.of(silhouette(volume_of(voxels), c), c) for voxels, c in zip(shown, cameras, strict=True)]


def tree_of(volume: SparseVolume, cones: list[MaskCone], *, filled: bool, **settings: float) -> SparseVolume:
    case = SimpleNamespace(cones=cones, tolerance_mm=0.0)
    return bridged_without_ghosts(volume, case, SparseDiffusionConfig(**settings), filled=filled)


MAIN = rod((0, 0, 0), 20)
ALONG_RAY = 12 * camera_from(POSES[0], SHAPE).d
PIECE = rod(ALONG_RAY, 3)
"""Behind the middle of the main vessel where the first view looks from; elsewhere in the others."""
BOTH = np.concatenate([MAIN, PIECE])


def left(volume: SparseVolume, cones, largest_mm3: float = 15.0, tolerance_mm: float = 0.0) -> int:
    """Return how many voxels stay at 0.5 or more."""
    found = without_ghosts(volume, cones, largest_mm3, tolerance_mm)
    np.testing.assert_array_equal(found.indices, volume.indices)
    return int((found.values >= 0.5).sum())


def test_a_part_hidden_behind_a_vessel_in_one_of_two_views_is_a_ghost():
    volume = volume_of(MAIN, PIECE)
    assert left(volume, cones_of(MAIN, BOTH)) == len(MAIN)
    found = without_ghosts(volume, cones_of(MAIN, BOTH), 15.0)
    np.testing.assert_array_equal(found.values[: len(MAIN)], volume.values[: len(MAIN)])
    assert (found.values[len(MAIN) :] < 0.08).all()  # no bridge crosses it


@pytest.mark.parametrize(("hidden", "stays"), [(0.5, True), (0.92, False)])
def test_what_is_hidden_in_part_is_a_ghost_only_where_most_of_it_is(hidden, stays):
    piece = rod(ALONG_RAY + np.array([24.5 - 10 * hidden, 0, 0]), 5)
    both = np.concatenate([MAIN, piece])
    cover = silhouette(volume_of(MAIN), camera_from(POSES[0], SHAPE))
    own = silhouette(volume_of(piece), camera_from(POSES[0], SHAPE))
    assert (own & cover).sum() / own.sum() == pytest.approx(hidden, abs=0.08)
    assert left(volume_of(MAIN, piece), cones_of(both, both)) == len(MAIN) + stays * len(piece)


def test_a_part_that_alone_explains_its_pixels_in_two_views_stays():
    apart = rod((0, 14, 10), 3)
    shown = np.concatenate([MAIN, apart])
    assert left(volume_of(MAIN, apart), cones_of(shown, shown)) == len(MAIN) + len(apart)
    assert left(volume_of(MAIN, PIECE), cones_of(MAIN, BOTH, BOTH)) == len(MAIN) + len(PIECE)
    assert left(volume_of(MAIN, PIECE), cones_of(MAIN, MAIN, BOTH)) == len(MAIN)


def test_what_lies_beside_a_mask_is_a_ghost_unless_the_tolerance_reaches_it():
    assert left(volume_of(MAIN, PIECE), cones_of(MAIN, MAIN)) == len(MAIN)
    apart = rod((0, 14, 10), 3)
    shown, aside = (np.concatenate([MAIN, apart + np.array([0, 0, step])]) for step in (0, 3))
    assert left(volume_of(MAIN, apart), cones_of(shown, aside), tolerance_mm=0.0) == len(MAIN)
    assert left(volume_of(MAIN, apart), cones_of(shown, aside), tolerance_mm=2.0) == len(MAIN) + len(apart)


@pytest.mark.parametrize(("largest_mm3", "stays"), [(0.0, True), (2.9, True), (6.1, False)])
def test_only_parts_below_the_size_are_looked_at(largest_mm3, stays):
    assert len(PIECE) * 0.125 == 6.0
    cones = cones_of(MAIN, BOTH)
    assert left(volume_of(MAIN, PIECE), cones, largest_mm3) == len(MAIN) + stays * len(PIECE)


def test_the_largest_part_stays_and_so_does_a_result_without_any():
    small = rod((0, 0, 0), 2)
    assert left(volume_of(small), cones_of(MAIN, MAIN), 1000.0) == len(small)
    volume = volume_of(small, value=0.4)
    assert without_ghosts(volume, cones_of(MAIN, MAIN), 15.0) is volume


def test_no_bridge_leads_to_a_small_ghost_but_to_a_part_that_the_masks_call_for():
    middle = np.array([0.0, 7.0, 0.0])
    between = np.concatenate([rod((0, y, 0), 0.5, 1) for y in np.arange(1.0, 7.0, 0.5)])
    for half_mm, ghost_stays in ((2, False), (5, True)):  # 4 mm3; 10 mm3, which is joined before it is looked at
        near = rod(middle, half_mm)
        indices = np.unique(np.concatenate([MAIN, near, between]), axis=0).astype(np.int32)
        both = np.concatenate([MAIN, near])
        numbers = [np.ravel_multi_index(tuple(voxels.T), GRID.shape) for voxels in (indices, both)]
        values = np.where(np.isin(*numbers), 0.9, 0.3).astype(np.float32)
        volume = SparseVolume(GRID, indices, values)
        ghost = tree_of(volume, cones_of(MAIN, both), filled=False)
        assert ((ghost.values >= 0.5).sum() > len(both)) if ghost_stays else ((ghost.values >= 0.5).sum() == len(MAIN))
        vessels = tree_of(volume, cones_of(both, both), filled=False)
        assert (vessels.values >= 0.5).sum() > len(both)  # and the bridge


def test_nothing_is_left_out_where_pixels_were_filled():
    volume, cones = volume_of(MAIN, PIECE), cones_of(MAIN, BOTH)
    kept = [(tree_of(volume, cones, filled=filled).values >= 0.5).sum() for filled in (False, True)]
    assert kept == [len(MAIN), len(BOTH)]
    assert (tree_of(volume, cones, filled=False, largest_ghost_mm3=0).values >= 0.5).all()


@pytest.mark.parametrize("filled", [False, True])
def test_the_method_leaves_ghosts_out_and_says_so(tmp_path, monkeypatch, filled):
    """All the network's answers are 0.2, but those of the main vessel and of the piece behind it."""
    poses = POSES[:2]
    masks = [cone.distance_px < 0 for cone in cones_of(MAIN, BOTH)]
    views = tuple(AngiogramView(f"view {n}", m, p, mask=m) for n, (m, p) in enumerate(zip(masks, poses, strict=True)))
    write_sparse_diffusion(tmp_path)

    def answer(network, case: SparseCase, *args, filled, **words) -> np.ndarray:
        if told:
            filled(0.5)
        index = np.rint(GRID.indices(case.voxels.children_lps_mm().reshape(-1, 3).astype(float))).astype(int)
        known = ((index >= 0) & (index < GRID.shape)).all(axis=1)
        flat = np.ravel_multi_index(tuple(np.where(known[:, None], index, 0).T), GRID.shape)
        vessel = np.isin(flat, np.ravel_multi_index(tuple(BOTH.T), GRID.shape)) & known
        return np.where(vessel, 0.9, 0.01).astype(np.float32).reshape(1, -1, 8)

    told = filled
    monkeypatch.setattr(method, "probabilities_of", answer)
    config = SparseDiffusionConfig(weights=str(tmp_path / "sparse_diffusion_both.safetensors"))
    result = method.SparseDiffusion().reconstruct(
        ReconstructionInputs(views, 0.5), config, generator=np.random.default_rng(0), progress=silent
    )
    parts = part_numbers(result.volume.indices[result.volume.values >= 0.5]).max() + 1
    assert parts == (2 if filled else 1)
    assert any("largest_ghost_mm3" in note for note in result.notes) != filled
