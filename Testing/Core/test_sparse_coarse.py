"""The coarser start of sparse XRA-Diff: which blocks are left, what it is trained on, what is said of it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.append(str(Path(__file__).parent))
pytest.importorskip("diffusers")

from small_networks import write_sparse_diffusion
from xradiff.datatypes import SparseVolume, VolumeGrid
from xradiff.errors import Cancelled, InputError, MissingDependencyError
from xradiff.geometry import camera_of
from xradiff.pipeline import reconstruct as whole
from xradiff.progress import silent
from xradiff.projection import silhouette
from xradiff.quantification import dice, on_common_grid
from xradiff.reconstruction.interface import ReconstructionInputs
from xradiff.reconstruction.methods.sparse_diffusion import active, coarse
from xradiff.reconstruction.methods.sparse_diffusion.active import LEAST_TOLERANCE_MM, ActiveVoxels, widened
from xradiff.reconstruction.methods.sparse_diffusion.case import prepare_case
from xradiff.reconstruction.methods.sparse_diffusion.coarse import LikelyPlaces
from xradiff.reconstruction.methods.sparse_diffusion.config import SparseDiffusionConfig
from xradiff.reconstruction.methods.sparse_diffusion.contradictions import contradictions
from xradiff.reconstruction.methods.sparse_diffusion.example import COARSE_TOLERANCES_MM, SparseExample
from xradiff.reconstruction.methods.sparse_diffusion.method import SparseDiffusion
from xradiff.synthetic.case import CaseOptions, draw_case
from xradiff.training.truth import TreeTruth


@pytest.fixture(scope="module")
def drawn():
    return draw_case(CaseOptions(side="right", image_px=256), 5, 0)


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """Networks that take what all masks hold for the truth, fine and coarse."""
    write_sparse_diffusion(tmp_path, "sparse_diffusion_coarse", spacing_mm=1.0, truth_parts=2)
    monkeypatch.setattr(coarse, "COARSE_WEIGHTS", str(tmp_path / "sparse_diffusion_coarse.safetensors"))
    return write_sparse_diffusion(tmp_path).path


def reconstruct(views, weights, **settings):
    config = SparseDiffusionConfig(weights=str(weights), **settings)
    inputs = ReconstructionInputs(tuple(views), 0.5)
    return SparseDiffusion().reconstruct(inputs, config, generator=np.random.default_rng(0), progress=silent)


def counts(note):
    """How many blocks the masks allow, and how many were looked at."""
    return [int(word) for word in note.split() if word.isdigit() and int(word) > 1]


@pytest.mark.parametrize("moved_mm", [0.0, -0.5, 0.3])
def test_a_block_is_left_that_a_likely_voxel_reaches_into(moved_mm):
    rng = np.random.default_rng(0)
    likely = rng.random((6, 7, 8)) < 0.05
    places = LikelyPlaces(VolumeGrid((6, 7, 8), (1.0,) * 3, (10.0, -20.0, 5.0)), likely)
    grid = VolumeGrid((7, 8, 9), (1.0,) * 3, tuple(np.add((10.0, -20.0, 5.0), moved_mm)))
    every = np.stack(np.unravel_index(np.arange(grid.size), grid.shape), axis=1).astype(np.int32)
    apart = np.abs(grid.centres(every)[:, None] - places.grid.centres(np.argwhere(likely))).max(axis=2)
    assert np.array_equal(places.near(ActiveVoxels(grid, every)), (apart < 1 - 1e-6).any(axis=1))


def test_blocks_of_2_mm_hold_every_part_of_a_vessel(drawn):
    """The truth of a coarse example: voxels of 1 mm of which any of 8 parts has its centre in a vessel."""
    truth = TreeTruth(drawn.subject.tree)
    example = SparseExample(1.0, truth_parts=2)(drawn.views, truth)
    tolerance_mm = float(example["shared"][0, 18])
    assert tolerance_mm in [widened(one, 1.0) for one in COARSE_TOLERANCES_MM]
    parts = prepare_case(drawn.views, 1.0, tolerance_mm).voxels.fine.divided(2)
    held = len(np.unique(truth.voxels(parts).indices // 2, axis=0))
    assert float(example["volume"].sum() + example["missed"]) == held
    assert float(example["missed"]) < 0.1 * held  # outside of an image


def test_few_blocks_are_all_looked_at(drawn, weights, monkeypatch):
    monkeypatch.setattr(coarse, "COARSE_WEIGHTS", "nowhere")
    found = reconstruct(drawn.views, weights)
    assert not any("coarser" in note for note in found.notes)


def test_a_coarser_start_leaves_what_the_masks_hold(drawn, weights, monkeypatch):
    """The coarse network says vessel where the masks do; of 2 mm of tolerance about 1 mm is likely by it."""
    every = reconstruct(drawn.views, weights, tolerance_mm="2", coarse_start="never")
    monkeypatch.setattr(coarse, "LIKELY", 0.5)
    fewer = reconstruct(drawn.views, weights, tolerance_mm="2", coarse_start="always")
    note = next(note for note in fewer.notes if "near which a coarser network (sparse_diffusion_coarse" in note)
    allowed, left = counts(note)
    assert left < 0.7 * allowed
    same = on_common_grid(fewer.volume, every.volume)
    assert dice(same.result, same.truth) > 0.999


def test_more_blocks_than_the_network_can_take_are_thinned(drawn, weights, monkeypatch):
    monkeypatch.setattr(coarse, "LIKELY", 0.5)
    blocks = len(prepare_case(drawn.views, 0.5, 2.0).voxels)
    monkeypatch.setattr(active, "MOST", int(0.8 * blocks))
    with pytest.raises(
        InputError, match=f"the masks allow {blocks} blocks of 1 mm would have to be looked at, at most"
    ):
        reconstruct(drawn.views, weights, tolerance_mm="2")
    monkeypatch.setattr(coarse, "MANY_BLOCKS", 0)
    assert len(reconstruct(drawn.views, weights, tolerance_mm="2").volume.indices)


def test_where_nothing_is_likely_everything_is_looked_at(drawn, weights, monkeypatch):
    monkeypatch.setattr(coarse, "LIKELY", 1.5)
    every, same = (reconstruct(drawn.views, weights, coarse_start=start) for start in ("never", "always"))
    assert np.array_equal(every.volume.indices, same.volume.indices)


def test_masks_are_left_a_way_to_be_explained(drawn, weights):
    """On rays where the coarse network found nothing all blocks are left."""
    every = prepare_case(drawn.views, 0.5)
    start = coarse.CoarseStart(drawn.views, LEAST_TOLERANCE_MM, "", "", "cpu", False, np.random.default_rng(0))
    likely = np.zeros(every.voxels.grid.shape, dtype=bool)
    likely[:, :, : likely.shape[2] // 2] = True
    start._asked, start._places = True, LikelyPlaces(every.voxels.grid, likely)
    case = prepare_case(drawn.views, 0.5, thinning=start)
    assert len(case.voxels) < len(every.voxels)
    for view in drawn.views:
        masks = [silhouette(sparse(one.voxels), camera_of(view))[view.vessel_mask()] for one in (every, case)]
        assert masks[1].mean() > masks[0].mean() - 0.01
    assert not start.nothing
    likely[:] = False
    start = coarse.CoarseStart(drawn.views, LEAST_TOLERANCE_MM, "", "", "cpu", False, np.random.default_rng(0))
    start._asked, start._places = True, LikelyPlaces(every.voxels.grid, likely)
    assert len(prepare_case(drawn.views, 0.5, thinning=start).voxels) == len(every.voxels) and start.nothing


def sparse(voxels):
    return SparseVolume(voxels.grid, voxels.indices, np.ones(len(voxels), dtype=np.float32))


def test_cancelling_reaches_the_coarse_network(drawn, weights):
    def cancel(fraction, message):
        if "coarser" in message:
            raise Cancelled

    inputs = ReconstructionInputs(tuple(drawn.views), 0.5)
    config = SparseDiffusionConfig(weights=str(weights), coarse_start="always")
    with pytest.raises(Cancelled):
        SparseDiffusion().reconstruct(inputs, config, generator=np.random.default_rng(0), progress=cancel)


def test_too_little_memory_for_the_coarse_network_is_one_line(drawn, weights, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(coarse, "conditions_of_case", full)
    with pytest.raises(InputError, match=r"^too little memory on cpu for \d+ blocks; close other programs$"):
        reconstruct(drawn.views, weights, coarse_start="always")


def test_both_kinds_of_weights_are_told_apart(drawn, weights, monkeypatch):
    with pytest.raises(InputError, match="for a coarser start alone"):
        reconstruct(drawn.views, coarse.COARSE_WEIGHTS)
    monkeypatch.setattr(coarse, "COARSE_WEIGHTS", str(weights))
    with pytest.raises(InputError, match="holds no weights of a coarser start"):
        reconstruct(drawn.views, weights, coarse_start="always")


def test_the_coarse_weights_are_recorded_and_checked_each_time(drawn, weights):
    found = reconstruct(drawn.views, weights, coarse_start="always")
    path = Path(coarse.COARSE_WEIGHTS)
    assert [file.path for file in found.further_weights] == [path]
    assert reconstruct(drawn.views, weights).further_weights == ()
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(InputError, match="damaged"):
        reconstruct(drawn.views, weights, coarse_start="always")


def test_weights_say_whether_they_need_a_coarser_start(drawn, weights, tmp_path):
    asking = write_sparse_diffusion(tmp_path, "asking", start=coarse.COARSE_WEIGHTS).path
    assert reconstruct(drawn.views, asking).further_weights
    assert not reconstruct(drawn.views, asking, coarse_start="never").further_weights
    three = draw_case(CaseOptions(side="left", image_px=256, poses="clinical", views=3), 8, 0)
    assert len(reconstruct(three.views, asking).volume.indices)
    example = SparseExample(0.5, start=coarse.COARSE_WEIGHTS)(drawn.views, TreeTruth(drawn.subject.tree))
    tolerance_mm = float(example["shared"][0, 18])
    assert len(example["volume"]) < len(prepare_case(drawn.views, 0.5, tolerance_mm).voxels)


def test_even_the_coarse_blocks_may_be_too_many(drawn, weights, monkeypatch):
    monkeypatch.setattr(active, "MOST", 100)
    with pytest.raises(InputError, match="blocks of 2 mm would have to be looked at, at most 100"):
        reconstruct(drawn.views, weights, coarse_start="always")


def test_missing_coarse_weights_are_told_where_they_are_needed(drawn, weights, monkeypatch):
    monkeypatch.setattr(coarse, "COARSE_WEIGHTS", "nowhere")
    with pytest.raises(MissingDependencyError, match="nowhere"):
        reconstruct(drawn.views, weights, coarse_start="always")


def test_views_are_not_said_to_contradict_each_other_by_what_was_left_out(drawn):
    case = prepare_case(drawn.views, 0.5, thinning=lambda maps, voxels, progress: np.arange(len(voxels)) < 50)
    assert len(case.voxels) == 50 < len(case.allowed)
    assert contradictions(case, drawn.views) == ()
    assert "contradict" in contradictions(replace(case, allowed=case.voxels), drawn.views)[0]


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_shipped_coarse_start_leaves_the_vessels(side):
    case = draw_case(CaseOptions(side=side), 2_000_003, 1)
    true = TreeTruth(case.subject.tree)
    dices = {}
    for start in ("never", "always"):
        settings = {"coarse_start": start, "tolerance_mm": "1"}
        found = whole(case.views, "sparse_diffusion", calibrate_mode="off", side=side, settings=settings)
        same = on_common_grid(found.segmentation, true.voxels(found.segmentation.grid))
        dices[start] = dice(same.result, same.truth)
        notes = [note for note in found.notes if "coarser network" in note]
    allowed, left = counts(notes[0])
    assert left < 0.5 * allowed
    assert dices["always"] > dices["never"] - 0.05
