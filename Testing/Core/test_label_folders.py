"""Labelled angiograms in the layouts of ARCADE, XCAD and DCA1: what is read, what is refused, what is measured."""

from __future__ import annotations

import json

import numpy as np
import pytest
import SimpleITK as sitk
from xradiff.cli import main
from xradiff.errors import InputError
from xradiff.masks.label_folders import labelled_images
from xradiff.views.images import read_image


def drawn_angiogram(seed, shape=(70, 90)):
    """Return the light (a logarithm) of a bent dark vessel on noise, and the vessel."""
    rng = np.random.default_rng(seed)
    row, column = np.indices(shape)
    middle = 45 + 12 * np.sin(row / 14 + seed)
    mask = np.abs(column - middle) < 3.5
    light = rng.normal(size=shape) * 0.03 - 0.4 * mask + 0.1 * np.cos(column / 30)
    return light.astype(np.float32), mask


def picture(seed):
    light, mask = drawn_angiogram(seed)
    return np.rint(120 * np.exp(light)).clip(0, 255).astype(np.uint8), mask


def write_pgm(path, pixels):
    path.write_bytes(b"P5\n# a comment\n%d %d\n255\n" % pixels.shape[::-1] + pixels.astype(np.uint8).tobytes())


def write_dca1(folder, count=3):
    folder.mkdir(parents=True)
    for number in range(1, count + 1):
        pixels, mask = picture(number)
        write_pgm(folder / f"{number}.pgm", pixels)
        write_pgm(folder / f"{number}_gt.pgm", mask * 255)


def write_png(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(sitk.GetImageFromArray(np.asarray(pixels, np.uint8)), str(path))


def write_xcad(folder, count=3, names=("images", "masks")):
    for number in range(count):
        pixels, mask = picture(number)
        write_png(folder / names[0] / f"{number:03}.png", pixels)
        write_png(folder / names[1] / f"{number:03}.png", mask * 255)


def write_arcade(folder, count=3):
    """One image has a lesion alone, which is no vessel; vessels are polygons in two parts, as ARCADE's segments."""
    categories = [{"id": 1, "name": "1"}, {"id": 2, "name": "2"}, {"id": 26, "name": "stenosis"}]
    images, annotations = [], []
    for number in range(count):
        pixels, _ = picture(number)
        write_png(folder / "train" / "images" / f"{number + 1}.png", pixels)
        images.append({"id": number + 1, "file_name": f"{number + 1}.png", "height": 70, "width": 90})
        middle = [45 + 12 * np.sin(row / 14 + number) for row in range(70)]
        for part, rows in enumerate((range(36), range(35, 70))):
            left = [(middle[row] - 3.5, row) for row in rows]
            right = [(middle[row] + 3.5, row) for row in reversed(rows)]
            flat = [float(value) for point in left + right for value in point]
            annotations.append({"image_id": number + 1, "category_id": part + 1, "segmentation": [flat]})
        square = [0, 0, 20, 0, 20, 20, 0, 20]
        annotations.append({"image_id": number + 1, "category_id": 26, "segmentation": [square]})
    images.append({"id": 99, "file_name": "99.png"})
    annotations.append({"image_id": 99, "category_id": 26, "segmentation": [[0, 0, 9, 0, 9, 9]]})
    (folder / "train" / "annotations").mkdir()
    told = {"categories": categories, "images": images, "annotations": annotations}
    (folder / "train" / "annotations" / "train.json").write_text(json.dumps(told))
    return folder / "train" / "annotations" / "train.json"


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
