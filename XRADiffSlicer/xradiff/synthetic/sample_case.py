"""Make the bundled demo case: `python -m xradiff.synthetic.sample_case [folder]`.

Two views of the right coronary tree of a generated patient, who moved by a few millimetres before the second one,
the truth beside them. The same seed always gives the same files.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..datatypes import Acquisition
from ..geometry.camera import camera_from
from .anatomy import AnatomyOptions
from .source import Subject, subject_from_population
from .tubes import silhouette, tubes_of

__all__ = ["write_sample_case"]

SEED = 11
SHAPE = (512, 512)
MIDDLE_MM = (6.0, -4.0, 3.0)  # of the tree, LPS: nobody centres a patient exactly
SHIFT_MM = (1.0, -1.5, -4.0)  # of the patient in view 1, LPS: breathing moves the heart towards the feet
VIEWS = (
    Acquisition(35.0, 30.0, 1074.0, 749.0, (0.308, 0.308)),
    Acquisition(-40.0, -15.0, 1097.0, 749.0, (0.308, 0.308)),
)
FOLDER = Path(__file__).resolve().parents[2] / "Resources" / "SampleData" / "demo"
README = """# Demo case

A synthetic right coronary artery in two views (LAO 35 / CRA 30 and RAO 40 / CAU 15): no patient data.

- `view0.png`, `view1.png`: vessel masks, 512 x 512, 0 and 255; `view0.json`, `view1.json`: C-arm geometry
  (degrees, mm; pixel spacing at the detector).
- `truth_centreline.csv`: the tree in the reference position, patient LPS axes, mm, origin at the isocentre.
- `case.json`: side, seed and all parameters.

Between the views the patient moved by ({0:g}, {1:g}, {2:g}) mm (LPS), as table and breathing do. The geometry
files do not say so: calibration has to find it.

Origin: made by `python -m xradiff.synthetic.sample_case`, seed {3}: a generated patient with a {4:.0f} % stenosis
of the {5}. The same command makes it again.
Licence: MIT, as the rest of the repository.
"""


def write_sample_case(folder: Path = FOLDER) -> None:
    """Write masks, geometry, truth and README of the demo case into `folder` (made when missing)."""
    folder.mkdir(parents=True, exist_ok=True)
    subject = _subject()
    tree = tubes_of(subject.tree)
    for number, acquisition in enumerate(VIEWS):
        present = tree.translate(number * np.asarray(SHIFT_MM))
        mask = silhouette(present, camera_from(acquisition, SHAPE))
        image = sitk.GetImageFromArray(mask.astype(np.uint8) * 255)
        sitk.WriteImage(image, str(folder / f"view{number}.png"), useCompression=True)
        _write_json(folder / f"view{number}.json", _geometry(acquisition))
    _write_centreline(folder / "truth_centreline.csv", subject)
    _write_json(folder / "case.json", _parameters(subject))
    worst = max(subject.parameters["lesions"]["right"], key=lambda lesion: lesion["diameter_percent"])
    text = README.format(*SHIFT_MM, SEED, worst["diameter_percent"], worst["branch"])
    (folder / "README.md").write_text(text, encoding="utf-8")


def _subject() -> Subject:
    """Return the generated patient, the tree's middle a little off the isocentre."""
    options = AnatomyOptions(dominance="right", stenoses=1.0, occlusion=0.0, ectasia=0.0, diffuse=0.0)
    subject = subject_from_population("right", np.random.default_rng(SEED), options)
    return subject.translated(np.asarray(MIDDLE_MM) - subject.middle_lps_mm)


def _geometry(acquisition: Acquisition) -> dict[str, float]:
    """Return the geometry by its full names."""
    return {
        "primary_deg": acquisition.primary_deg,
        "secondary_deg": acquisition.secondary_deg,
        "sid_mm": acquisition.sid_mm,
        "sod_mm": acquisition.sod_mm,
        "pixel_spacing_mm": acquisition.pixel_spacing_mm[0],
    }


def _parameters(subject: Subject) -> dict[str, object]:
    """Return what the case was made with."""
    return {
        "side": "right",
        "seed": SEED,
        "shape": list(SHAPE),
        "views": [_geometry(acquisition) for acquisition in VIEWS],
        "true_shift_lps_mm": [[0.0, 0.0, 0.0], list(SHIFT_MM)],
        "tree": {"branches": list(subject.tree.names)} | subject.parameters,
    }


def _write_json(path: Path, content: object) -> None:
    """Write `content` as indented JSON."""
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _write_centreline(path: Path, subject: Subject) -> None:
    """Write one line a centreline point: branch, SYNTAX segment, position and lumen radius."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        lines = csv.writer(stream, lineterminator="\n")
        lines.writerow(["branch", "segment", "x_lps_mm", "y_lps_mm", "z_lps_mm", "radius_mm"])
        for branch in subject.tree:
            for point, radius, segment in zip(branch.points_lps_mm, branch.radii_mm, branch.segments, strict=True):
                lines.writerow([branch.name, segment, *(f"{value:.3f}" for value in (*point, radius))])


if __name__ == "__main__":
    write_sample_case(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
