"""What `ship_sparse_diffusion.py` makes of the weights of several runs: their mean, where they share a recipe."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

sys.path.append(str(Path(__file__).parent))
sys.path.append(str(Path(__file__).parents[1] / "Benchmarks"))
pytest.importorskip("diffusers")

from ship_sparse_diffusion import check_alike, mean_of
from small_networks import write_sparse_diffusion
from xradiff.reconstruction.methods.sparse_diffusion.recipe import Recipe
from xradiff.weights import open_weights, read_tensors, save_weights


def test_the_mean_of_runs_lies_between_them(tmp_path):
    first = write_sparse_diffusion(tmp_path)
    shapes = {name: tuple(shape) for name, shape in first.shapes.items()}
    ours = read_tensors(first, shapes)
    theirs = {name: tensor + number for number, (name, tensor) in enumerate(ours.items())}
    save_weights(tmp_path / "other.safetensors", theirs, "sparse_diffusion", first.recipe)
    found = mean_of([first, open_weights(tmp_path / "other.safetensors", "sparse_diffusion")])
    assert list(found) == list(shapes)
    for number, (name, tensor) in enumerate(ours.items()):
        torch.testing.assert_close(found[name], tensor + number / 2)


def test_runs_may_differ_in_how_they_were_trained_and_in_thresholds():
    check_alike([Recipe(), Recipe(learning_rate=1e-3, threshold=0.4, thin_threshold=0.3, source="another")])


@pytest.mark.parametrize(
    ("other", "told"),
    [({"start": "coarse"}, "start is '' and 'coarse'"), ({"spacing_mm": 1.0}, "spacing_mm is 0.5 and 1.0")],
)
def test_runs_of_different_recipes_have_no_mean(other, told):
    with pytest.raises(SystemExit) as ended:
        check_alike([Recipe(), Recipe(), Recipe(**other)])
    assert str(ended.value) == f"only runs of one recipe have a mean: {told}"
