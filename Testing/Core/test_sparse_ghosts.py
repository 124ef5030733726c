"""Small parts that no view calls for are left out of sparse XRA-Diff's result, and only those."""

from __future__ import annotations

import numpy as np
import pytest
from xradiff.datatypes import Acquisition, AngiogramView, SparseVolume, VolumeGrid
from xradiff.geometry.camera import camera_from
from xradiff.projection import silhouette
from xradiff.reconstruction.methods.sparse_diffusion.config import SparseDiffusionConfig
from xradiff.reconstruction.methods.sparse_diffusion.ghosts import without_ghosts
from xradiff.reconstruction.methods.sparse_diffusion.method import tree_of

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


def views_of(*shown: np.ndarray) -> list[AngiogramView]:
    """Return as many views as masks are asked for, each of the voxels that it shows."""
    views = []
    for number, (voxels, pose) in enumerate(zip(shown, POSES, strict=False)):
        mask = silhouette(volume_of(voxels), camera_from(pose, SHAPE))
        views.append(AngiogramView(f"view {number}", mask, pose, mask=mask))
    return views


MAIN = rod((0, 0, 0), 20)
ALONG_RAY = 12 * camera_from(POSES[0], SHAPE).d
PIECE = rod(ALONG_RAY, 3)
"""Behind the middle of the main vessel where the first view looks from; elsewhere in the others."""
BOTH = np.concatenate([MAIN, PIECE])


def left(volume: SparseVolume, views, largest_mm3: float = 15.0) -> int:
    """Return how many voxels stay at 0.5 or more."""
    found = without_ghosts(volume, views, largest_mm3)
    np.testing.assert_array_equal(found.indices, volume.indices)
    return int((found.values >= 0.5).sum())


def test_a_part_hidden_behind_a_vessel_in_one_of_two_views_is_a_ghost():
    volume = volume_of(MAIN, PIECE)
    assert left(volume, views_of(MAIN, BOTH)) == len(MAIN)
    found = without_ghosts(volume, views_of(MAIN, BOTH), 15.0)
    np.testing.assert_array_equal(found.values[: len(MAIN)], volume.values[: len(MAIN)])
    assert (found.values[len(MAIN) :] == np.float32(0.49)).all()


def test_a_part_that_alone_explains_its_pixels_in_two_views_stays():
    apart = rod((0, 14, 10), 3)
    shown = np.concatenate([MAIN, apart])
    assert left(volume_of(MAIN, apart), views_of(shown, shown)) == len(MAIN) + len(apart)
    assert left(volume_of(MAIN, PIECE), views_of(MAIN, BOTH, BOTH)) == len(MAIN) + len(PIECE)
    assert left(volume_of(MAIN, PIECE), views_of(MAIN, MAIN, BOTH)) == len(MAIN)


def test_what_lies_beside_all_masks_is_a_ghost():
    assert left(volume_of(MAIN, PIECE), views_of(MAIN, MAIN)) == len(MAIN)


@pytest.mark.parametrize(("largest_mm3", "stays"), [(0.0, True), (2.9, True), (6.1, False)])
def test_only_parts_below_the_size_are_looked_at(largest_mm3, stays):
    assert len(PIECE) * 0.125 == 6.0
    views = views_of(MAIN, BOTH)
    assert left(volume_of(MAIN, PIECE), views, largest_mm3) == len(MAIN) + stays * len(PIECE)


def test_the_largest_part_stays_and_so_does_a_result_without_any():
    small = rod((0, 0, 0), 2)
    assert left(volume_of(small), views_of(MAIN, MAIN), 1000.0) == len(small)
    volume = volume_of(small, value=0.4)
    assert without_ghosts(volume, views_of(MAIN, MAIN), 15.0) is volume


def test_no_bridge_leads_to_a_small_ghost_but_to_a_part_that_the_masks_call_for():
    middle = np.array([0.0, 7.0, 0.0])
    near, between = rod(middle, 2), np.concatenate([rod((0, y, 0), 0.5, 1) for y in np.arange(1.0, 7.0, 0.5)])
    indices = np.unique(np.concatenate([MAIN, near, between]), axis=0).astype(np.int32)
    vessel = np.isin(
        np.ravel_multi_index(indices.T, GRID.shape), np.ravel_multi_index(np.concatenate([MAIN, near]).T, GRID.shape)
    )
    volume = SparseVolume(GRID, indices, np.where(vessel, 0.9, 0.3).astype(np.float32))
    both = np.concatenate([MAIN, near])
    ghost = tree_of(volume, views_of(MAIN, both), SparseDiffusionConfig(), filled=False)
    assert (ghost.values >= 0.5).sum() == len(MAIN)
    vessels = tree_of(volume, views_of(both, both), SparseDiffusionConfig(), filled=False)
    assert (vessels.values >= 0.5).sum() > len(both)  # and the bridge


def test_nothing_is_left_out_where_pixels_were_filled():
    views, config = views_of(MAIN, BOTH), SparseDiffusionConfig()
    kept = [(tree_of(volume_of(MAIN, PIECE), views, config, filled=filled).values >= 0.5).sum() for filled in (0, 1)]
    assert kept == [len(MAIN), len(BOTH)]
    off = SparseDiffusionConfig(largest_ghost_mm3=0)
    assert (tree_of(volume_of(MAIN, PIECE), views, off, filled=False).values >= 0.5).all()
