"""Thumbnails and curves, decoded again and looked at pixel by pixel; costs in words."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK as sitk
from XRADiffSlicerLib.Estimates import GIGABYTE, duration, estimateText
from XRADiffSlicerLib.Pictures import CURVE_COLOR, FRAME_COLOR, OUTLINE_COLOR, PHASE_COLOR, curvePng, thumbnailPng
from XRADiffSlicerLib.SettingsForm import decimalsOf, labelOf, valueOf


def pixels(png, tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(png)
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))


def near(picture, color):
    """Pixels that are mostly this color."""
    return (np.abs(picture[..., :3].astype(int) - color).max(axis=-1) < 40) & (picture[..., 3] > 120)


def test_thumbnail_is_upright_and_keeps_its_shape(tmp_path):
    image = np.tile(np.linspace(0, 255, 400), (300, 1)).astype(np.uint8)
    image[:150] //= 2
    picture = pixels(thumbnailPng(image, None, 80), tmp_path)
    assert picture.shape == (60, 80, 4)
    assert picture[5, 70, 0] < picture[55, 70, 0] and picture[55, 10, 0] < picture[55, 70, 0]


def test_outline_of_a_thin_vessel_is_not_lost(tmp_path):
    mask = np.zeros((400, 400), bool)
    mask[200, 40:360] = True
    picture = pixels(thumbnailPng(np.zeros((400, 400)), mask, 100), tmp_path)
    row, column = np.nonzero(near(picture, OUTLINE_COLOR))
    assert set(row) == {50} and (column.min(), column.max()) == (10, 89)


def test_only_the_border_of_a_wide_mask_is_drawn(tmp_path):
    mask = np.zeros((100, 100), bool)
    mask[20:60, 30:80] = True
    picture = near(pixels(thumbnailPng(np.zeros((100, 100)), mask, 100), tmp_path), OUTLINE_COLOR)
    assert picture.sum() == 2 * (40 + 50) - 4


def test_curve_rises_where_contrast_does_and_marks_the_frame(tmp_path):
    curve = np.linspace(0, 1, 11)
    picture = pixels(curvePng(curve, None, 9, 320, 36), tmp_path)
    row, column = np.nonzero(near(picture, CURVE_COLOR))
    left, right = row[column < 60].mean(), row[(column > 200) & (column < 270)].mean()
    assert left > 25 and right < 15
    marked = np.nonzero(near(picture, FRAME_COLOR))[1]
    assert np.median(marked) == pytest.approx(4 + 311 * 0.9, abs=1)


def test_a_line_stands_where_a_beat_begins(tmp_path):
    phases = [0.7, 0.8, 0.9, 0.0, 0.1, 0.2]
    picture = near(pixels(curvePng([0.5] * 6, phases, 0, 320, 36), tmp_path), PHASE_COLOR)
    assert set(np.nonzero(picture.sum(axis=0) > 20)[0]) <= {190, 191} and picture.sum() > 20
    assert near(pixels(curvePng([0.5] * 6, None, 0), tmp_path), PHASE_COLOR).sum() == 0


@pytest.mark.parametrize("count", [1, 2, 200])
def test_any_number_of_frames_can_be_drawn(count, tmp_path):
    assert pixels(curvePng([1.0] * count, [0.1] * count, count - 1), tmp_path).shape == (36, 320, 4)


SPEC = SimpleNamespace(seconds_cpu=3.0, seconds_gpu=0.2, gpu_source="an estimate, not measured", memory_gb=1.5)


def test_cost_on_this_computer():
    assert estimateText(SPEC, "cpu", 8 * GIGABYTE, cores=4) == (
        "About 3 s on the CPU, which has 4 cores here; 1.5 GB of memory (8.0 GB are free). "
        "Loading, surface and report take some seconds more."
    )
    assert estimateText(SPEC, "cpu", 8 * GIGABYTE, cores=1).startswith("About 6 s")
    told = estimateText(SPEC, "cuda", 8 * GIGABYTE)
    assert told.startswith("About 0.2 s on a current GPU (an estimate, not measured)")
    assert "only 1.0 GB are free" in estimateText(SPEC, "cpu", GIGABYTE)
    assert (duration(0.21), duration(89), duration(1500)) == ("0.21 s", "89 s", "25 min")


def test_settings_in_words_and_numbers():
    assert (labelOf("connect_mm"), labelOf("mask_guidance")) == ("Connect:", "Mask guidance:")
    quantile = {"default": -1.0, "minimum": -1, "maximum": 0.9999, "type": "float", "unit": "", "choices": ()}
    assert decimalsOf(quantile) == 4 and decimalsOf({**quantile, "maximum": 100}) == 2
    assert valueOf({**quantile, "unit": "mm"}, "2.5 mm") == 2.5 and valueOf({**quantile, "type": "int"}, 3) == 3
    choice = {**quantile, "type": "str", "choices": ("soft", "hard")}
    assert valueOf(choice, 1) == valueOf(choice, "hard") == "hard"
