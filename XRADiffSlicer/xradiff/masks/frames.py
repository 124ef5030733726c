"""Which frame of each run is used: well filled with contrast agent, all at the same heart phase, near end-diastole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..views import AngiogramRun, opening_of
from ..views.ecg import heart_phases
from .contrast import check_contrast, check_polarity, contrast_curve
from .heartbeat import descent_px, onsets_ms
from .vessel_maps import vessel_maps

__all__ = ["FrameChoice", "choose_frames"]

Array = NDArray[np.float64]
BY_MOTION = "motion in the images"
END_DIASTOLE = 0.98  # share of the heart cycle since the R wave: just before the next one
FILLED = 0.65  # of the best frame's contrast: what is good enough
_EMPTY = 0.35  # below, the vessels are too faint to follow their motion
# what costs as much as half a frame of mismatch, which cannot be avoided:
_LATE = 0.2  # this share of the heart cycle away from end-diastole
_FAINT = 0.1  # this much less contrast than in the best frame


@dataclass(frozen=True, eq=False)
class FrameChoice:
    """The frame of a run that is used, and what it was chosen by.

    Attributes:
        frame: its index.
        reason: one sentence for the user.
        curve: (N,) opacification of each frame, 1 in the best one; one frame alone has 1.
        phases: (N,) share of the heart cycle since the R wave, in [0, 1); None where it is not known.
        phase_source: what the phases come from: an ECG source, "motion in the images", or "".
    """

    frame: int
    reason: str
    curve: Array
    phases: Array | None
    phase_source: str


def choose_frames(runs: Sequence[AngiogramRun], frames: Sequence[int | None] | None = None) -> tuple[FrameChoice, ...]:
    """Return the frame to use of each run, all at the same heart phase as nearly as they can be.

    Well-filled frames are compared at every phase of the heart cycle; the phase wins at which they match best, lie
    nearest to end-diastole and show most contrast. Phases come from the ECG, else from the vessels' motion; without
    any, each run's best-filled frame is taken. Each run is decoded once, a few frames again.

    Args:
        runs: one or more.
        frames: per run the user's own frame, or None; the others are matched with it. A run with the user's frame is
            not asked for contrast agent.

    Raises:
        InputError: no run, a run without contrast agent in any frame or with bright vessels, no such frame, or frames
            that cannot be decoded.
    """
    if not runs:
        raise InputError("at least one run is needed, got none")
    wanted = list(frames) if frames is not None else [None] * len(runs)
    if len(wanted) != len(runs):
        raise InputError(f"one frame (or none) a run is needed, got {len(wanted)} for {len(runs)} runs")
    for run, frame in zip(runs, wanted, strict=True):
        if frame is not None:
            run.check_frame(frame)
    seen = [_Seen.of(run, frame is not None) for run, frame in zip(runs, wanted, strict=True)]
    timed = [one for one in seen if one.phases is not None and len(one.curve) > 1]
    target = _common_phase(timed, [frame for one, frame in zip(seen, wanted, strict=True) if one in timed])
    return tuple(one.choice(target, frame, len(timed)) for one, frame in zip(seen, wanted, strict=True))


@dataclass(frozen=True, eq=False)
class _Seen:
    """What is known of a run's frames."""

    curve: Array
    phases: Array | None
    source: str
    step: float  # share of the heart cycle from frame to frame

    @classmethod
    def of(cls, run: AngiogramRun, trusted: bool) -> _Seen:
        """Return what the frames show; of a run that is not `trusted` to show vessels this is checked."""
        if len(run) == 1:
            return cls(np.ones(1), run.phases(), "" if run.ecg is None else run.ecg.source, 1.0)
        usable = opening_of(run).usable
        maps = vessel_maps(run, usable)
        curve = contrast_curve(maps)
        if not trusted:
            check_polarity(run, usable, maps)
            check_contrast(maps, curve, run.name)
        phases, source = run.phases(), "" if run.ecg is None else run.ecg.source
        if phases is None:
            phases, source = _by_motion(run, maps, curve)
        step = 1.0 if phases is None else float(np.median(np.diff(phases) % 1.0))
        return cls(curve, phases, source if phases is not None else "", max(step, 1e-3))

    def costs(self, phase: float) -> Array:
        """Return what each frame (N,) costs at `phase`: mismatch in frames and lack of contrast, squared."""
        assert self.phases is not None
        faint = np.where(self.curve >= FILLED, ((1 - self.curve) / _FAINT) ** 2, np.inf)
        cost: Array = (2 * _apart(self.phases, phase) / self.step) ** 2 + faint
        return cost

    def choice(self, target: float | None, wanted: int | None, timed: int) -> FrameChoice:
        frame = int(np.argmax(self.curve))
        reason = "the frame with most contrast; the heart phase is not known (no ECG, no clear beat in the images)"
        if wanted is not None:
            frame, reason = wanted, "chosen by the user"
        elif len(self.curve) == 1:
            reason = "the only frame; whether it is filled at its best cannot be told from one frame"
        elif target is not None and self.phases is not None:
            frame = int(np.argmin(self.costs(target)))
            with_others = f", matched with {timed - 1} other run{'s' if timed > 2 else ''}" if timed > 1 else ""
            reason = (
                f"{self.curve[frame]:.0%} of the best contrast at {self.phases[frame]:.0%} of the heart cycle "
                f"({self.source}){with_others}"
            )
        return FrameChoice(frame, reason, self.curve, self.phases, self.source)


def _common_phase(seen: Sequence[_Seen], wanted: Sequence[int | None]) -> float | None:
    """Return the phase at which the runs cost least; the user's frames fix it."""
    pairs = zip(seen, wanted, strict=True)
    fixed = [float(one.phases[frame]) for one, frame in pairs if frame is not None and one.phases is not None]
    if fixed:
        return fixed[0]
    grid = np.arange(0, 1, 0.005)
    late = (_apart(grid, END_DIASTOLE) / _LATE) ** 2
    total = [sum(float(one.costs(phase).min()) for one in seen) for phase in grid]
    return float(grid[np.argmin(np.array(total) + len(seen) * late)]) if seen else None


def _by_motion(run: AngiogramRun, maps: NDArray[np.float32], curve: Array) -> tuple[Array | None, str]:
    """Return phases and their source from the stretch around the best frame in which vessels can be followed."""
    best = int(np.argmax(curve))
    faint = np.flatnonzero(curve < _EMPTY)
    low = int(faint[faint < best].max(initial=-1)) + 1
    high = int(faint[faint > best].min(initial=len(curve)))
    onsets = onsets_ms(run.times_ms[low:high], descent_px(maps[low:high]))
    return (None, "") if onsets is None else (heart_phases(run.times_ms, onsets), BY_MOTION)


def _apart(phases: Array, phase: float) -> Array:
    """Return how far phases lie from `phase` around the cycle, 0 to 0.5."""
    away: Array = np.abs((phases - phase + 0.5) % 1.0 - 0.5)
    return away
