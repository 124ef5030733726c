"""Correct the poses of views that were not taken at the same time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..checks import check_choice
from ..datatypes import Acquisition, AngiogramView
from ..errors import InputError
from ..geometry import camera_of
from ..progress import Progress, silent, stage
from .bundle import Track, adjust
from .closed_form import PRIOR_MM
from .evidence import Consistency
from .frame import PairFrame
from .landmarks import Landmarks, landmark_gaps
from .misfit import misfit, worst_gap_mm
from .outline import trace_outline
from .report import CalibrationReport, PairSearch, ViewCorrection
from .scene import LEAST_SEPARATION_DEG, Scene, usable_pairs
from .shift import ShiftEstimate, estimate_shifts

__all__ = ["MODES", "calibrate"]

Array = NDArray[np.float64]
MODES = ("off", "auto", "shift", "bundle")
_CHANGES = ("primary_deg", "secondary_deg", "roll_deg", "sod_mm", "sid_mm")
_LEAST_GAIN = 1.05  # of the consistency score; less is noise
_FAR_MM, _FAR_GAIN = 1.0, 2.0  # a move this far must make the score twice as good; chosen on generated pairs
_LEAST_AGREEMENT = 0.12  # unrelated masks reach this by chance
_SIGNIFICANT = 2.0  # standard deviations
_UNDETERMINED_MM = PRIOR_MM / 2
_BUNDLE_GATES_MM = (1.5, 1.0, 0.7)


def calibrate(
    views: Sequence[AngiogramView],
    *,
    mode: str = "auto",
    landmarks: Landmarks | None = None,
    progress: Progress = silent,
) -> CalibrationReport:
    """Return the views with corrected acquisitions, and the evidence.

    Views are taken one after the other: breathing and table motion displace the patient in between. View 0 is
    the reference. With two views only the displacement along n = d_A x d_B can be known well; along m it
    changes the image's scale a little, and along the baseline nothing. With three or more, all but a common
    scale (displacements in proportion to S_k - S_0) can be known. Consistency is never made worse.

    Args:
        views: two or more views with masks.
        mode: "off" changes nothing; "auto" corrects a displacement when it is significant; "shift" corrects
            it whenever consistency gains; "bundle" also adjusts angles and, with 8 or more correspondences,
            roll, SOD and SID.
        landmarks: corresponding points; a pair of views that shares any is solved from them (in closed form,
            with the masks' frontier points near that solution) instead of searched.
        progress: called with fraction and message; may raise Cancelled.

    Raises:
        InputError: an unknown mode, fewer than two views, no mask, an empty mask, landmarks that do not fit.
    """
    check_choice("calibration mode", mode, MODES)
    views = tuple(views)
    if mode == "off":
        return CalibrationReport(views, mode, notes=("calibration was switched off",))
    scene = _scene(views, landmarks)
    if not scene.pairs:
        warning = f"no two views are {LEAST_SEPARATION_DEG:g} degrees apart; the views were left as stated"
        return CalibrationReport(views, mode, warnings=(warning,))
    before = scene.consistency(np.zeros((len(views), 3)))
    estimate = estimate_shifts(scene, stage(progress, 0.1, 0.8))
    refused = _refusal(scene, estimate, before, mode)
    shifts = np.zeros((len(views), 3)) if refused else estimate.shifts_mm
    poses = [view.acquisition.shifted(t) for view, t in zip(views, shifts, strict=True)]
    after, reason = (before, refused) if refused else (estimate.consistency, _gain(before, estimate.consistency))
    if mode == "bundle":
        progress(0.8, "bundle adjustment")
        poses, after, reason = _bundled(views, scene, landmarks, (poses, after, reason))
    progress(1.0, "calibrated")
    return _report(views, mode, scene, estimate, poses, (before, after), reason)


def _scene(views: tuple[AngiogramView, ...], landmarks: Landmarks | None) -> Scene:
    """Return outlines, cameras, usable pairs and landmark gaps of the views."""
    if len(views) < 2:
        raise InputError(f"calibration needs two or more views, got {len(views)}")
    outlines = []
    for view in views:
        mask = view.vessel_mask()
        if mask.shape != view.shape:
            raise InputError(f"the mask of {view.name} must have the image's shape {view.shape}, got {mask.shape}")
        outlines.append(trace_outline(mask.astype(bool)))
    if landmarks is not None:
        landmarks.check([view.shape for view in views])
    cameras = tuple(camera_of(view) for view in views)
    pairs = usable_pairs(cameras)
    marks = tuple(g for g in landmark_gaps(landmarks, cameras) if (g.first, g.second) in pairs)
    return Scene(tuple(outlines), cameras, pairs, marks)


def _refusal(scene: Scene, estimate: ShiftEstimate, before: Consistency, mode: str) -> str:
    """Return why the estimate must not be used; empty when it may."""
    after = estimate.consistency
    if estimate.agreement < _LEAST_AGREEMENT:
        return f"kept: the masks have too little in common (agreement {estimate.agreement:.2f})"
    far = not scene.landmarks and float(np.linalg.norm(estimate.shifts_mm, axis=1).max()) > _FAR_MM
    if after.score < (_FAR_GAIN if far else _LEAST_GAIN) * before.score:
        return f"kept: no shift is clearly more consistent (score {before.score:.3f}, best {after.score:.3f})"
    if mode == "auto" and not _significant(scene, estimate):
        return "kept: the best shift is within its uncertainty"
    return ""


def _significant(scene: Scene, estimate: ShiftEstimate) -> bool:
    """Tell whether any view is displaced by more than two standard deviations along n (3 views: or m).

    With two views a displacement along m alone does little harm and rests on a change of scale of 0.1 % a mm.
    """
    axes = ("n", "m") if len(scene.cameras) > 2 else ("n",)
    for k in range(1, len(scene.cameras)):
        frame = _frame_of(scene, k)
        sigma = _sigma(frame, estimate.covariance, k)
        if any(abs(getattr(frame, axis) @ estimate.shifts_mm[k]) > _SIGNIFICANT * sigma[axis] for axis in axes):
            return True
    return False


def _frame_of(scene: Scene, k: int) -> PairFrame:
    """Return the frame of view k and the first view it is compared with (any pair when there is none)."""
    still = np.zeros((len(scene.cameras), 3))
    pair = next((pair for pair in scene.pairs if k in pair), scene.pairs[0])
    return replace(scene, pairs=(pair,)).evidence(still)[pair].frame


def _sigma(frame: PairFrame, covariance: Array, k: int) -> dict[str, float]:
    """Return the standard deviations of view k's displacement along n, m and b."""
    block = covariance[3 * k - 3 : 3 * k, 3 * k - 3 : 3 * k]
    axes = {"n": frame.n, "m": frame.m, "b": frame.baseline}
    return {name: float(np.sqrt(axis @ block @ axis)) for name, axis in axes.items()}


def _gain(before: Consistency, after: Consistency) -> str:
    """Return the sentence that states the gain."""
    return (
        f"consistency score {before.score:.3f} -> {after.score:.3f}, "
        f"frontier gap {before.frontier_gap_mm:.2f} -> {after.frontier_gap_mm:.2f} mm"
    )


def _bundled(
    views: tuple[AngiogramView, ...],
    scene: Scene,
    landmarks: Landmarks | None,
    present: tuple[list[Acquisition], Consistency, str],
) -> tuple[list[Acquisition], Consistency, str]:
    """Return poses after rounds of matching and adjustment, or the `present` ones when it does not help."""
    best_poses, best, _ = present
    stated, shapes = [view.acquisition for view in views], [view.shape for view in views]
    poses, still, improved = best_poses, np.zeros((len(views), 3)), False
    for gate in _BUNDLE_GATES_MM:
        tracks = _tracks(_posed(views, poses, scene), landmarks, gate)
        if not tracks:
            break
        start = np.array([p.table_shift_mm for p in poses]) - [s.table_shift_mm for s in stated]
        poses = list(adjust(stated, shapes, tracks, start))
        consistency = _posed(views, poses, scene).consistency(still)
        if consistency.score > best.score:
            best_poses, best, improved = poses, consistency, True
    if not improved:
        return best_poses, best, present[2] + "; bundle adjustment gave nothing better"
    return best_poses, best, _gain(present[1], best) + " by bundle adjustment"


def _posed(views: tuple[AngiogramView, ...], poses: Sequence[Acquisition], scene: Scene) -> Scene:
    """Return the scene with the cameras of `poses`."""
    cameras = tuple(camera_of(view.with_acquisition(pose)) for view, pose in zip(views, poses, strict=True))
    return replace(scene, cameras=cameras, landmarks=())


def _tracks(scene: Scene, landmarks: Landmarks | None, gate_mm: float) -> list[Track]:
    """Return landmarks and matched frontier points as tracks of two views each."""
    tracks = []
    for pair, evidence in scene.evidence(np.zeros((len(scene.cameras), 3))).items():
        pixels_a, pixels_b, weights = evidence.correspondences(gate_mm)
        marked = landmarks.shared(*pair) if landmarks else (np.zeros((0, 2)),) * 2
        first, second = np.concatenate([pixels_a, marked[0]]), np.concatenate([pixels_b, marked[1]])
        if len(first):
            tracks.append(Track(pair, (first, second), np.append(weights, np.ones(len(marked[0])))))
    return tracks


def _report(
    views: tuple[AngiogramView, ...],
    mode: str,
    scene: Scene,
    estimate: ShiftEstimate,
    poses: Sequence[Acquisition],
    consistency: tuple[Consistency, Consistency],
    reason: str,
) -> CalibrationReport:
    """Put the report together."""
    corrected = tuple(view.with_acquisition(pose) for view, pose in zip(views, poses, strict=True))
    corrections = tuple(_correction(scene, estimate, corrected[k], views[k], k, reason) for k in range(1, len(views)))
    searches = tuple(PairSearch((views[i].name, views[j].name), curve) for (i, j), curve in estimate.curves.items())
    used = sum(len(g.gaps_mm) for g in scene.landmarks)
    notes = (f"{used} correspondences of landmarks were used",) if scene.landmarks else ()
    pairs = _posed(views, poses, scene).evidence(np.zeros((len(views), 3)))
    fits = {pair: found.consistency for pair, found in pairs.items()}
    warnings = (*estimate.warnings, *misfit([view.name for view in views], fits))
    left = worst_gap_mm(fits)
    return CalibrationReport(corrected, mode, corrections, *consistency, searches, notes, warnings, left)


def _correction(
    scene: Scene, estimate: ShiftEstimate, after: AngiogramView, before: AngiogramView, k: int, reason: str
) -> ViewCorrection:
    """Describe what was done to view k."""
    frame = _frame_of(scene, k)
    sigma = _sigma(frame, estimate.covariance, k)
    old, new = before.acquisition, after.acquisition
    shift = np.asarray(new.table_shift_mm) - old.table_shift_mm
    camera = scene.cameras[k]
    moved = camera.project(frame.origin + shift) - camera.project(frame.origin)
    changes = {name: getattr(new, name) - getattr(old, name) for name in _CHANGES}
    return ViewCorrection(
        view_name=before.name,
        shift_lps_mm=tuple(float(value) for value in shift),  # type: ignore[arg-type]
        shift_along_n_mm=float(shift @ frame.n),
        shift_px=float(np.linalg.norm(moved)),
        sigma_mm=sigma,
        undetermined=tuple(name for name, value in sigma.items() if value > _UNDETERMINED_MM),
        changes={name: value for name, value in changes.items() if value},
        accepted=new != old,
        reason=reason,
    )
