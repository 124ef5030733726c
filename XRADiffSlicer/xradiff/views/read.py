"""One view from its file(s): image + geometry JSON, or XA DICOM (with corrections by hand)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..datatypes import AngiogramView
from ..files import existing_file, identity_of
from .geometry_json import Facts, acquisition_from, facts_by_hand, facts_from_mapping, read_geometry_json
from .images import read_image
from .xa_dicom import is_dicom, read_xa

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
    files = [identity_of(file)]
    facts: Facts = {}
    notes: tuple[str, ...] = ()
    if is_dicom(file):
        xa = read_xa(file, frame)
        pixels, facts, notes, index = xa.pixels, xa.facts, xa.notes, xa.frame
    else:
        pixels, index = read_image(file), 0
    if isinstance(geometry, Mapping):
        facts |= facts_from_mapping(geometry, f"the geometry of {name}")
    elif geometry is not None and "=" in str(geometry) and not Path(geometry).exists():
        facts |= facts_by_hand(str(geometry))
    elif geometry is not None:
        facts |= read_geometry_json(geometry)
        files.append(identity_of(Path(geometry)))
    origin = f"{name} ({file.name})"
    return AngiogramView(name, pixels, acquisition_from(facts, origin), files=tuple(files), frame=index, notes=notes)
