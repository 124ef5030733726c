"""The recipes of the README, run one after the other as a user pastes them."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
import slicer

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
RECIPES = re.findall(
    r"```python\n(.*?)```",
    README.partition("<!-- recipes: begin -->")[2].partition("<!-- recipes: end -->")[0],
    re.DOTALL,
)


@pytest.mark.slow
def test_recipes_run(mrml, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(slicer, "app", SimpleNamespace(connect=print, layoutManager=lambda: None), raising=False)
    monkeypatch.delitem(sys.modules, "XRADiffSlicer", raising=False)
    assert len(RECIPES) == 5
    names = {"slicer": slicer}
    for recipe in RECIPES:
        exec(recipe, names)
    said = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"\['Demo view 0: 9\d\.\d%', 'Demo view 1: 9\d\.\d%'\]", said[0])
    assert names["hull"].segmentation.GetSegmentation().GetNumberOfSegments() == 1
    assert said[1].endswith("standard deviation") and names["sampled"].model.GetDisplayNode().GetScalarVisibility()
    assert 0.05 < float(said[2]) < 1
    assert names["silhouette"].GetName() == "Virtual C-arm LAO 10.0°, CRA 25.0°"
    assert "surface.stl" in said[3] and "probability.nrrd" in said[3]
