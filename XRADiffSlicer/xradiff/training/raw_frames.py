"""Frames of simulated raw runs with their vessels, drawn as broadly as the simulation allows: for segmentation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..errors import InputError
from ..geometry.camera import camera_from
from ..masks.frame_depth import LightFrames
from ..masks.network.labelled import LabelledFrame
from ..masks.vessel_maps import light_of
from ..synthetic.acquisition import AngiogramOptions, SimulatedRun, simulate_run
from ..synthetic.acquisition.contrast import Bolus
from ..synthetic.case import CaseOptions, draw_case
from ..synthetic.motion import moved_tree
from ..synthetic.motion.between_views import draw_view_motions
from ..synthetic.tubes import tubes_of
from .display import displayed

__all__ = ["RawCase", "RawFrames"]

IMAGES_PX, IMAGE_SHARES = (256, 320, 384, 512), (0.3, 0.3, 0.3, 0.1)
POSES, POSE_SHARES = ("clinical", "autocar", "xradiff"), (0.6, 0.25, 0.15)
FRAMES = (11, 15)
FILLED = 0.5  # of the most vessel pixels in a frame
EMPTY_SHARE = 0.1  # of single frames: any frame, filled or not
DARK = 0.04  # of the grey range: a border


@dataclass(frozen=True)
class RawFrames:
    """Simulated runs by number: of each, four frames, as three kinds of users would have them.

    Two frames of the whole run, one with the run from the first filled frame on, one alone.
    """

    seed: int
    count: int
    drawn = True

    def case(self, number: int) -> tuple[RawCase, int]:
        """Return run `number`, which is simulated when its frames are asked for, and the number."""
        return RawCase(self.seed, number), number

    def describe(self) -> dict[str, Any]:
        """Return the seed and the number of runs."""
        return {"raw frames": "simulated runs", "seed": self.seed, "cases": self.count}


@dataclass(frozen=True)
class RawCase:
    """One simulated run."""

    seed: int
    number: int

    def labelled_frames(self) -> tuple[LabelledFrame, ...]:
        """Return its four frames.

        Raises:
            InputError: it shows no vessel.
        """
        rng = np.random.default_rng((self.seed, self.number))
        return _frames_of(_run(self.seed, self.number, rng), rng)


def _run(seed: int, number: int, rng: np.random.Generator) -> SimulatedRun:
    """Return one run: a tree on a beating heart (at rest in one of five), with everything about it drawn."""
    image_px = int(rng.choice(IMAGES_PX, p=IMAGE_SHARES))
    poses = str(rng.choice(POSES, p=POSE_SHARES))
    case = draw_case(CaseOptions(image_px=image_px, poses=poses), seed, number)
    (motion,) = draw_view_motions("heart" if rng.random() < 0.8 else "none", case.subject, 1, rng)
    options = _options(image_px, rng)
    step = options.frame_time_ms / 60_000 * options.heart_rate_bpm
    phases = ((motion.phase + np.arange(options.frames) * step) % 1).tolist()
    trees = [tubes_of(moved_tree(case.subject.tree, *motion.at(phase))) for phase in phases]
    pose = case.views[int(rng.integers(len(case.views)))].acquisition
    return displayed(simulate_run(trees, pose, (image_px, image_px), rng, options, phases), rng)


def _options(image_px: int, rng: np.random.Generator) -> AngiogramOptions:
    frame_time = float(rng.uniform(60, 140))
    bolus = Bolus(
        start_ms=frame_time * float(rng.uniform(1, 4)),
        duration_ms=float(rng.uniform(700, 2000)),
        speed_mm_s=float(rng.uniform(120, 300)),
        rise_ms=float(rng.uniform(100, 400)),
        washout_ms=float(rng.uniform(300, 900)),
    )
    return AngiogramOptions(
        frames=int(rng.integers(*FRAMES)),
        frame_time_ms=frame_time,
        heart_rate_bpm=float(rng.uniform(50, 100)),
        iodine_per_mm=float(np.exp(rng.uniform(np.log(0.04), np.log(0.22)))),
        blur_mm=float(rng.uniform(0.15, 0.5)),
        scatter=float(rng.uniform(0, 0.45)),
        noise=float(np.exp(rng.uniform(np.log(0.008), np.log(0.045)))),
        bits=int(rng.choice((8, 10, 12))),
        relationship=str(rng.choice(("LIN", "LOG"), p=(0.75, 0.25))),
        collimator_px=int(rng.integers(0, image_px // 16) * (rng.random() < 0.6)),
        with_body=bool(rng.random() < 0.95),
        with_catheter=bool(rng.random() < 0.85),
        bolus=bolus,
    )


@dataclass(frozen=True)
class _Grey:
    """What a simulated run's grey values mean."""

    bits: int
    relationship: str
    subtracted: bool = False


def _frames_of(run: SimulatedRun, rng: np.random.Generator) -> tuple[LabelledFrame, ...]:
    """Return the four frames.

    Raises:
        InputError: the run shows no vessel.
    """
    size = run.masks.sum(axis=(1, 2))
    if not size.max():
        raise InputError("the run shows no vessel")
    curve = size / size.max()
    filled = np.flatnonzero(curve >= FILLED)
    usable = ndimage.binary_erosion(run.frames.max(axis=0) > DARK * 2**run.bits, iterations=3)
    if not usable.any():
        raise InputError("the run is dark")
    pixel_mm = _pixel_mm(run)
    lights = [light_of(frame, _Grey(run.bits, run.relationship)) for frame in run.frames]
    alone = int(rng.integers(len(curve)) if rng.random() < EMPTY_SHARE else rng.choice(filled))
    chosen = [(0, int(rng.choice(filled))), (0, int(rng.choice(filled))), (int(filled[0]), int(rng.choice(filled)))]
    shown = [_labelled(lights[first:], frame - first, curve[first:], usable, pixel_mm, run.masks[frame])
             for first, frame in chosen]  # fmt: skip
    return (*shown, _labelled([lights[alone]], 0, np.ones(1), usable, pixel_mm, run.masks[alone]))


def _labelled(
    lights: list[NDArray[np.float32]],
    frame: int,
    curve: NDArray[np.float64],
    usable: NDArray[np.bool_],
    pixel_mm: float,
    mask: NDArray[np.bool_],
) -> LabelledFrame:
    frames = LightFrames(lights.__getitem__, len(lights), usable, pixel_mm)
    return LabelledFrame(frames, frame, tuple(curve.tolist()), mask)


def _pixel_mm(run: SimulatedRun) -> float:
    """Return the size of a pixel at the isocentre."""
    camera = camera_from(run.acquisition, run.masks.shape[1:])  # type: ignore[arg-type]
    return float(np.sqrt(np.prod(camera.pixel_spacing_mm))) * run.acquisition.sod_mm / run.acquisition.sid_mm
