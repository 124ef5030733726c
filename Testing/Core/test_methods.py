"""One contract for every method of the registry, without a skip-list; and the table itself."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from xradiff.config import config_from, config_to_dict, describe
from xradiff.errors import Cancelled, InputError
from xradiff.progress import silent
from xradiff.reconstruction import registry
from xradiff.reconstruction.interface import ReconstructionInputs
from xradiff.reconstruction.spec import CONSUMES, PRODUCES

sys.path.append(str(Path(__file__).parent))

every_method = pytest.mark.parametrize("name", registry.METHODS)


@pytest.fixture(autouse=True, scope="module")
def small_weights(tmp_path_factory):
    """Weights that every learned method can find and whose answer is known, instead of trained ones."""
    from small_networks import write_believer, write_gan, write_sparse_diffusion, write_unet3d

    folder = tmp_path_factory.mktemp("weights")
    write_believer(folder)
    write_gan(folder)
    write_sparse_diffusion(folder)
    write_unet3d(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XRADIFF_WEIGHTS", str(folder))
        yield


def run(name, views, seed=0, progress=silent):
    spec = registry.method_spec(name)
    config = registry.config_class(spec)()
    inputs = ReconstructionInputs(tuple(views), spacing_mm=1.0)
    method = registry.load_method(spec)
    return method.reconstruct(inputs, config, generator=np.random.default_rng(seed), progress=progress)


def test_the_table_equals_the_folders_on_disk(repository):
    folders = repository / "XRADiffSlicer" / "xradiff" / "reconstruction" / "methods"
    assert sorted(registry.METHODS) == sorted(path.parent.name for path in folders.glob("*/spec.py"))


@every_method
def test_spec_is_complete(name, repository):
    spec = registry.method_spec(name)
    assert spec.name == name
    assert spec.title and spec.reference and spec.description.endswith(".")
    assert set(spec.consumes) <= set(CONSUMES) and set(spec.produces) <= set(PRODUCES) and spec.produces
    folder = repository / "XRADiffSlicer" / "xradiff" / "reconstruction" / "methods" / name
    assert (folder / "README.md").is_file()


@every_method
def test_config_is_frozen_described_and_survives_json(name):
    kind = registry.config_class(registry.method_spec(name))
    config = kind()
    assert dataclasses.fields(kind)
    assert kind.__dataclass_params__.frozen
    assert config_from(kind, json.loads(json.dumps(config_to_dict(config)))) == config
    assert all(field["meaning"].endswith(".") for field in describe(kind))
    with pytest.raises(InputError, match=r"unknown setting 'nonsense'; accepted are"):
        config_from(kind, {"nonsense": 1})


@every_method
def test_same_seed_same_answer_with_probabilities_in_patient_space(name, sphere_views):
    views = sphere_views((10.0, -15.0, 5.0), 6.0)
    first, second = run(name, views, seed=3).volume, run(name, views, seed=3).volume
    np.testing.assert_array_equal(first.indices, second.indices)
    np.testing.assert_array_equal(first.values, second.values)
    assert first.values.min() > 0 and first.values.max() <= 1
    middle = first.points_lps_mm()[first.values >= 0.5].mean(axis=0)
    np.testing.assert_allclose(middle, (10, -15, 5), atol=1.5)


@every_method
def test_inputs_are_left_alone(name, sphere_views):
    views = sphere_views()
    before = [view.mask.copy() for view in views]
    run(name, views)
    for view, mask in zip(views, before, strict=True):
        np.testing.assert_array_equal(view.mask, mask)


@every_method
def test_progress_rises_and_cancels(name, sphere_views):
    seen = []
    run(name, sphere_views(), progress=lambda fraction, message: seen.append((fraction, message)))
    fractions = [fraction for fraction, _ in seen]
    assert fractions == sorted(fractions) and fractions[0] >= 0 and fractions[-1] <= 1
    assert all(message for _, message in seen)

    def cancel(fraction, message):
        raise Cancelled

    with pytest.raises(Cancelled):
        run(name, sphere_views(), progress=cancel)


@every_method
def test_one_view_is_refused(name, sphere_views):
    with pytest.raises(InputError, match="two or more views"):
        run(name, sphere_views()[:1])


def test_unknown_method_lists_what_there_is():
    with pytest.raises(InputError, match="unknown method 'magic'; available are visual_hull"):
        registry.method_spec("magic")


def test_the_default_needs_its_packages_and_the_hull_steps_in(monkeypatch):
    assert registry.chosen_method("auto") == (registry.method_spec(registry.DEFAULT), ())
    assert registry.chosen_method("gan") == (registry.method_spec("gan"), ())
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else found(name))
    spec, told = registry.chosen_method("auto")
    assert spec.name == "visual_hull" and "needs torch: the visual hull was used instead" in told[0]


@pytest.mark.parametrize(
    "code",
    ["import xradiff", "from xradiff.reconstruction.registry import list_methods; list_methods()"],
)
def test_listing_methods_loads_nothing_heavy(code, repository):
    heavy = ("torch", "odl", "diffusers", "vtk", "scipy", "numpy")
    check = f"{code}\nimport sys; print([name for name in {heavy} if name in sys.modules])"
    output = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=True, cwd=repository / "XRADiffSlicer"
    ).stdout
    assert output.strip() == "[]"


def test_readmes_table_is_the_registrys(repository):
    lines = (repository / "README.md").read_text().splitlines()
    rows = lines[lines.index("<!-- methods: begin -->") + 1 : lines.index("<!-- methods: end -->")]
    expected = []
    for spec in registry.list_methods():
        needs = ", ".join(spec.needs + spec.weights) or "nothing more"
        expected.append(f"| `{spec.name}` | {spec.description} | {needs} | {spec.seconds_cpu:g} s on two CPU cores |")
    assert rows == expected
