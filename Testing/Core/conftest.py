"""Fixtures shared by the core's tests. The real pair lies beside the repository and is never committed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from xradiff.datatypes import Acquisition, AngiogramView

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(scope="session")
def clinical_pair() -> Path:
    folder = REPOSITORY.parent / "shared" / "data" / "clinical_pair"
    if not folder.is_dir():
        pytest.skip(f"the real pair is not on this machine (looked in {folder})")
    return folder


@pytest.fixture
def sphere_views():
    """Return make(centre, radius, angles) -> views of an analytic sphere's silhouettes, with masks."""

    def make(centre_mm=(0.0, 0.0, 0.0), radius_mm=10.0, angles=((30, 0), (-40, 20)), shape=(256, 256), shifts=()):
        from xradiff.geometry.camera import camera_from

        views = []
        for number, (primary, secondary) in enumerate(angles):
            acquisition = Acquisition(primary, secondary, 1050.0, 750.0, (0.4, 0.4))
            if number < len(shifts):
                acquisition = acquisition.shifted(shifts[number])
            camera = camera_from(acquisition, shape)
            pixels = np.stack(np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), indexing="ij"), axis=-1)
            to_centre = np.asarray(centre_mm) - camera.source
            distance = np.linalg.norm(np.cross(camera.ray_directions(pixels), to_centre), axis=-1)
            mask = distance <= radius_mm
            views.append(AngiogramView(f"view {number}", mask.astype(np.uint8), acquisition, mask=mask))
        return views

    return make


@pytest.fixture
def write_view(tmp_path):
    """Return write(view, stem) -> (image path, geometry path) in the pytest folder."""
    import SimpleITK as sitk

    def write(view: AngiogramView, stem: str) -> tuple[Path, Path]:
        image, geometry = tmp_path / f"{stem}.png", tmp_path / f"{stem}.json"
        sitk.WriteImage(sitk.GetImageFromArray(view.vessel_mask().astype(np.uint8) * 255), str(image))
        a = view.acquisition
        facts = {"alpha": a.primary_deg, "beta": a.secondary_deg, "sid": a.sid_mm, "sod": a.sod_mm}
        geometry.write_text(json.dumps(facts | {"spacing": a.pixel_spacing_mm[0]}))
        return image, geometry

    return write
