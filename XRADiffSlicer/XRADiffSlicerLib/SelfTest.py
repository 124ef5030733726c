"""Steps of the module's self-test. Each gets a logic and an empty scene; needs no network and installs nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer

from .Contents import AGREE, MASK_ONLY
from .Geometry import factsOf
from .NodeConversion import imageFromNode, meshFromModel, sparseFromVolume
from .Outputs import OutputNodes
from .ResultViews import acquisitionOf, shapeOf, sparseFromSegmentation, updateVirtualView
from .SampleData import loadDemo

SPACING_MM = 1.0
METHOD = "visual_hull"  # needs nothing that Slicer does not have
LEAST_COVERAGE = 0.95
LEAST_DICE = 0.1  # the hull of two views is far larger than the tree


def sampleLoads(_logic: Any) -> None:
    """The bundled case gives two images that know their geometry."""
    nodes = loadDemo()
    _check(len(nodes) == 2, "the sample has two views")
    for node in nodes:
        _check(len(factsOf(node)[0]) >= 5, "the geometry is known")
        _check(bool(imageFromNode(node).any()), "the image is not empty")


def reconstructsSample(logic: Any) -> None:
    """The bundled case gives a segmentation, a probability volume, a surface and a table that fit the images."""
    views = loadDemo()
    outputs = logic.reconstruct(views, method=METHOD, spacingMm=SPACING_MM)
    _check(outputs.segmentation.GetSegmentation().GetNumberOfSegments() == 1, "one segment")
    _check(outputs.table.GetNumberOfRows() == 2, "one row of the table for each view")
    for fit in outputs.fits:
        _check(fit.coverage >= LEAST_COVERAGE, f"the result covers {fit.view_name}, got {fit.coverage:.1%}")
    points = sparseFromVolume(outputs.probability).points_lps_mm()
    vertices = meshFromModel(outputs.model).vertices_lps_mm
    inside = (vertices >= points.min(axis=0) - 2 * SPACING_MM) & (vertices <= points.max(axis=0) + 2 * SPACING_MM)
    _check(bool(np.all(inside)), "the surface lies where the volume is")


def reusesOutputs(logic: Any) -> None:
    """Chosen output nodes are overwritten, no others are made."""
    views = loadDemo()
    first = logic.reconstruct(views, method=METHOD, spacingMm=2 * SPACING_MM)
    count = slicer.mrmlScene.GetNumberOfNodes()
    chosen = OutputNodes(first.segmentation, first.probability, first.model, first.table)
    second = logic.reconstruct(views, method=METHOD, spacingMm=2 * SPACING_MM, outputs=chosen)
    _check(second.segmentation is first.segmentation, "the segmentation is reused")
    _check(slicer.mrmlScene.GetNumberOfNodes() == count, "no node is added")


def refusesOneView(logic: Any) -> None:
    """A reconstruction from one view is refused with a reason."""
    try:
        logic.reconstruct(loadDemo()[:1], method=METHOD)
    except ValueError as error:
        _check("two" in str(error), "the reason is given")
    else:
        raise AssertionError("one view must be refused")


def comparesSyntheticCaseWithItsTruth(logic: Any) -> None:
    """A synthetic case gives views that can be reconstructed, runs that can be played, and a truth to compare with."""
    case = logic.createSyntheticCase("right", seed=1, frames=2, imagePx=256)
    _check(len(case.views) == len(case.angiograms) == 2, "two views and two runs")
    outputs = logic.reconstruct(case.views, method=METHOD, spacingMm=SPACING_MM)
    _check(outputs.truthDice is not None and outputs.truthDice > LEAST_DICE, f"some overlap, got {outputs.truthDice}")


def laysResultOverItsAngiograms(logic: Any) -> None:
    """Each angiogram has an overlay that agrees with the fit, and the virtual C-arm sees what the first view saw."""
    outputs = logic.reconstruct(loadDemo(), method=METHOD, spacingMm=SPACING_MM, calibrate=False)
    _check(len(outputs.overlays) == 2, "one overlay for each view")
    for overlay, fit in zip(outputs.overlays, outputs.fits, strict=True):
        labels = imageFromNode(overlay)
        covered = (labels == AGREE).sum() / max((labels == AGREE).sum() + (labels == MASK_ONLY).sum(), 1)
        _check(abs(covered - fit.coverage) < 1e-6, f"the overlay says what the fit says, got {covered:.3f}")
    first = outputs.overlays[0]
    vessels = sparseFromSegmentation(outputs.segmentation)
    virtual = updateVirtualView(outputs.segmentation, vessels, acquisitionOf(first), shapeOf(first))
    drawn = imageFromNode(first) != MASK_ONLY
    _check(bool(np.array_equal(imageFromNode(virtual) > 0, drawn & (imageFromNode(first) > 0))), "the same silhouette")


def cancelsAWorker(logic: Any) -> None:
    """A worker process starts and ends when it is cancelled, and nothing is changed."""
    heard: list[Any] = []
    views = loadDemo()
    count = slicer.mrmlScene.GetNumberOfNodes()
    worker = logic.startReconstruction(
        views,
        method=METHOD,
        onProgress=lambda _fraction, _message: logic.cancel(),
        onLog=heard.append,
        onFinished=heard.append,
        onFailed=lambda message, cancelled: heard.append((message, cancelled)),
    )
    worker.wait(60)
    _check(("cancelled", True) in heard, f"the answer is that it was cancelled, got {heard}")
    _check(slicer.mrmlScene.GetNumberOfNodes() == count, "no node is added")


STEPS = (
    sampleLoads,
    reconstructsSample,
    reusesOutputs,
    refusesOneView,
    comparesSyntheticCaseWithItsTruth,
    laysResultOverItsAngiograms,
    cancelsAWorker,
)


def _check(condition: bool, what: str) -> None:
    if not condition:
        raise AssertionError(f"expected: {what}")
