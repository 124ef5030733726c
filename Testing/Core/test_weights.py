"""Weight files: found in order, checked before they are read, never executed."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys

import pytest
import torch
from xradiff import weights as module
from xradiff.errors import InputError, MissingDependencyError
from xradiff.weights import (
    find_weights,
    open_weights,
    read_tensors,
    save_weights,
    weights_card,
    weights_folders,
)

RECIPE = {"size": 3, "note": "µ"}
TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.tensor(7), "c": torch.ones(2, dtype=torch.bfloat16)}
SHAPES = {"a.weight": (2, 3), "b": (), "c": (2,)}


@pytest.fixture
def file(tmp_path):
    return save_weights(tmp_path / "sub" / "tiny.safetensors", TENSORS, "some_method", RECIPE).path


def test_what_is_written_is_read_again(file):
    opened = open_weights(file, "some_method")
    assert (opened.path, opened.method, opened.recipe, opened.shapes) == (file, "some_method", RECIPE, SHAPES)
    tensors = read_tensors(opened, SHAPES)
    assert tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert tensors[name].dtype == tensor.dtype
        assert torch.equal(tensors[name], tensor)
    assert sorted(path.name for path in file.parent.iterdir()) == ["tiny.safetensors"]


def test_others_may_read_it_as_any_file_of_the_user(file):
    plain = file.with_name("plain.txt")
    plain.write_text("", encoding="utf-8")
    assert file.stat().st_mode == plain.stat().st_mode


def test_the_file_is_plain_safetensors(file):
    from safetensors import safe_open

    with safe_open(file, framework="pt") as content:
        assert sorted(content.keys()) == ["a.weight", "b", "c"]
        assert json.loads(content.metadata()["xradiff_recipe"]) == RECIPE


def test_every_byte_is_checked(file):
    good = file.read_bytes()
    for position in range(len(good)):
        bad = bytearray(good)
        bad[position] ^= 1 << position % 7
        file.write_bytes(bad)
        with pytest.raises(InputError):
            open_weights(file, "some_method")
    bad[-1] = good[-1] ^ 128
    file.write_bytes(bad)
    with pytest.raises(InputError, match="damaged: its SHA-256 is .* it should be .* get the file again"):
        open_weights(file, "some_method")


def test_the_checksum_can_be_repeated_by_hand(file):
    opened = open_weights(file, "some_method")
    content = file.read_bytes().replace(opened.sha256.encode(), b"0" * 64)
    assert hashlib.sha256(content).hexdigest() == opened.sha256


def test_truncated_files_are_refused_wherever_they_end(file):
    good = file.read_bytes()
    for length in (1, 7, 8, 9, 60, len(good) - 1):
        file.write_bytes(good[:length])
        with pytest.raises(InputError, match="not a safetensors file|cut short"):
            open_weights(file, "some_method")


@pytest.mark.parametrize(
    "content",
    [b"\x80\x04.", b"PK\x03\x04" + b"x" * 40, b"\xff" * 40, (2).to_bytes(8, "little") + b"[]",
     (8).to_bytes(8, "little") + b'{"a": 1}', (10**12).to_bytes(8, "little") + b"{}"],
)  # fmt: skip
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(InputError, match="not a safetensors file"):
        open_weights(tmp_path / "x.safetensors", "some_method")


def test_weights_of_others_are_refused(tmp_path, file):
    from safetensors.torch import save_file

    with pytest.raises(InputError, match="holds weights of the method some_method, not of other"):
        open_weights(file, "other")
    save_file({"a": torch.ones(1)}, tmp_path / "foreign.safetensors")
    with pytest.raises(InputError, match="does not say what its weights are"):
        open_weights(tmp_path / "foreign.safetensors", "some_method")


@pytest.mark.parametrize(
    ("change", "message"),
    [({"a.weight": (3, 2)}, r"a.weight is of shape \(2, 3\), expected is of shape \(3, 2\)"),
     ({"new": (1,)}, r"new is absent, expected is of shape \(1,\)"),
     ({"c": None}, r"c is of shape \(2,\), expected is absent")],
)  # fmt: skip
def test_shapes_are_compared_before_reading(file, monkeypatch, change, message):
    monkeypatch.setattr(module, "_safetensors", lambda: pytest.fail("was read"))
    expected = {name: shape for name, shape in (SHAPES | change).items() if shape is not None}
    with pytest.raises(InputError, match=message):
        read_tensors(open_weights(file, "some_method"), expected)


def test_folders_in_order(monkeypatch, tmp_path, file):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "cache"))
    monkeypatch.setenv("XRADIFF_WEIGHTS", str(tmp_path / "mine"))
    mine, cache = weights_folders()[:2]
    assert mine == tmp_path / "mine"
    assert cache.parts[-2:] == ("xradiffslicer", "weights")
    monkeypatch.setattr(module, "weights_folders", lambda: (tmp_path / "mine", file.parent))
    assert find_weights("tiny", "...") == file
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "tiny.safetensors").touch()
    assert find_weights("tiny", "...") == tmp_path / "mine" / "tiny.safetensors"
    monkeypatch.delenv("XRADIFF_WEIGHTS")
    assert weights_folders()[0] == cache or sys.platform == "darwin"


def test_missing_weights_say_where_and_how(monkeypatch, tmp_path):
    monkeypatch.setenv("XRADIFF_WEIGHTS", str(tmp_path))
    with pytest.raises(MissingDependencyError, match=r"no_such.safetensors are in none of: .*; ask Anna") as caught:
        find_weights("no_such", "ask Anna")
    assert str(tmp_path) in str(caught.value)
    assert caught.value.exit_code == 3


def test_a_path_is_taken_as_it_is(file, tmp_path):
    assert find_weights(str(file), "...") == file
    with pytest.raises(InputError, match="the weight file does not exist"):
        find_weights(str(tmp_path / "gone.safetensors"), "...")


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot write the weights"):
        save_weights(tmp_path / "file" / "x.safetensors", TENSORS, "m", {})


def test_the_card_is_told_with_the_checked_checksum(monkeypatch, file):
    monkeypatch.setenv("XRADIFF_WEIGHTS", str(file.parent))
    told = weights_card("tiny", "some_method")
    assert str(file) in told and open_weights(file, "some_method").sha256 in told
    file.with_suffix(".md").write_text("# What they are\n", encoding="utf-8")
    assert weights_card("tiny", "some_method").endswith("# What they are")
    assert "are in none of" in weights_card("other", "some_method")
    with pytest.raises(InputError, match="holds weights of the method some_method"):
        weights_card("tiny", "another")


def test_finding_and_checking_loads_no_torch(file, repository):
    code = (
        "import sys; from pathlib import Path; from xradiff.weights import open_weights; "
        f"open_weights(Path({str(file)!r}), 'some_method'); print('torch' in sys.modules)"
    )
    folder = repository / "XRADiffSlicer"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=folder)
    assert output.stdout.strip() == "False"
