"""The tree type's rules, and its VTP file there and back."""

from __future__ import annotations

import numpy as np
import pytest
from xradiff.centreline_tree import Branch, CentrelineTree
from xradiff.errors import InputError
from xradiff.export import read_centreline_vtp, write_centreline_vtp


def branch(name="RCA", parent=-1, leaves=-1, count=5):
    points = np.c_[np.arange(count), np.zeros(count), np.linspace(0, 3, count)] + (leaves if leaves > 0 else 0)
    return Branch(name, points, np.linspace(2, 1, count), np.array(["1"] * (count - 1) + ["2a"]), parent, leaves)


@pytest.fixture
def tree():
    return CentrelineTree("right", (branch(), branch("AM1", 0, 2, 3), branch("PDA", 0, 4, 4)))


def test_a_tree_survives_its_file(tmp_path, tree):
    path = tmp_path / "tree.vtp"
    write_centreline_vtp(path, tree)
    read = read_centreline_vtp(path)
    assert (read.side, read.names) == ("right", ("RCA", "AM1", "PDA"))
    for one, two in zip(tree, read, strict=True):
        np.testing.assert_array_equal(one.points_lps_mm, two.points_lps_mm)
        np.testing.assert_array_equal(one.radii_mm, two.radii_mm)
        assert list(one.segments) == list(two.segments)
        assert (one.parent, one.parent_point) == (two.parent, two.parent_point)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_centreline_vtp(tmp_path / "no.vtp")
    (tmp_path / "text.vtp").write_text("text")
    with pytest.raises(InputError, match="lacks the array Radius"):
        read_centreline_vtp(tmp_path / "text.vtp")


def test_length_and_lookup(tree):
    assert tree["RCA"].length_mm == pytest.approx(5.0)  # 4 to the left and 3 up
    with pytest.raises(KeyError):
        tree["LAD"]


def test_moving_points_and_changing_radii_keep_the_topology(tree):
    moved = tree.with_points(tree.points_lps_mm() + 1).with_radii(np.full(12, 0.5))
    assert moved.names == tree.names
    np.testing.assert_array_equal(moved["PDA"].points_lps_mm, tree["PDA"].points_lps_mm + 1)
    assert set(moved["AM1"].radii_mm) == {0.5}


@pytest.mark.parametrize(
    "make",
    [
        lambda: CentrelineTree("left", ()),
        lambda: CentrelineTree("left", (branch(parent=0),)),
        lambda: CentrelineTree("left", (branch(), branch("X", parent=1))),
        lambda: Branch("X", np.zeros((1, 3)), np.ones(1), np.array(["1"])),
        lambda: Branch("X", np.zeros((2, 3)), np.ones(3), np.array(["1", "1"])),
        lambda: Branch("X", np.zeros((2, 3)), -np.ones(2), np.array(["1", "1"])),
        lambda: Branch("X", np.full((2, 3), np.nan), np.ones(2), np.array(["1", "1"])),
    ],
)
def test_impossible_trees_are_refused(make):
    with pytest.raises(InputError):
        make()
