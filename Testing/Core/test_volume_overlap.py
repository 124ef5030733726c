"""Dice of volumes on grids of their own: known boxes, shifted, finer, elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from xradiff.datatypes import SparseVolume, VolumeGrid
from xradiff.quantification.volumes import on_grid, volume_dice


def box(low, high, spacing=0.5, origin=(-10.0, -10.0, -10.0), shape=(60, 60, 60)):
    """The voxels whose centres lie in [low, high) mm along (x, y, z)."""
    grid = VolumeGrid(shape, (spacing,) * 3, origin)
    centres = grid.centres(np.moveaxis(np.indices(shape), 0, -1))
    return SparseVolume.from_dense(((centres >= low) & (centres < high)).all(axis=-1), grid)


def test_a_volume_is_itself():
    volume = box((-3, 2, 0), (4, 5, 9))
    assert volume_dice(volume, volume) == 1
    np.testing.assert_array_equal(on_grid(volume, volume.bounding_grid(2)), volume.to_dense(2)[0] > 0)


def test_half_of_a_box_covered():
    """|A| = |B| = 8 mm along x, shifted by 4: Dice is a half, whichever axis."""
    for axis in range(3):
        shift = np.zeros(3)
        shift[axis] = 4
        assert volume_dice(box((0, 0, 0), (8, 8, 8)), box(shift, 8 + shift)) == pytest.approx(0.5)


def test_finer_voxels_of_the_same_box():
    """Voxel edges of both grids lie on multiples of 0.5 mm."""
    coarse = box((-5, -2, -8), (5, 3, 4), origin=(-9.75,) * 3)
    fine = box((-5, -2, -8), (5, 3, 4), spacing=0.25, origin=(-9.875,) * 3, shape=(70, 70, 70))
    assert volume_dice(fine, coarse) == 1
    assert volume_dice(coarse, fine) == 1


def test_boxes_apart_and_nothing():
    volume = box((-5, -5, -5), (-2, -2, -2))
    assert volume_dice(volume, box((8, 8, 8), (12, 12, 12))) == 0
    nothing = volume.where(volume.values < 0)
    assert (volume_dice(nothing, volume), volume_dice(volume, nothing), volume_dice(nothing, nothing)) == (0, 0, 1)
