"""Pictures of masks of both sides for the training of `masks.side`: all kinds of masks, poses that tell nothing.

Standard views differ between the sides, so that poses alone would tell them apart: here each tree is seen by views
of either side.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..datatypes import Acquisition, AngiogramView
from ..errors import InputError
from ..geometry import camera_of
from ..masks.side_network import angles_of, picture_of
from ..progress import Progress, silent
from ..synthetic.acquisition import draw_poses
from ..synthetic.case import CaseOptions, SyntheticCase, draw_case
from ..synthetic.tubes import Tube, TubeTree, silhouette

__all__ = ["SideCases", "one_vessel", "side_cases"]

VIEWS = 4
SHARD = 100
_DRAWS = 5
_IMAGE_PX = 256
_THICKNESSES = ("lumen", "lumen", "lumen", "manual_mask", "cta_label")
_LEAST_RADIUS_MM = 0.2  # of an occluded stretch, as it would be drawn through
_HEART = 0.2  # share of cases whose views show other phases of the heart


@dataclass(frozen=True, eq=False)
class SideCases:
    """What the network is shown and should answer.

    Attributes:
        pictures: (N, 4, 96, 96) uint8, 255 where all is vessel.
        angles: (N, 4, 4) see `masks.side_network.angles_of`.
        left: (N,) 1 for left trees, 0 for right ones.
    """

    pictures: NDArray[np.uint8]
    angles: NDArray[np.float32]
    left: NDArray[np.float32]


def side_cases(folder: Path, seed: int, count: int, shows: str, progress: Progress = silent) -> SideCases:
    """Return cases 0 to `count` - 1 of `seed`; what was made is kept in `folder` and not made again.

    Args:
        folder: for files of 100 cases each.
        seed: of all chance.
        count: a multiple of 100.
        shows: what the masks show, "trees" or one "vessel" of them.
        progress: told after each file; may raise Cancelled.

    Raises:
        InputError: the folder cannot be written.
        Cancelled: from `progress`.
    """
    shards = []
    for number in range(count // SHARD):
        path = folder / f"{shows}-{seed}-{number:04}.npz"
        if not path.is_file():
            _save(path, [_case(seed, number * SHARD + place, shows) for place in range(SHARD)])
        with np.load(path) as stored:
            shards.append([stored[name] for name in ("pictures", "angles", "left")])
        progress((number + 1) * SHARD / count, f"{(number + 1) * SHARD} of {count} cases made ({shows})")
    pictures, angles, left = (np.concatenate(parts) for parts in zip(*shards, strict=True))
    return SideCases(pictures, angles, left)


def _save(path: Path, cases: list[tuple[NDArray[np.uint8], NDArray[np.float32], np.float32]]) -> None:
    pictures, angles, left = (np.stack(parts) for parts in zip(*cases, strict=True))
    part = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as stream:
            np.savez_compressed(stream, pictures=pictures, angles=angles, left=left)
        part.replace(path)
    except OSError as error:
        raise InputError(f"cannot write the cases {path}: {error.strerror or error}") from None


def _case(seed: int, number: int, shows: str) -> tuple[NDArray[np.uint8], NDArray[np.float32], np.float32]:
    """Return pictures, angles and answer of one case; one that no drawn views show is drawn again."""
    for attempt in range(_DRAWS):
        chance = np.random.default_rng((seed, number, attempt))
        try:
            case = draw_case(_options(chance), int(chance.integers(2**31)), number)
        except InputError:
            continue
        views = case.views if shows == "trees" else one_vessel(case, chance)
        pictures = np.stack([np.rint(255 * picture_of(view)).astype(np.uint8) for view in views])
        return pictures, np.stack([angles_of(view) for view in views]), np.float32(case.side == "left")
    raise InputError(f"case {number} of seed {seed} was not seen in {_DRAWS} draws")


def one_vessel(case: SyntheticCase, chance: np.random.Generator) -> tuple[AngiogramView, ...]:
    """Return the views of `case` with exact masks of one vessel: most of the way from the ostium to a branch's end."""
    points, radii = case.subject.tree.course(int(chance.integers(len(case.subject.tree.branches))))
    first, last = int(chance.uniform(0, 0.2) * len(points)), int(chance.uniform(0.67, 1) * len(points))
    part = slice(first, max(last, first + 2))
    tube = TubeTree((Tube(points[part], np.maximum(radii[part], _LEAST_RADIUS_MM)),))
    return tuple(view.with_mask(silhouette(tube, camera_of(view))) for view in case.views)


def _options(chance: np.random.Generator) -> CaseOptions:
    return CaseOptions(
        side="left" if chance.random() < 0.5 else "right",
        views=VIEWS,
        poses=_poses(chance),
        image_px=_IMAGE_PX,
        thickness=str(chance.choice(_THICKNESSES)),
        motion="heart" if chance.random() < _HEART else "none",
        corruption=float(max(0.0, chance.uniform(-0.7, 0.7))),
        least_visible=0.5,
    )


def _poses(chance: np.random.Generator) -> tuple[Acquisition, ...]:
    """Return views of either side, whatever the tree is."""
    source = "autocar" if chance.random() < 0.5 else "clinical"
    return draw_poses(source, str(chance.choice(["left", "right"])), chance, VIEWS, (_IMAGE_PX, _IMAGE_PX))
