"""One synthetic case: a tree, the views of it, what moved between them, what was done to the masks.

A case depends on the options, the seed and its number alone. Every source of chance has its own stream, so
that, for example, the same trees are seen with and without motion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..checks import check_choice, check_range
from ..datatypes import Acquisition, AngiogramView, SparseVolume, VolumeGrid
from ..errors import InputError
from ..geometry.camera import camera_from
from .acquisition import SOURCES, AngiogramOptions, SimulatedRun, draw_poses, simulate_run
from .anatomy import THICKNESSES, AnatomyOptions
from .corruption import CorruptionOptions, corrupt_mask
from .motion import ImageMotion, Motion, draw_image_motion, moved_tree
from .motion.between_views import MOTIONS, ViewMotion, draw_view_motions
from .source import Subject, subject_from_label, subject_from_population
from .tubes import TubeTree, occupancy, silhouette, tubes_of

__all__ = ["CaseOptions", "SyntheticCase", "draw_case", "tree_grid"]

SIDES = ("left", "right", "drawn")
_TRIES = 50
_MISSED = 0.5  # a view that shows less of the tree is no view of it
_STREAMS = ("side", "anatomy", "poses", "motion", "corruption", "images")


@dataclass(frozen=True)
class CaseOptions:
    """What the cases of a dataset are like.

    Attributes:
        side: "left", "right", or "drawn" (each in half of the cases).
        views: number of views, 2 to 8.
        poses: one of the sources of poses, or your own acquisitions.
        image_px: rows and columns of the images.
        thickness: "lumen", "cta_label" or "manual_mask".
        motion: what happens between the views: "none"; "rigid" (breathing, table); "heart" (that, another phase of the
            heart and a smooth deformation); "image" (the second mask is shifted and scaled, as XRA-Diff's test does).
        corruption: damage of the masks, from 0 (exact silhouettes) to 1.
        frames: frames of a raw angiogram run of each view; 0 for none.
        labels: CTA label files to take the trees from, in turn; generated trees where there are none.
        label_holds: "both" trees, which are told apart; or "one", that of `side`.
        offset_mm: how far the tree's middle may lie from the isocentre.
        least_visible: share of the centreline that every view should show; poses are drawn again until they do. A
            tree too large for that is seen by the best of 50 draws.
        truth_spacing_mm: voxel of the truth.
        anatomy: the population.

    Raises:
        InputError: a value out of its range.
    """

    side: str = "drawn"
    views: int = 2
    poses: str | tuple[Acquisition, ...] = "xradiff"
    image_px: int = 512
    thickness: str = "lumen"
    motion: str = "none"
    corruption: float = 0.0
    frames: int = 0
    labels: tuple[str, ...] = ()
    label_holds: str = "both"
    offset_mm: float = 15.0
    least_visible: float = 0.9
    truth_spacing_mm: float = 0.5
    anatomy: AnatomyOptions = field(default_factory=AnatomyOptions)

    def __post_init__(self) -> None:
        check_choice("side", self.side, SIDES)
        check_range("number of views", self.views, 2, 8)
        if isinstance(self.poses, str):
            check_choice("source of poses", self.poses, SOURCES)
        check_range("image size", self.image_px, 64, 4096, unit="px")
        check_choice("thickness", self.thickness, THICKNESSES)
        check_choice("motion", self.motion, MOTIONS)
        check_range("corruption", self.corruption, 0, 1)
        check_range("number of frames", self.frames, 0, 1000)
        check_range("offset", self.offset_mm, 0, 200, unit="mm")
        check_range("least visible share", self.least_visible, 0, 1)
        check_range("spacing of the truth", self.truth_spacing_mm, 0.1, 5, unit="mm")
        check_choice("label_holds", self.label_holds, ("both", "one"))
        if self.label_holds == "one" and self.side == "drawn":
            raise InputError("a label that holds one tree needs its side, left or right; got side 'drawn'")
        if self.frames and self.motion == "image":
            raise InputError("motion 'image' moves a mask and cannot be combined with raw angiogram frames")
        if self.labels and self.thickness != "lumen":
            raise InputError(f"thickness {self.thickness!r} is for generated trees; a label has its own")

    @property
    def exact_masks(self) -> bool:
        """Whether the masks show just the truth: nothing moved between the views, no damage."""
        return self.motion == "none" and self.corruption == 0


@dataclass(frozen=True, eq=False)
class SyntheticCase:
    """A case with its truth.

    Attributes:
        views: what a user would have: masks (as damaged as asked for) and nominal geometry.
        subject: tree and heart where the first view saw them, LPS mm, isocentre at 0: the truth.
        silhouettes: the exact masks, before any damage.
        runs: raw angiogram runs, one a view, where asked for.
        parameters: what was drawn, JSON-ready.
    """

    views: tuple[AngiogramView, ...]
    subject: Subject
    silhouettes: tuple[NDArray[np.bool_], ...]
    runs: tuple[SimulatedRun, ...]
    parameters: dict[str, Any]

    @property
    def side(self) -> str:
        """Return "left" or "right"."""
        return self.subject.tree.side

    def truth(self, spacing_mm: float) -> SparseVolume:
        """Return the voxels inside the vessels on a grid around the tree."""
        tubes = tubes_of(self.subject.tree)
        return occupancy(tubes, tree_grid(tubes, spacing_mm))


def tree_grid(tubes: TubeTree, spacing_mm: float) -> VolumeGrid:
    """Return the grid around a tree whose voxel centres are multiples of `spacing_mm`."""
    reach = max(float(tube.radii_mm.max()) for tube in tubes.tubes) + 2 * spacing_mm
    points = tubes.points()
    first = np.floor((points.min(axis=0) - reach) / spacing_mm)
    x, y, z = (int(n) for n in np.ceil((points.max(axis=0) + reach) / spacing_mm) - first + 1)
    origin = first * spacing_mm
    return VolumeGrid((x, y, z), (spacing_mm,) * 3, (float(origin[0]), float(origin[1]), float(origin[2])))


def draw_case(options: CaseOptions, seed: int, number: int) -> SyntheticCase:
    """Return case `number` of the dataset with `options` and `seed`.

    Raises:
        InputError: a label cannot be used, or no drawn views show enough of the tree.
    """
    root = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number,)))
    streams = dict(zip(_STREAMS, root.spawn(len(_STREAMS)), strict=True))
    side = str(streams["side"].choice(SIDES[:2])) if options.side == "drawn" else options.side
    subject = _subject(options, side, number, streams["anatomy"])
    subject, poses = _seen(subject, options, side, streams["poses"])
    motions = draw_view_motions(options.motion, subject, len(poses), streams["motion"])
    masks, views = [], []
    for index, (pose, motion) in enumerate(zip(poses, motions, strict=True)):
        mask = silhouette(tubes_of(moved_tree(subject.tree, *motion.motions)), camera_from(pose, _shape(options)))
        masks.append(mask)
        views.append(AngiogramView(f"view{index}", mask, pose, mask=mask))
    images = [
        draw_image_motion(streams["motion"]) if options.motion == "image" and k else None for k in range(len(poses))
    ]
    views = [_as_segmented(v, m, subject, options, streams["corruption"]) for v, m in zip(views, images, strict=True)]
    runs = _runs(options, subject, poses, motions, streams["images"])
    facts = _facts(options, seed, number, subject, motions, images)
    return SyntheticCase(tuple(views), subject, tuple(masks), runs, facts)


def _shape(options: CaseOptions) -> tuple[int, int]:
    return options.image_px, options.image_px


def _subject(options: CaseOptions, side: str, number: int, rng: np.random.Generator) -> Subject:
    if options.labels:
        path = options.labels[number % len(options.labels)]
        return subject_from_label(path, side, rng, alone=options.label_holds == "one")
    return subject_from_population(side, rng, options.anatomy, options.thickness)


def _seen(
    subject: Subject, options: CaseOptions, side: str, rng: np.random.Generator
) -> tuple[Subject, tuple[Acquisition, ...]]:
    """Return the subject on the table and poses that show enough of it, or as much as 50 draws did."""
    best, most = None, -1.0
    for _ in range(_TRIES):
        direction = rng.normal(size=3)
        offset = direction / np.linalg.norm(direction) * options.offset_mm * rng.random() ** (1 / 3)
        placed = subject.translated(offset - subject.middle_lps_mm)
        poses = draw_poses(options.poses, side, rng, options.views, _shape(options))
        visible = min(_visible(placed, pose, _shape(options)) for pose in poses)
        if best is None or visible > most:
            best, most = (placed, poses), visible
        if most >= options.least_visible:
            return best
    if best is None or most < min(_MISSED, options.least_visible):
        raise InputError(
            f"the views miss the tree: in {_TRIES} draws the worse view showed at most {most:.0%} of the centreline, "
            f"at least {_MISSED:.0%} are needed; check pixel spacing, SID and offset"
        )
    return best


def _visible(subject: Subject, pose: Acquisition, shape: tuple[int, int]) -> float:
    """Return the share of the centreline inside the image."""
    pixel = camera_from(pose, shape).project(subject.tree.points_lps_mm())
    return float(((pixel >= 0) & (pixel <= np.subtract(shape, 1))).all(axis=1).mean())


def _as_segmented(
    view: AngiogramView, image: ImageMotion | None, subject: Subject, options: CaseOptions, rng: np.random.Generator
) -> AngiogramView:
    """Return the view with the mask that a segmentation would give."""
    mask = view.vessel_mask()
    if image is not None:
        mask = image.moved(mask)
    if options.corruption and mask.any():
        camera = camera_from(view.acquisition, mask.shape)
        start = subject.tree.branches[0].points_lps_mm[:1]
        ostium = np.clip(camera.project(start)[0], 0, np.subtract(mask.shape, 1))
        size = float(camera.pixel_size_mm(float(camera.depth(start)[0])))
        damage = CorruptionOptions(strength=options.corruption, pixel_mm=size)
        mask = corrupt_mask(mask, rng, damage, (float(ostium[0]), float(ostium[1])))
    return view.with_mask(mask)


def _runs(
    options: CaseOptions,
    subject: Subject,
    poses: Sequence[Acquisition],
    motions: Sequence[ViewMotion],
    rng: np.random.Generator,
) -> tuple[SimulatedRun, ...]:
    """Return the raw run of each view, beating where the motion is that of the heart."""
    if not options.frames:
        return ()
    found = []
    for pose, motion in zip(poses, motions, strict=True):
        settings = AngiogramOptions(frames=options.frames, heart_rate_bpm=float(rng.uniform(55, 90)))
        phases = (
            motion.phase + np.arange(options.frames) * settings.frame_time_ms / 60_000 * settings.heart_rate_bpm
        ) % 1
        trees = [tubes_of(moved_tree(subject.tree, *motion.at(float(phase)))) for phase in phases]
        found.append(simulate_run(trees, pose, _shape(options), rng, settings, phases.tolist()))
    return tuple(found)


def _facts(
    options: CaseOptions,
    seed: int,
    number: int,
    subject: Subject,
    motions: Sequence[ViewMotion],
    images: Sequence[ImageMotion | None],
) -> dict[str, Any]:
    """Return the case's record."""
    moved = [[_parameters(m) for m in motion.motions] for motion in motions]
    return {
        "side": subject.tree.side,
        "seed": seed,
        "number": number,
        "poses": options.poses if isinstance(options.poses, str) else "given",
        "corruption": options.corruption,
        "motion": {
            "kind": options.motion,
            "views": moved,
            "image": [None if image is None else asdict(image) for image in images],
        },
        "true_shift_lps_mm": [_mean_shift(subject, motion) for motion in motions],
        "deformed": any(moved),
        "heart": {"base_lps_mm": subject.base_lps_mm.tolist(), "apex_lps_mm": subject.apex_lps_mm.tolist()},
        "tree": {"branches": list(subject.tree.names)} | subject.parameters,
    }


def _parameters(motion: Motion) -> dict[str, object]:
    return motion.parameters()


def _mean_shift(subject: Subject, motion: ViewMotion) -> list[float]:
    """Return by how much the tree's points moved on average, LPS mm."""
    points = subject.tree.points_lps_mm()
    moved = moved_tree(subject.tree, *motion.motions).points_lps_mm()
    return [round(float(value), 4) for value in (moved - points).mean(axis=0)]
