"""Samples: the bundled synthetic case, and the clinical pair that the authors of XRA-Diff published."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import slicer

from .Geometry import FROM_JSON, storeFacts
from .NodeConversion import imageNodeFromView

RESOURCES = Path(__file__).resolve().parents[1] / "Resources"
DEMO = RESOURCES / "SampleData" / "demo"
THUMBNAIL = RESOURCES / "Icons" / "XRADiffSlicer.png"
CATEGORY = "XRADiffSlicer"
SYNTHETIC = "Synthetic coronary pair"
CLINICAL = "Clinical right coronary pair (XRA-Diff)"
# Right coronary artery, LAO 39 / CAU 8 and RAO 39 / CRA 6, manual masks; cvlab-ai/xra-diff, MIT licence,
# copyright 2025 D. Lau, H. Malinowski, J. Szyjut, T. Dziubich.
# A commit, not a branch: the files behind the address cannot change.
CLINICAL_COMMIT = "9edf8d48ab3dedfdc178754a5ff4d5cd1846c396"
CLINICAL_ADDRESS = f"https://raw.githubusercontent.com/cvlab-ai/xra-diff/{CLINICAL_COMMIT}/data/"
CLINICAL_FILES = {
    "xray0.png": "d66b6dea56ff347802fd939a0a7b325682587dd89c443113b93ce852cc99578b",
    "params0.json": "7b4a327b94ec02f67bee1c2bbd1a3d1407e5ac183db815a20ed3ffdaeaf5cdc6",
    "xray1.png": "ea8f816ca03950932020e9a696da529a105f5f3e782a9f5494fc2f5d686e6a6f",
    "params1.json": "2087d5e37cb681e8f04baf6382e7c52532a82b652c282cb6917c6427e826b051",
}


def registerSamples() -> None:
    """Register both samples with the Sample Data module; safe to repeat."""
    from SampleData import SampleDataLogic

    SampleDataLogic.registerCustomSampleDataSource(
        category=CATEGORY,
        sampleName=SYNTHETIC,
        uris=[(DEMO / name).as_uri() for name in demoFileNames()],
        fileNames=[f"XRADiffSlicer-{name}" for name in demoFileNames()],
        nodeNames=[None] * 4,
        loadFileType=[None] * 4,
        thumbnailFileName=str(THUMBNAIL),
        customDownloader=lambda _source: loadDemo(),
    )
    SampleDataLogic.registerCustomSampleDataSource(
        category=CATEGORY,
        sampleName=CLINICAL,
        uris=[CLINICAL_ADDRESS + name for name in CLINICAL_FILES],
        fileNames=[f"XRADiffSlicer-clinical-{name}" for name in CLINICAL_FILES],
        nodeNames=[None] * 4,
        loadFileType=[None] * 4,
        checksums=[f"SHA256:{digest}" for digest in CLINICAL_FILES.values()],
        thumbnailFileName=str(THUMBNAIL),
        customDownloader=loadClinical,
    )


def demoFileNames() -> list[str]:
    """Names of the files of the bundled case: image and geometry of each view in turn."""
    return ["view0.png", "view0.json", "view1.png", "view1.json"]


def loadDemo() -> list[Any]:
    """Load the bundled case and return its two volume nodes."""
    return loadPair([DEMO / name for name in demoFileNames()], "Demo")


def loadClinical(source: Any) -> list[Any]:
    """Download (once) and load the clinical pair and return its two volume nodes."""
    from SampleData import SampleDataLogic

    return loadPair(SampleDataLogic().downloadSourceIntoCache(source), "Clinical")


def loadPair(paths: Sequence[str | Path], name: str) -> list[Any]:
    """Add a volume node for each image of `paths` (image, geometry, image, geometry, ...), geometry included."""
    from xradiff.views import read_geometry_json, read_view

    nodes = []
    for index, (image, geometry) in enumerate(zip(paths[::2], paths[1::2], strict=True)):
        node = imageNodeFromView(read_view(image, geometry), f"{name} view {index}")
        storeFacts(node, read_geometry_json(geometry), FROM_JSON)
        nodes.append(node)
    showInSlices(nodes[0])
    return nodes


def showInSlices(node: Any) -> None:
    """Show an image in the slice views, where there are some."""
    if getattr(slicer, "app", None) is not None and slicer.app.layoutManager() is not None:
        slicer.util.setSliceViewerLayers(background=node, fit=True)
