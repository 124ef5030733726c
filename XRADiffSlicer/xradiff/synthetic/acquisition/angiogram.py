"""Raw angiogram runs: X-rays through a body and contrast-filled vessels, onto a detector that blurs and counts.

I = I0 exp(-body - catheter) exp(-mu path concentration), then detector blur, a share of scatter, Poisson
noise, collimator and quantisation. The contrast of iodine (15-35 % for a 3 mm vessel), noise and blur are our
own choice of usual values; the body is a rough model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...checks import check_choice, check_range
from ...datatypes import Acquisition
from ...errors import InputError
from ...geometry import Camera
from ...geometry.camera import camera_from
from ..tubes import TubeTree, cones, silhouette
from .background import body_attenuation, catheter
from .contrast import Bolus, concentration, cone_distance_mm
from .thickness import lumen_chords, path_length

__all__ = ["LOG_RANGE", "AngiogramOptions", "SimulatedRun", "simulate_run"]

Image = NDArray[np.float32]
LOG_RANGE = 3.0  # of "LOG" pixels: from the darkest to the brightest the intensity grows by e^3
_VISIBLE = 0.15  # share of full contrast from which a filled pixel counts as vessel
_CATHETER_PER_MM = 0.05  # attenuation of the catheter's own wall
_SCATTER_SD_MM = 25.0


@dataclass(frozen=True)
class AngiogramOptions:
    """How a run is taken. Everything that the acquisition geometry does not say.

    Attributes:
        frames: number of frames when one tree stands for all of them.
        frame_time_ms: time from frame to frame (15 frames/s by default).
        heart_rate_bpm: from which the phases follow when none are given.
        iodine_per_mm: attenuation of full contrast; 0.1 takes 26 % of the light at 3 mm.
        blur_mm: SD of the detector's blur, at the detector.
        scatter: share of the signal that is scatter, in [0, 0.9].
        noise: relative SD of the noise where the image is at its median brightness; 0 for none.
        bits: bits of a pixel, 8 to 16.
        relationship: "LIN" (grey proportional to intensity) or "LOG" (linear in its logarithm over e^3).
        collimator_px: width of the black border; corners are cut by three times as much.
        with_body: heart, spine, ribs, diaphragm.
        with_catheter: a catheter engaged in the ostium.
        bolus: the injection.

    Raises:
        InputError: a value out of its range.
    """

    frames: int = 30
    frame_time_ms: float = 1000 / 15
    heart_rate_bpm: float = 70.0
    iodine_per_mm: float = 0.11
    blur_mm: float = 0.3
    scatter: float = 0.2
    noise: float = 0.02
    bits: int = 12
    relationship: str = "LIN"
    collimator_px: int = 8
    with_body: bool = True
    with_catheter: bool = True
    bolus: Bolus = field(default_factory=Bolus)

    def __post_init__(self) -> None:
        check_range("number of frames", self.frames, 1, 10_000)
        check_range("frame time", self.frame_time_ms, 0, 10_000, unit="ms", open_minimum=True)
        check_range("heart rate", self.heart_rate_bpm, 20, 300, unit="1/min")
        check_range("iodine attenuation", self.iodine_per_mm, 0, 2, unit="1/mm")
        check_range("detector blur", self.blur_mm, 0, 5, unit="mm")
        check_range("scatter share", self.scatter, 0, 0.9)
        check_range("noise", self.noise, 0, 0.5)
        check_range("bits", self.bits, 8, 16)
        check_range("collimator border", self.collimator_px, 0, 10_000, unit="px")
        check_choice("pixel relationship", self.relationship, ("LIN", "LOG"))


@dataclass(frozen=True, eq=False)
class SimulatedRun:
    """A run as a detector gives it, with its truth.

    Attributes:
        frames: (N, rows, columns) uint16, vessels dark.
        masks: (N, rows, columns) vessel pixels in which contrast agent can be seen in that frame, inside the
            collimator; the catheter is not one.
        acquisition: how it was taken.
        frame_time_ms: time from frame to frame.
        phases: (N,) share of the heart cycle since the last R wave, in [0, 1).
        heart_rate_bpm: heart rate.
        bits: bits of a pixel.
        relationship: "LIN" or "LOG", see `AngiogramOptions`.
    """

    frames: NDArray[np.uint16]
    masks: NDArray[np.bool_]
    acquisition: Acquisition
    frame_time_ms: float
    phases: NDArray[np.float64]
    heart_rate_bpm: float
    bits: int
    relationship: str

    @property
    def r_wave_frames(self) -> tuple[int, ...]:
        """Indices of the first frame of each heart cycle that begins in the run."""
        return tuple(int(index) + 1 for index in np.flatnonzero(np.diff(self.phases) < 0))


def simulate_run(
    trees: TubeTree | Sequence[TubeTree],
    acquisition: Acquisition,
    shape: tuple[int, int],
    rng: np.random.Generator,
    options: AngiogramOptions | None = None,
    phases: Sequence[float] | None = None,
) -> SimulatedRun:
    """Return a simulated run.

    Args:
        trees: one tree for all frames, or one a frame (a moving heart) with the same points in the same order.
        acquisition: C-arm pose; its table shift applies to tree and body alike.
        shape: (rows, columns).
        rng: the only source of chance.
        options: everything else.
        phases: (N,) heart phase of each frame in [0, 1); from the heart rate and a random start when not given.

    Raises:
        InputError: no tree, trees that differ in their points, phases that do not fit, or a tree that no frame
            can show.
    """
    options = options or AngiogramOptions()
    sequence = [trees] * options.frames if isinstance(trees, TubeTree) else list(trees)
    _check_sequence(sequence)
    camera = camera_from(acquisition, shape)
    heart_phases = _phases(phases, len(sequence), options, rng)
    still = _still_attenuation(sequence[0], camera, options, rng)
    opening = _collimator(shape, options.collimator_px)
    exposure = _Exposure.of(np.exp(-still), opening > 0.5, camera, options)
    frames, masks = np.zeros((len(sequence), *shape), np.uint16), np.zeros((len(sequence), *shape), bool)
    distance = cone_distance_mm(sequence[0])
    chords, outline = lumen_chords(sequence[0], camera), silhouette(sequence[0], camera)
    if not (outline & (opening > 0.5)).any():
        raise InputError("the view misses the tree: no vessel lies inside the image")
    for index, tree in enumerate(sequence):
        if index and tree is not sequence[index - 1]:
            chords, outline = lumen_chords(tree, camera), silhouette(tree, camera)
        share = concentration(options.bolus, index * options.frame_time_ms, distance)
        filled = (chords @ share).reshape(shape)
        lumen = np.asarray(chords.sum(axis=1)).reshape(shape)
        masks[index] = outline & (filled > _VISIBLE * lumen) & (opening > 0.5)
        frames[index] = exposure.frame(filled, opening, rng)
    return SimulatedRun(
        frames, masks, acquisition, options.frame_time_ms, heart_phases,
        options.heart_rate_bpm, options.bits, options.relationship,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Exposure:
    """From contrast agent along the rays to grey values; what stays the same in all frames is kept here."""

    still: Image  # intensity without contrast agent
    scatter: Image  # its scatter
    white: float  # intensity that fills the pixel range
    photons: float  # counted where the intensity is 1
    blur_px: tuple[float, float]
    options: AngiogramOptions

    @classmethod
    def of(cls, still: Image, seen: NDArray[np.bool_], camera: Camera, options: AngiogramOptions) -> _Exposure:
        pitch = camera.pixel_spacing_mm
        wide = np.asarray(_SCATTER_SD_MM) / pitch
        scatter = ndimage.gaussian_filter(still[::4, ::4], wide / 4) if options.scatter else still[::4, ::4]
        scatter = np.repeat(np.repeat(scatter, 4, axis=0), 4, axis=1)[: camera.shape[0], : camera.shape[1]]
        white = 1.08 * float(np.quantile(still[seen], 0.995))
        photons = 1 / (options.noise**2 * float(np.median(still[seen]))) if options.noise else 0.0
        return cls(still, scatter, white, photons, (options.blur_mm / pitch[0], options.blur_mm / pitch[1]), options)

    def frame(self, filled: NDArray[np.float64], opening: Image, rng: np.random.Generator) -> NDArray[np.uint16]:
        """Return the grey values (rows, columns) for `filled` (rows, columns) mm of full contrast."""
        light = self.still * np.exp(-self.options.iodine_per_mm * filled.astype(np.float32))
        if self.options.blur_mm:
            light = ndimage.gaussian_filter(light, self.blur_px, truncate=3)
        light = (1 - self.options.scatter) * light + self.options.scatter * self.scatter
        if self.photons:
            light = rng.poisson(light * self.photons) / self.photons
        return self._grey(light, opening)

    def _grey(self, light: Image, opening: Image) -> NDArray[np.uint16]:
        top = 2**self.options.bits - 1
        share = light / self.white
        if self.options.relationship == "LOG":
            share = 1 + np.log(np.maximum(share, 1e-6)) / LOG_RANGE
        grey: NDArray[np.uint16] = np.rint(np.clip(share * opening, 0, 1) * top).astype(np.uint16)
        return grey


def _still_attenuation(
    tree: TubeTree, camera: Camera, options: AngiogramOptions, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return the attenuation exponent (rows, columns) of all that holds no moving contrast agent."""
    points = tree.points()
    still = np.zeros(camera.shape, np.float32)
    if options.with_body:
        still += body_attenuation((points.min(axis=0) + points.max(axis=0)) / 2, camera, rng)
    if options.with_catheter:
        still += _CATHETER_PER_MM * path_length(catheter(tree), camera)
    return still


