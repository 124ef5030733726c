"""Postprocessing against counts and distances worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from xradiff import memory
from xradiff.datatypes import SparseVolume, VolumeGrid
from xradiff.errors import InputError
from xradiff.postprocess import (
    PostprocessConfig,
    adaptive_threshold,
    close_gaps,
    keep_components,
    postprocess,
    remove_isolated,
    remove_small_components,
    segmentation,
    surface_field,
)
from xradiff.postprocess.components import component_labels
from xradiff.surface import euler_number, surface_of


def volume_of(array, spacing=0.5, origin=(3.0, -7.0, 11.0)):
    return SparseVolume.from_dense(np.asarray(array), VolumeGrid(np.shape(array), spacing, origin))


def tubes(*parts, shape=(60, 20, 20), radius=3.0):
    """Tubes along x with flat ends through the middle of y and z; parts are (first, last) indices of x."""
    x, y, z = np.indices(shape)
    across = np.hypot(y - (shape[1] - 1) / 2, z - (shape[2] - 1) / 2) <= radius
    return volume_of(across & np.any([(x >= first) & (x <= last) for first, last in parts], axis=0), spacing=0.5)


def test_adaptive_threshold_is_the_quantile_of_the_whole_grid_with_its_zeros():
    dense = np.zeros((20, 10, 5), dtype=np.float32)
    dense.flat[:100] = np.random.default_rng(0).permutation(100) / 100 + 0.005
    volume = volume_of(dense)
    for delta in (0.95, 0.97, 0.99):
        threshold = adaptive_threshold(volume, delta)
        assert np.mean(dense >= threshold) == pytest.approx(1 - delta)
        assert threshold == pytest.approx(np.quantile(dense, delta, method="higher"))


def test_adaptive_threshold_keeps_all_positive_voxels_when_they_are_few_and_refuses_an_empty_volume():
    dense = np.zeros((10, 10, 10), dtype=np.float32)
    dense[2, 3, 4], dense[5, 5, 5] = 0.2, 0.7
    assert adaptive_threshold(volume_of(dense), 0.5) == np.float32(0.2)
    with pytest.raises(InputError, match="no positive value"):
        adaptive_threshold(volume_of(np.zeros((4, 4, 4), dtype=np.float32)), 0.9)
    with pytest.raises(InputError, match="less than one of 1000 voxels"):
        adaptive_threshold(volume_of(dense), 0.9999)


def test_a_value_equal_to_the_fixed_threshold_is_kept_in_single_precision():
    dense = np.array([0.7, 0.69, 0.71], dtype=np.float32).reshape(3, 1, 1)
    kept = postprocess(volume_of(dense), PostprocessConfig(threshold=0.7, minimum_component_mm3=0))
    np.testing.assert_array_equal(kept.indices[:, 0], [0, 2])


def test_equation_5_removes_voxels_with_fewer_neighbours_than_gamma():
    cube = np.zeros((7, 7, 7), dtype=bool)
    cube[2:5, 2:5, 2:5] = True  # corners have 7 neighbours, edges 11, faces 17, the centre 26
    for gamma, left in ((7, 27), (8, 19), (12, 7), (18, 1)):
        assert len(remove_isolated(volume_of(cube), gamma).indices) == left


def test_neighbours_at_the_border_of_the_grid_and_diagonal_ones_count():
    assert len(remove_isolated(volume_of(np.ones((2, 2, 2), dtype=bool)), 7).indices) == 8
    diagonal = np.eye(3, dtype=bool)[:, :, None]
    np.testing.assert_array_equal(remove_isolated(volume_of(diagonal), 2).indices, [[1, 1, 0]])


def test_components_are_ordered_by_size_and_connected_across_corners():
    dense = np.zeros((12, 6, 6), dtype=bool)
    dense[0, 0, 0] = True
    dense[3, 3, 3] = dense[4, 4, 4] = True
    dense[8:10, :, :] = True
    volume = volume_of(dense)
    np.testing.assert_array_equal(np.bincount(component_labels(volume)), [72, 2, 1])
    assert len(keep_components(volume, 2).indices) == 74
    assert len(remove_small_components(volume, 0.25).indices) == 74  # two voxels of 0.125 mm3
    assert len(remove_small_components(volume, 0.26).indices) == 72


def test_a_gap_is_bridged_up_to_its_length_and_nothing_else_changes():
    volume = tubes((5, 25), (30, 50))  # voxels 26..29 are missing: 4 voxels = 2 mm
    assert len(close_gaps(volume, 1.99).indices) == len(volume.indices)
    closed = close_gaps(volume, 2.0)
    assert component_labels(closed).max() == 0
    whole = {tuple(index) for index in tubes((5, 50)).indices}
    old, new = ({tuple(index) for index in part.indices} for part in (volume, closed))
    assert old < new <= whole
    assert len(new) > 0.9 * len(whole)
    np.testing.assert_array_equal(closed.indices, np.unique(closed.indices, axis=0))


def test_a_ring_broken_in_three_places_is_joined_without_closing_the_loop():
    x, y, z = np.indices((60, 60, 9))
    angle = np.rad2deg(np.arctan2(y - 29.5, x - 29.5))
    ring = (np.hypot(np.hypot(x - 29.5, y - 29.5) - 20, z - 4) <= 3) & (np.abs((angle % 120) - 60) > 6)
    volume = volume_of(ring)
    assert component_labels(volume).max() == 2
    closed = close_gaps(volume, 3.0)
    assert component_labels(closed).max() == 0
    assert euler_number(surface_of(closed)) == 2, "a closed loop would have 0"


def test_steps_together_and_soft_values_survive():
    rng = np.random.default_rng(1)
    volume = tubes((5, 25), (28, 50))
    volume = SparseVolume(volume.grid, volume.indices, rng.uniform(0.5, 1, len(volume.values)).astype(np.float32))
    speck = SparseVolume(
        volume.grid,
        np.concatenate([np.array([[0, 0, 0]], dtype=np.int32), volume.indices]),
        np.concatenate([np.ones(1, dtype=np.float32), volume.values]),
    )
    told = []
    config = PostprocessConfig(close_gaps_mm=2, minimum_component_mm3=1, keep_components=1)
    clean = postprocess(speck, config, lambda fraction, message: told.append(fraction))
    assert component_labels(clean).max() == 0 and not np.any(np.all(clean.indices == 0, axis=1))
    values = {tuple(index): value for index, value in zip(clean.indices, clean.values, strict=True)}
    assert all(values[tuple(index)] == value for index, value in zip(volume.indices, volume.values, strict=True))
    assert told == sorted(told) and told[-1] == 1
    assert np.all(segmentation(clean).values == 1)


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.8])
def test_the_surface_field_crosses_one_half_exactly_at_the_border_of_what_was_kept(threshold):
    x, y, z = np.indices((30, 30, 30))
    distance = 9.3 - np.sqrt((x - 14.6) ** 2 + (y - 15.2) ** 2 + (z - 14.9) ** 2)
    volume = volume_of(np.clip(distance / 4 + 0.5, 0, 1).astype(np.float32))
    kept = postprocess(volume, PostprocessConfig(threshold=threshold))
    field = surface_field(volume, kept)
    np.testing.assert_array_equal(field.where(field.values >= 0.5).indices, kept.indices)
    assert len(field.indices) > len(kept.indices)
    np.testing.assert_array_equal(field.indices, np.unique(field.indices, axis=0))


def test_a_box_that_does_not_fit_into_memory_is_refused_before_it_is_allocated(monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 2**30)
    grid = VolumeGrid((4000, 4000, 4000), 0.1, (0, 0, 0))
    far = SparseVolume(grid, np.array([[0, 0, 0], [3999, 3999, 3999]], dtype=np.int32), np.ones(2, dtype=np.float32))
    with pytest.raises(InputError, match="GB"):
        remove_isolated(far, 1)
    with pytest.raises(InputError, match="GB"):
        remove_small_components(far, 1)


def test_an_empty_volume_stays_empty():
    empty = volume_of(np.zeros((3, 3, 3), dtype=bool))
    config = PostprocessConfig(minimum_neighbours=10, close_gaps_mm=2, minimum_component_mm3=1, keep_components=1)
    assert len(postprocess(empty, config).indices) == 0
    assert len(surface_field(empty, empty).indices) == 0


def test_values_that_are_not_finite_are_refused():
    volume = volume_of(np.array([[[np.nan, 1.0]]], dtype=np.float32))
    with pytest.raises(InputError, match="NaN"):
        postprocess(volume, PostprocessConfig())


@pytest.mark.parametrize(
    "wrong",
    [
        {"threshold_mode": "otsu"},
        {"threshold": 0},
        {"threshold": float("nan")},
        {"quantile": 1},
        {"minimum_neighbours": 27},
        {"minimum_neighbours": 2.5},
        {"minimum_component_mm3": -1},
        {"keep_components": -1},
        {"close_gaps_mm": 21},
    ],
)
def test_a_wrong_setting_is_refused_with_one_line(wrong):
    with pytest.raises(InputError) as caught:
        PostprocessConfig(**wrong)
    assert "\n" not in str(caught.value)
