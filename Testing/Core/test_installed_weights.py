"""Weight files of an installation: listed, checked, added and removed."""

from __future__ import annotations

import json

import pytest
import torch
from xradiff.cli import main
from xradiff.errors import InputError, MissingDependencyError
from xradiff.reconstruction import installed
from xradiff.reconstruction.installed import add_weights, list_weights, remove_weights, verify_weights
from xradiff.reconstruction.registry import list_methods
from xradiff.weights import method_of, save_weights


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The user's folder of weights, not there yet."""
    monkeypatch.setenv("XRADIFF_WEIGHTS", str(tmp_path / "mine"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "mine"


@pytest.fixture
def bare(folder, monkeypatch):
    """The same, in an installation that ships nothing."""

    def missing(name):
        raise MissingDependencyError(f"there is no {name}")

    monkeypatch.setattr("xradiff.weights.resource", missing)
    return folder


@pytest.fixture
def file(tmp_path):
    """Weights of the GAN in some download folder, with a card."""
    path = save_weights(tmp_path / "down load" / "x.safetensors", {"a": torch.ones(3)}, "gan", {"n": 1}).path
    path.with_suffix(".md").write_text("# x\n\n| | |\n|---|---|\n| licence | CC BY 4.0 |\n", encoding="utf-8")
    return path


def named(name):
    return next(found for found in list_weights() if found.name == name)


def test_every_method_with_weights_is_listed(folder):
    methods = {(name, spec.name) for spec in list_methods() for name in spec.weights}
    listed = {(found.name, found.method) for found in list_weights()}
    assert listed == methods | {("segmentation", "segmentation"), ("side", "side")}


def test_shipped_weights_are_listed_and_right(folder):
    shipped = [found for found in list_weights() if found.shipped]
    assert {found.name for found in shipped} >= {
        "sparse_diffusion_both",
        "sparse_diffusion_coarse",
        "unet3d_both",
        "segmentation",
        "side",
    }
    for found in shipped:
        assert found.size == found.path.stat().st_size > 1e5 and found.licence == "MIT, like the code"
        assert verify_weights(found.name) == found


def test_weights_are_added_and_removed(bare, file):
    assert method_of(file) == "gan" and named("gan_both").path is None
    said = []
    added = add_weights(file, lambda fraction, message: said.append(fraction))
    assert added == named("gan_both") and said == sorted(said) and said[-1] == 1
    assert added.path == bare / "gan_both.safetensors" and added.path.read_bytes() == file.read_bytes()
    assert (added.licence, added.shipped) == ("CC BY 4.0", False)
    assert verify_weights("gan_both") == added
    assert sorted(path.name for path in bare.iterdir()) == ["gan_both.md", "gan_both.safetensors"]
    assert add_weights(added.path) == added
    assert remove_weights("gan_both") == added.path
    assert list(bare.iterdir()) == [] and named("gan_both").path is None


def test_damaged_weights_are_refused(folder, file):
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(InputError, match="is damaged"):
        add_weights(file)
    assert not folder.exists()
    folder.mkdir()
    (folder / "gan_both.safetensors").write_bytes(data)
    with pytest.raises(InputError, match="is damaged"):
        verify_weights("gan_both")


def test_foreign_files_are_refused(folder, tmp_path):
    (tmp_path / "a.safetensors").write_bytes(b"hello")
    with pytest.raises(InputError, match="not a safetensors file"):
        add_weights(tmp_path / "a.safetensors")
    unknown = save_weights(tmp_path / "b.safetensors", {"a": torch.ones(1)}, "magic", {}).path
    with pytest.raises(InputError, match="unknown method magic"):
        add_weights(unknown)
    with pytest.raises(InputError, match="unknown weights 'nobody'; the methods have sparse_diffusion_both"):
        verify_weights("nobody")


def test_shipped_weights_stay(folder):
    with pytest.raises(InputError, match="part of XRADiffSlicer and stay"):
        remove_weights("unet3d_both")


def test_weights_before_those_shipped_and_these_again(folder, file):
    shipped = named("gan_both")
    assert shipped.shipped and add_weights(file) == named("gan_both") != shipped
    remove_weights("gan_both")
    assert named("gan_both") == shipped


def test_missing_weights_are_missing(bare):
    with pytest.raises(MissingDependencyError, match="no weights gan_both"):
        remove_weights("gan_both")
    with pytest.raises(MissingDependencyError, match="weights --add gan_both"):
        verify_weights("gan_both")


def test_folder_that_cannot_be_written(folder, file):
    folder.write_text("a file")
    with pytest.raises(InputError, match="cannot write the weights"):
        add_weights(file)


def test_a_cancelled_copy_leaves_nothing(folder, file):
    def cancel(fraction, message):
        if fraction >= 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        add_weights(file, cancel)
    assert not folder.exists()


def test_card_without_licence_says_so(folder, file):
    file.with_suffix(".md").write_bytes(b"\xff")
    assert add_weights(file).licence == installed.UNKNOWN_LICENCE


def test_command(bare, file, capsys):
    assert main(["weights"]) == 0
    listing = capsys.readouterr().out.splitlines()
    assert len(listing) == len(list_weights()) and any("gan_both" in line and "missing" in line for line in listing)
    assert main(["weights", "--add", str(file), "--progress", "json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[-1]["type"] == "result" and "gan_both" in lines[-1]["message"]
    assert main(["weights", "--verify", "gan_both", "--progress", "none"]) == 0
    assert "SHA-256 is right" in capsys.readouterr().out
    assert main(["weights", "--remove", "gan_both", "--progress", "none"]) == 0
    assert main(["weights", "--verify", "gan_both", "--progress", "none"]) == 3
    assert main(["weights", "--verify", "a", "--progress", "none"]) == 2