def _collimator(shape: tuple[int, int], border_px: int) -> Image:
    """Return the opening (rows, columns) in [0, 1]: a rectangle with cut corners and soft edges."""
    row, column = (np.minimum(index, size - 1 - index) for index, size in zip(np.indices(shape), shape, strict=True))
    if not border_px:
        return np.ones(shape, np.float32)
    edge = np.minimum(np.minimum(row, column) - border_px, (row + column - 5 * border_px) / np.sqrt(2))
    opening: Image = np.clip(edge / 3 + 0.5, 0, 1).astype(np.float32)
    return opening


def _phases(
    given: Sequence[float] | None, count: int, options: AngiogramOptions, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return the heart phase (N,) of each frame."""
    start = rng.random()
    if given is None:
        return (start + np.arange(count) * options.frame_time_ms / 60_000 * options.heart_rate_bpm) % 1.0
    phases = np.asarray(given, dtype=float)
    if phases.shape != (count,) or not ((phases >= 0) & (phases < 1)).all():
        raise InputError(f"the run needs {count} heart phases in [0, 1), got {phases.size}: {phases[:4]} ...")
    return phases


def _check_sequence(trees: Sequence[TubeTree]) -> None:
    """Tell when there is nothing to show or the trees are not one tree that moves."""
    if not trees:
        raise InputError("a run needs at least one tree, got none")
    counts = {tuple(len(tube.points_lps_mm) for tube in tree.tubes) for tree in trees}
    if len(counts) > 1 or not len(cones(trees[0])[1]):
        raise InputError("the trees of a run must have the same tubes with the same number of points")
