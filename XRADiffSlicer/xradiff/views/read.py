"""One view from its file(s): image + geometry JSON, or XA DICOM (with corrections by hand)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..datatypes import AngiogramView
from ..files import existing_file, identity_of
from .dicom_file import is_dicom
from .geometry_json import acquisition_from, given_facts
from .images import read_image
from .run import read_run, view_of

__all__ = ["read_view"]


def read_view(
    image: str | Path,
    geometry: str | Path | Mapping[str, Any] | None = None,
    *,
    name: str = "view",
    frame: int | None = None,
) -> AngiogramView:
    """Read one view.

    Args:
        image: an image or mask (PNG, TIFF, NRRD, NIfTI) or an XA DICOM file.
        geometry: a geometry JSON file, a mapping with the same keys, or text like
            "primary_deg=30,spacing=0.308". Needed for images; for DICOM it completes or overrides
            what the file says.
        name: what messages call the view.
        frame: index of the frame of a DICOM run; the middle one when not given.

    Raises:
        InputError: a file is missing or unusable, or an angle, a distance or a spacing is missing.
    """
    file = existing_file(image, f"the image of {name}")
    if is_dicom(file):
        run = read_run(file, geometry, name=name)
        index = len(run) // 2 if frame is None else frame
        view = view_of(run, index)
        if frame is not None or len(run) == 1:
            return view
        return replace(view, notes=(f"frame {index} of {len(run)} was used (the middle one)", *view.notes))
    pixels = read_image(file)  # first: a file that is no image lacks no geometry
    facts, files = given_facts(geometry, name)
    acquisition = acquisition_from(facts, f"{name} ({file.name})")
    return AngiogramView(name, pixels, acquisition, files=(identity_of(file), *files))
