"""A grey frame of a run -> its vessels, without weights: ridges at several scales, then the edge at half depth.

Ridges: the largest curvature across a dark line at scales of vessels (Lindeberg 1998, doi:10.1023/A:1008097225773),
against the noise of the frame. A pixel near a ridge is vessel as far as it is as dark as the ridge itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..checks import check_range
from ..errors import InputError
from ..views import AngiogramRun, opening_of
from .catheter import without_catheter
from .contrast import contrast_curve
from .frame_depth import background_of, frame_depth
from .vessel_maps import light_of, vessel_maps

__all__ = ["SegmentationConfig", "VesselMaskResult", "segment_frame"]

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]
_RADII_MM = (0.45, 0.8, 1.4, 2.2)  # of the vessels that are looked for, in the patient
_FLAT_MM = 8.0
_BLUR_MM = 0.2
_REACH_MM = 1.6  # how far from its ridge a vessel's edge may lie
_SOFT = 0.06  # share of the ridge's depth over which the edge probability changes


@dataclass(frozen=True)
class SegmentationConfig:
    """Settings of `segment_frame`.

    Attributes:
        high: strength of a ridge, in SD of the noise, that is vessel for certain.
        low: strength of a ridge that is vessel where it continues a certain one.
        edge: share of the depth of a vessel's middle at which its edge lies, in [0.1, 0.9].
        minimum_length_mm: parts shorter than this in the patient are removed; 0 removes none.
        suppress_catheter: whether straight lines of constant width that enter from the border are removed.

    Raises:
        InputError: a value outside its range.
    """

    high: float = 6.0
    low: float = 3.0
    edge: float = 0.25
    minimum_length_mm: float = 8.0
    suppress_catheter: bool = True

    def __post_init__(self) -> None:
        check_range("high ridge threshold", self.high, 0, 1000)
        check_range("low ridge threshold", self.low, 0, self.high)
        check_range("edge", self.edge, 0.1, 0.9)
        check_range("minimum length", self.minimum_length_mm, 0, 1000, unit="mm")


@dataclass(frozen=True, eq=False)
class VesselMaskResult:
    """The vessels of a frame.

    Attributes:
        probability: (rows, columns) in [0, 1], float32; a rank of belief, not calibrated.
        mask: (rows, columns) vessel pixels after clean-up.
        notes: what the user should know, one sentence each.
    """

    probability: Image
    mask: Mask
    notes: tuple[str, ...]


def segment_frame(
    run: AngiogramRun,
    frame: int,
    config: SegmentationConfig | None = None,
    *,
    curve: Sequence[float] | None = None,
) -> VesselMaskResult:
    """Return the vessels of one frame.

    Args:
        run: the run; some of its other frames show the background.
        frame: index of the frame.
        config: settings.
        curve: (N,) opacification of each frame as `choose_frames` gives it; found here when not given.

    Raises:
        InputError: no such frame, missing geometry, frames that cannot be decoded, or no vessel found.
    """
    config = config or SegmentationConfig()
    pixel_mm = _pixel_mm(run, run.check_frame(frame))
    usable = opening_of(run).usable
    if curve is None:
        curve = contrast_curve(vessel_maps(run, usable)).tolist() if len(run) > 1 else [1.0]
    background, note = background_of(run, frame, curve)
    depth = frame_depth(light_of(run.frame(frame), run), background, usable, _FLAT_MM / pixel_mm)
    strength = ridge_strength(depth, usable, [radius / pixel_mm for radius in _RADII_MM])
    probability = _probability(depth, strength, usable, config, pixel_mm)
    mask = _cleaned(probability > 0.5, strength, config, pixel_mm)
    found, notes = mask.any(), [note]
    if config.suppress_catheter:
        mask, removed = without_catheter(mask, usable, pixel_mm)
        mask = _long_parts(mask, config.minimum_length_mm / pixel_mm)
        notes += ["a catheter that enters from the border was removed"] if removed else []
    if not mask.any():
        what = "only a catheter" if found else "no vessel that stands out from the noise"
        raise InputError(f"frame {frame} of {run.name} shows {what}; choose a frame with contrast agent")
    return VesselMaskResult(np.where(mask, probability, probability.clip(max=0.5)), mask, tuple(notes))


def ridge_strength(depth: Image, usable: Mask, radii_px: Sequence[float]) -> Image:
    """Return how strongly each pixel (rows, columns) lies on a line, in SD of the noise; the best of all radii.

    The noise of a scale is the middle size of its responses, most of which are no vessel.
    """
    best = np.zeros_like(depth)
    for radius in radii_px:
        scale = max(0.8, radius / np.sqrt(2))
        inside = ndimage.binary_erosion(usable, iterations=round(2 * scale))
        rr, rc, cc = (ndimage.gaussian_filter(depth, scale, order) for order in ((2, 0), (1, 1), (0, 2)))
        across = np.where(inside, -(rr + cc) / 2 + np.sqrt(((rr - cc) / 2) ** 2 + rc**2), 0)
        along = np.where(inside, -(rr + cc) / 2 - np.sqrt(((rr - cc) / 2) ** 2 + rc**2), 0)
        noise = 1.4826 * float(np.median(np.abs(along[inside]))) if inside.any() else 1.0
        best = np.maximum(best, across / max(noise, 1e-9))
    return best.astype(np.float32)


def _pixel_mm(run: AngiogramRun, frame: int) -> float:
    """Return the size of a pixel in the patient."""
    taken = run.acquisition(frame)
    return float(np.sqrt(np.prod(taken.pixel_spacing_mm))) * taken.sod_mm / taken.sid_mm


def _probability(depth: Image, strength: Image, usable: Mask, config: SegmentationConfig, pixel_mm: float) -> Image:
    """Return ridge belief times edge belief: a pixel half as dark as the ridge beside it is at the edge."""
    smooth = ndimage.gaussian_filter(depth, max(0.5, _BLUR_MM / pixel_mm))
    reach = max(1, round(_REACH_MM / pixel_mm))
    disc = np.hypot(*np.mgrid[-reach : reach + 1, -reach : reach + 1]) <= reach
    ridge = np.where(strength >= config.low, np.maximum(smooth, 0), 0)
    middle = ndimage.maximum_filter(ridge, footprint=disc)
    share = np.divide(smooth, middle, out=np.zeros_like(smooth), where=middle > 0)
    near = ndimage.maximum_filter(np.where(strength >= config.low, strength, 0), footprint=disc)
    belief = near / (near + config.low / 2)
    with np.errstate(over="ignore"):
        edge = 1 / (1 + np.exp(-(share - config.edge) / _SOFT))
    return np.where(usable, np.clip(belief * edge, 0, 1), 0).astype(np.float32)


def _cleaned(likely: Mask, strength: Image, config: SegmentationConfig, pixel_mm: float) -> Mask:
    """Keep the parts that hold a certain ridge (hysteresis) and are long enough; fill pinholes."""
    labels, count = ndimage.label(likely, np.ones((3, 3)))
    certain = np.zeros(count + 1, bool)
    certain[np.unique(labels[(strength >= config.high) & likely])] = True
    certain[0] = False
    kept = _long_parts(certain[labels], config.minimum_length_mm / pixel_mm)
    holes, number = ndimage.label(~kept)
    small = np.bincount(holes.ravel(), minlength=number + 1) * pixel_mm**2 < 1.0
    small[0] = False
    filled: Mask = kept | small[holes]
    return filled


def _long_parts(mask: Mask, length_px: float) -> Mask:
    """Return the connected parts whose bounding box has a diagonal of `length_px` or more."""
    labels, _ = ndimage.label(mask, np.ones((3, 3)))
    sizes = [np.hypot(*(piece.stop - piece.start for piece in box)) for box in ndimage.find_objects(labels)]
    keep: Mask = np.array([False, *(size >= length_px for size in sizes)])[labels]
    return keep
