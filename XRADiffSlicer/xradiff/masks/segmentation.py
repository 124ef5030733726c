"""A grey frame of a run -> its vessels: a method (network or ridges) says what is likely, then clean-up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..checks import check_range
from ..errors import InputError
from ..views import AngiogramRun, opening_of
from .catheter import without_catheter
from .config import SegmentationConfig
from .contrast import contrast_curve
from .frame_depth import LightFrames
from .likely import Likely
from .network.presence import what_is_missing
from .ridges import ridge_vessels
from .vessel_maps import light_of, vessel_maps

__all__ = ["VesselMaskResult", "segment_frame", "settled", "vessels_of"]

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]
_FIELD_MM = (10.0, 600.0)  # of the patient in an image; the largest detectors are 300 x 400 mm


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


def settled(config: SegmentationConfig) -> tuple[SegmentationConfig, tuple[str, ...]]:
    """Return `config` with "auto" replaced by the method that it means here, and why, where it is not the network."""
    if config.method != "auto":
        return config, ()
    missing = what_is_missing(config.weights)
    if not missing:
        return replace(config, method="network"), ()
    note = f"the segmentation network needs {missing}: vessels were found by a ridge filter instead"
    return replace(config, method="ridge"), (note,)


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
        InputError: no such frame, missing geometry, frames or weights that cannot be read, or no vessel found.
        MissingDependencyError: the network is asked for, and torch or its weights are missing.
    """
    pixel_mm = _pixel_mm(run, run.check_frame(frame))
    usable = opening_of(run).usable
    if curve is None:
        curve = contrast_curve(vessel_maps(run, usable)).tolist() if len(run) > 1 else [1.0]
    frames = LightFrames(lambda index: light_of(run.frame(index), run), len(run), usable, pixel_mm)
    found = vessels_of(frames, frame, curve, config or SegmentationConfig())
    if not found.mask.any():
        what = "only a catheter" if _CATHETER in found.notes else "no vessel that stands out from the noise"
        raise InputError(f"frame {frame} of {run.name} shows {what}; choose a frame with contrast agent")
    return found


_CATHETER = "a catheter that enters from the border was removed"


def vessels_of(
    frames: LightFrames, frame: int, curve: Sequence[float], config: SegmentationConfig
) -> VesselMaskResult:
    """Return the vessels of one frame, none where there are none; see `segment_frame`."""
    config, notes = settled(config)
    likely = _method(config)(frames, frame, curve, config)
    length_px = config.minimum_length_mm / frames.pixel_mm
    mask = _cleaned(likely, length_px, frames.pixel_mm)
    notes = (*notes, *likely.notes)
    if config.suppress_catheter and config.method == "ridge":
        mask, removed = without_catheter(mask, frames.usable, frames.pixel_mm)
        mask = _long_parts(mask, length_px)
        notes = (*notes, _CATHETER) if removed else notes
    level = config.threshold if config.method == "network" else 0.5
    return VesselMaskResult(np.where(mask, likely.probability, likely.probability.clip(max=level)), mask, notes)


def _method(config: SegmentationConfig):  # type: ignore[no-untyped-def]
    """Return the function of the method; torch is loaded only for the network."""
    if config.method == "ridge":
        return ridge_vessels
    from .network.answer import network_vessels

    return network_vessels


def _pixel_mm(run: AngiogramRun, frame: int) -> float:
    """Return the size of a pixel in the patient; refuses one that no detector has (memory and time grow with it)."""
    taken = run.acquisition(frame)
    pixel_mm = float(np.sqrt(np.prod(taken.pixel_spacing_mm))) * taken.sod_mm / taken.sid_mm
    spacing = " x ".join(f"{value:g}" for value in taken.pixel_spacing_mm)
    for what, size in zip(("rows", "columns"), run.shape, strict=True):
        said = f"what {run.name} shows of the patient ({size} {what}, imager pixel spacing {spacing} mm)"
        check_range(said, size * pixel_mm, *_FIELD_MM, unit="mm")
    return pixel_mm


def _cleaned(likely: Likely, length_px: float, pixel_mm: float) -> Mask:
    """Keep the parts that hold a certain pixel (hysteresis) and are long enough; fill pinholes."""
    labels, count = ndimage.label(likely.vessel, np.ones((3, 3)))
    certain = np.zeros(count + 1, bool)
    certain[np.unique(labels[likely.certain & likely.vessel])] = True
    certain[0] = False
    kept = _long_parts(certain[labels], length_px)
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
