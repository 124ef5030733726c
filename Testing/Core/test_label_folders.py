"""Labelled angiograms in the layouts of ARCADE, XCAD and DCA1: what is read, what is refused, what is measured."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from xradiff.cli import main
from xradiff.errors import InputError
from xradiff.masks.label_folders import labelled_images
from xradiff.views.images import read_image

sys.path.append(str(Path(__file__).parent))
from labelled_files import picture, write_arcade, write_dca1, write_pgm, write_png, write_xcad


def overlap(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


@pytest.mark.parametrize(
    ("layout", "write", "first"), [("dca1", write_dca1, 1), ("xcad", write_xcad, 0), ("arcade", write_arcade, 0)]
)
def test_each_layout_gives_images_with_their_vessels(tmp_path, layout, write, first):
    write(tmp_path / "set")
    for asked in (layout, "auto"):
        images = labelled_images(tmp_path / "set", asked)
        assert len(images) == 3
        for number, image in enumerate(images):
            pixels, mask = picture(first + number)
            vessels, frames = image.vessels(), image.frames(45.0)
            assert overlap(vessels, mask) > (0.93 if layout == "arcade" else 0.9999)
            assert frames.pixel_mm == 0.5 and frames.light(0).shape == (70, 90)
            assert np.corrcoef(frames.light(0).ravel(), np.log(pixels / 255 + 0.01).ravel())[0, 1] > 0.99


def test_a_part_of_a_dataset_and_other_folder_names_are_taken(tmp_path):
    write_xcad(tmp_path / "set" / "test", 2, ("img", "gt"))
    assert len(labelled_images(tmp_path / "set")) == len(labelled_images(tmp_path / "set" / "test")) == 2


def test_a_polygon_holds_the_pixels_inside(tmp_path):
    file = write_arcade(tmp_path / "set", 1)
    told = json.loads(file.read_text())
    told["annotations"] = [
        {"image_id": 1, "category_id": 1, "segmentation": [[9.5, 4.5, 19.5, 4.5, 19.5, 9.5, 9.5, 9.5]]}
    ]
    file.write_text(json.dumps(told))
    (image,) = labelled_images(tmp_path / "set")
    expected = np.zeros((70, 90), bool)
    expected[5:10, 10:20] = True
    np.testing.assert_array_equal(image.vessels(), expected)


def test_what_cannot_be_used_is_told_in_one_line(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no labelled angiograms of the layout auto; accepted are ARCADE"):
        labelled_images(tmp_path / "empty")
    with pytest.raises(InputError, match="a folder of labelled angiograms is needed"):
        labelled_images(tmp_path / "none")
    file = write_arcade(tmp_path / "arcade", 1)
    told = json.loads(file.read_text())
    for wrong in ({"counts": [1, 2], "size": [70, 90]}, 5, [[1, 2, 3]]):
        told["annotations"][0]["segmentation"] = wrong
        file.write_text(json.dumps(told))
        with pytest.raises(InputError, match="is not a COCO annotation file"):
            labelled_images(tmp_path / "arcade")
    for text in ("{", "[]", "[" * 100_000):
        file.write_text(text)
        with pytest.raises(InputError, match="is not a COCO annotation file"):
            labelled_images(tmp_path / "arcade")
    write_xcad(tmp_path / "xcad", 1)
    write_png(tmp_path / "xcad" / "masks" / "000.png", np.eye(30) * 255)
    with pytest.raises(InputError, match="has the size"):
        labelled_images(tmp_path / "xcad")[0].vessels()
    write_png(tmp_path / "xcad" / "images" / "000.png", np.zeros((30, 30)))
    with pytest.raises(InputError, match="one single grey value"):
        labelled_images(tmp_path / "xcad")[0].frames()


def test_grey_maps_are_read(tmp_path):
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
    write_pgm(tmp_path / "a.pgm", pixels)
    np.testing.assert_array_equal(read_image(tmp_path / "a.pgm"), pixels)
    (tmp_path / "b.pgm").write_bytes(b"P2 4 3 220\n" + " ".join(str(value) for value in pixels.ravel()).encode())
    np.testing.assert_array_equal(read_image(tmp_path / "b.pgm"), pixels)
    (tmp_path / "c.pgm").write_bytes(b"P5\n4 3\n4095\n" + (pixels.astype(int) * 16).astype(">u2").tobytes())
    np.testing.assert_array_equal(read_image(tmp_path / "c.pgm"), pixels.astype(int) * 16)


@pytest.mark.parametrize(
    "content",
    [
        b"P5\n4 3\n255\n123",
        b"P5\n999999999 999999999\n255\n1",
        b"P6\n1 1\n255\n123",
        b"P5\n4 3\n0\n",
        b"P2 2 1 9\n1 x",
        b"P5",
    ],
)
def test_grey_maps_that_are_none_are_refused(tmp_path, content):
    (tmp_path / "x.pgm").write_bytes(content)
    with pytest.raises(InputError, match="not a PGM image"):
        read_image(tmp_path / "x.pgm")


def test_the_command_measures_and_writes_a_table(capsys, tmp_path):
    write_dca1(tmp_path / "set")
    words = [
        "segment-evaluate",
        tmp_path / "set",
        "--method",
        "ridge",
        "--field-mm",
        "27",
        "--out",
        tmp_path / "t.csv",
    ]
    assert main([str(word) for word in words]) == 0
    text = capsys.readouterr().out
    assert "3 images, method ridge" in text and "Dice: mean 0." in text and "clDice: mean" in text
    rows = (tmp_path / "t.csv").read_text().splitlines()
    assert rows[0] == "image,dice,cldice,seconds" and len(rows) == 4
    assert all(float(row.split(",")[1]) > 0.8 for row in rows[1:])
    assert main(["segment-evaluate", str(tmp_path / "none")]) == 2
