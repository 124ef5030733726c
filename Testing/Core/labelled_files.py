"""Angiograms with drawn vessels as ARCADE, XCAD and DCA1 lay them out; the images are our own."""

from __future__ import annotations

import json

import numpy as np
import SimpleITK as sitk


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
