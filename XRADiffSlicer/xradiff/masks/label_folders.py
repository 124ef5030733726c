"""Folders of angiograms with drawn vessels, as public datasets are laid out -> images and their vessel masks.

ARCADE: `images/` beside `annotations/NAME.json` (COCO; the union of the polygons is the vessel). XCAD: a folder of
images beside a folder of masks of the same names. DCA1: NUMBER.pgm beside NUMBER_gt.pgm.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..files import existing_file
from ..views.images import read_image
from ..views.opening import inside_polygon
from .binary import binary_mask
from .frame_depth import LightFrames
from .vessel_maps import light_of

__all__ = ["FIELD_MM", "LAYOUTS", "LabelledImage", "labelled_images"]

LAYOUTS = ("auto", "arcade", "xcad", "dca1")
FIELD_MM = 110.0
"""Longer edge of an image in the patient, where nothing says: 512 pixels of 0.29 mm, magnified 1.35 times."""
_IMAGES = ("images", "image", "imgs", "img")
_MASKS = ("masks", "mask", "gt", "labels", "label")
_SUFFIXES = (".png", ".pgm", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg")
_NO_VESSEL = "stenosis"  # ARCADE's category of lesions
_EDGE_PX = 2


@dataclass(frozen=True, eq=False)
class LabelledImage:
    """One angiogram and who knows its vessels.

    Attributes:
        image: the file of the angiogram.
        mask: the file of its mask, None where there are polygons.
        polygons: of its vessels, each (N, 2) rows and columns from 0.
    """

    image: Path
    mask: Path | None = None
    polygons: tuple[NDArray[np.float64], ...] = ()

    def frames(self, field_mm: float = FIELD_MM) -> LightFrames:
        """Return the image as a view of one frame whose longer edge is `field_mm` in the patient.

        Raises:
            InputError: it cannot be read.
        """
        light = light_of(self._pixels(), _EIGHT_BITS)
        usable = np.zeros(light.shape, bool)
        usable[_EDGE_PX:-_EDGE_PX, _EDGE_PX:-_EDGE_PX] = True
        return LightFrames(lambda index: light, 1, usable, field_mm / max(light.shape))

    def vessels(self) -> NDArray[np.bool_]:
        """Return the vessel pixels (rows, columns).

        Raises:
            InputError: the mask cannot be read, is no mask or has another size than the image.
        """
        shape = self._pixels().shape
        if self.mask is None:
            found = np.zeros(shape, bool)
            for polygon in self.polygons:
                found |= inside_polygon(polygon + 1, (shape[0], shape[1]))
            return found
        found = binary_mask(read_image(existing_file(self.mask, "the mask")), str(self.mask))
        if found.shape != shape:
            raise InputError(f"{self.mask} has the size {found.shape}, its image {self.image} has {shape}")
        return found

    def _pixels(self) -> NDArray[np.uint8]:
        pixels = read_image(existing_file(self.image, "the angiogram")).astype(np.float64)
        low, high = float(pixels.min()), float(pixels.max())
        if not low < high:
            raise InputError(f"{self.image} has one single grey value")
        return np.rint(255 * (pixels - min(low, 0)) / (high - min(low, 0))).astype(np.uint8)


@dataclass(frozen=True)
class _Grey:
    bits: int
    relationship: str
    subtracted: bool


_EIGHT_BITS = _Grey(8, "LIN", False)


def labelled_images(folder: str | Path, layout: str = "auto") -> list[LabelledImage]:
    """Return the labelled angiograms below a folder, in the order of their names.

    Args:
        folder: a dataset, or one part of it (as its test images).
        layout: one of `LAYOUTS`; auto takes the first that fits.

    Raises:
        InputError: no such folder, damaged annotations, or nothing of that layout.
    """
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise InputError(f"a folder of labelled angiograms is needed, got {folder}")
    readers = {"arcade": _arcade, "dca1": _dca1, "xcad": _xcad}
    for name, reader in readers.items():
        found = sorted(reader(root), key=lambda one: str(one.image)) if layout in ("auto", name) else []
        if found:
            return found
    raise InputError(
        f"{folder} holds no labelled angiograms of the layout {layout}; accepted are ARCADE (images/ beside "
        f"annotations/*.json), XCAD (a folder {'/'.join(_IMAGES)} beside a folder {'/'.join(_MASKS)}) and DCA1 "
        "(1.pgm beside 1_gt.pgm)"
    )


def _arcade(root: Path) -> Iterator[LabelledImage]:
    for file in sorted(root.rglob("annotations/*.json")):
        try:
            told = json.loads(file.read_text(encoding="utf-8"))
            vessels = {one["id"] for one in told["categories"] if one.get("name") != _NO_VESSEL}
            polygons: dict[Any, list[NDArray[np.float64]]] = {}
            for one in told["annotations"]:
                if one["category_id"] in vessels:
                    polygons.setdefault(one["image_id"], []).extend(_polygons(one["segmentation"]))
            names = {one["id"]: str(one["file_name"]) for one in told["images"]}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise InputError(f"{file} is not a COCO annotation file ({error!r})") from None
        images = file.parent.parent / "images"
        yield from (
            LabelledImage(images / Path(name).name, None, tuple(polygons[number]))
            for number, name in names.items()
            if number in polygons
        )


def _polygons(segmentation: Sequence[Sequence[float]]) -> list[NDArray[np.float64]]:
    """Return COCO's polygons x, y, x, y, ... as (N, 2) rows and columns."""
    if isinstance(segmentation, dict):
        raise ValueError("run-length encoded masks; polygons are needed")
    return [np.asarray(flat, dtype=float).reshape(-1, 2)[:, ::-1] for flat in segmentation]


def _dca1(root: Path) -> Iterator[LabelledImage]:
    for mask in root.rglob("*_gt.*"):
        image = mask.with_name(mask.name.replace("_gt.", "."))
        if mask.suffix.lower() in _SUFFIXES and image.is_file():
            yield LabelledImage(image, mask)


def _xcad(root: Path) -> Iterator[LabelledImage]:
    for folder in (root, *(path for path in root.rglob("*") if path.is_dir())):
        here = {path.name.lower(): path for path in folder.iterdir() if path.is_dir()}
        images = next((here[name] for name in _IMAGES if name in here), None)
        masks = next((here[name] for name in _MASKS if name in here), None)
        if images is None or masks is None:
            continue
        known = {path.stem: path for path in masks.iterdir() if path.suffix.lower() in _SUFFIXES}
        for image in images.iterdir():
            if image.suffix.lower() in _SUFFIXES and image.stem in known:
                yield LabelledImage(image, known[image.stem])
