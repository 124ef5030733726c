"""A coarser start: of the blocks that the masks allow those near which a network on larger voxels finds vessels.

The network is the same one, trained on voxels of 1 mm of which each counts as vessel that holds a part of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ....datatypes import AngiogramView, VolumeGrid
from ....errors import InputError
from ....progress import Progress, stage
from ....projection import MaskCone
from ....weights import WeightsFile, open_weights
from ...chosen_weights import weights_path
from ...interface import ReconstructionInputs
from .active import ActiveVoxels, active_voxels, check_count, widened
from .answers import works_reduced
from .case import SparseCase
from .conditions import conditions_of_case
from .config import SparseDiffusionConfig
from .features import bundles, voxel_features
from .layers import enough_memory
from .network import SparseDenoiser, load_denoiser
from .recipe import Recipe
from .sampler import sample
from .spec import SPEC
from .vessel_maps import VesselMaps

__all__ = ["COARSE_WEIGHTS", "MANY_BLOCKS", "CoarseStart", "LikelyPlaces", "coarse_start"]

COARSE_WEIGHTS = "sparse_diffusion_coarse"

MANY_BLOCKS = 100_000
"""From so many blocks on it is worth while for weights that were not trained on it."""
LIKELY = 0.02
"""Least probability of a voxel that is left."""
NEIGHBOURS = 1
"""So many voxels around it are left too."""
PASSES = 2


@dataclass(frozen=True, eq=False)
class LikelyPlaces:
    """Coarse voxels: whether a vessel is likely in each or beside it.

    Attributes:
        grid: of the voxels.
        likely: (nx, ny, nz).
    """

    grid: VolumeGrid
    likely: NDArray[np.bool_]

    def near(self, voxels: ActiveVoxels) -> NDArray[np.bool_]:
        """Return (N,) which blocks a likely voxel reaches into."""
        centres, near = voxels.centres_lps_mm(), np.zeros(len(voxels), dtype=np.bool_)
        to_corner = 0.49 * voxels.grid.spacing_mm[0]  # not the voxels that it only touches
        for signs in np.ndindex(2, 2, 2):
            places = np.rint(self.grid.indices(centres + to_corner * (2 * np.array(signs) - 1))).astype(np.int64)
            inside = np.flatnonzero(((places >= 0) & (places < self.grid.shape)).all(axis=1))
            near[inside] |= self.likely[tuple(places[inside].T)]
        return near


@dataclass(eq=False)
class CoarseStart:
    """Chooses among the blocks of a case; looks where vessels are likely when it is first asked.

    Attributes:
        views: calibrated, with masks.
        tolerance_mm: that the blocks were chosen with.
        weights: name or file of the coarse network's.
        side: "left", "right" or "" / "auto".
        device: where the network works.
        reduced: whether in bfloat16.
        chance: of the noise that it begins with.
        least: up to so many blocks, of the first that it is asked about, all are left.
        file: the weights, once the network was asked.
    """

    views: Sequence[AngiogramView]
    tolerance_mm: float
    weights: str
    side: str
    device: str
    reduced: bool
    chance: np.random.Generator
    least: int = 0
    file: WeightsFile | None = field(default=None, init=False)
    _places: LikelyPlaces | None = field(default=None, init=False)
    _asked: bool = field(default=False, init=False)
    _some: bool = field(default=False, init=False)

    @property
    def nothing(self) -> bool:
        """Whether the network was asked and found a vessel likely nowhere."""
        return self._places is not None and not self._some

    def __call__(self, maps: Sequence[VesselMaps], voxels: ActiveVoxels, progress: Progress) -> NDArray[np.bool_]:
        """Return (N,) which of the blocks are left: all where nothing is likely anywhere.

        On the ray of a mask's pixel where the coarse network found nothing all blocks are left.

        Raises:
            InputError: even the coarse blocks are too many, the network answers with what is no number, or the memory
                is too small.
        """
        if not self._asked:
            self._asked = True
            if len(voxels) > self.least:
                progress(0.0, "looking for vessels on coarser voxels first")
                self._places = self._found(maps, progress)
        if self._places is None:
            return np.ones(len(voxels), dtype=np.bool_)
        near = self._places.near(voxels)
        if not near.any():
            return np.ones_like(near)
        self._some = True
        return near | _alone(voxels, [each.cone for each in maps], near)

    def _found(self, maps: Sequence[VesselMaps], progress: Progress) -> LikelyPlaces:
        network, recipe, self.file = coarse_network(self.weights, self.device)
        spacing, cones = recipe.spacing_mm, [each.cone for each in maps]
        tolerance_mm = widened(self.tolerance_mm, spacing)
        voxels = active_voxels(self.views, cones, spacing, tolerance_mm, stage(progress, 0.0, 0.3))
        check_count(voxels, self.tolerance_mm)
        case = SparseCase(voxels, voxel_features(maps, voxels, tolerance_mm), tolerance_mm, voxels)
        chance = torch.Generator().manual_seed(int(self.chance.integers(2**63 - 1)))
        arithmetic = torch.autocast(self.device, torch.bfloat16, enabled=self.reduced)
        with enough_memory(self.device, len(voxels)), arithmetic:
            given = conditions_of_case(case, self.side, len(recipe.channels), self.device)
            noise = torch.randn((len(voxels), 8), generator=chance).to(self.device)
            answer = sample(
                network, given, noise, recipe, steps=1, guidance=1.0, passes=PASSES, progress=stage(progress, 0.4, 1.0)
            )
        if not bool(answer.isfinite().all()):
            raise InputError("the coarse network gave values that are not finite; its weights do not suit the views")
        places = voxels.children()[(answer >= LIKELY).cpu().numpy()] + NEIGHBOURS
        likely = np.zeros(np.add(voxels.fine.shape, 2 * NEIGHBOURS), dtype=np.bool_)
        for move in np.ndindex((1 + 2 * NEIGHBOURS,) * 3):
            likely[tuple((places + move - NEIGHBOURS).T)] = True
        inner = slice(NEIGHBOURS, -NEIGHBOURS)
        return LikelyPlaces(voxels.fine, likely[inner, inner, inner])


def _alone(voxels: ActiveVoxels, cones: Sequence[MaskCone], near: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return (N,) the blocks inside a mask on whose ray, a bundle of pixels as wide as a block, none is `near`."""
    centres, alone = voxels.centres_lps_mm(), np.zeros(len(voxels), dtype=np.bool_)
    for cone in cones:
        camera = cone.camera
        middle = float(camera.pixel_size_mm(camera.depth(centres.mean(axis=0, keepdims=True)))[0])
        _, ray = bundles(camera.project(centres), max(voxels.grid.spacing_mm[0] / middle, 1.0))
        alone |= (np.bincount(ray, near)[ray] == 0) & (cone.distance_mm(centres) < 0)
    return alone


def coarse_start(
    inputs: ReconstructionInputs,
    config: SparseDiffusionConfig,
    recipe: Recipe,
    tolerance_mm: float,
    chance: np.random.Generator,
) -> CoarseStart | None:
    """Return what chooses among the blocks of a case for weights of `recipe`; None where it never shall.

    Args:
        inputs: the case.
        config: the method's settings.
        recipe: of the fine weights; they know whether they were trained on what a coarse start leaves.
        tolerance_mm: that the blocks are chosen with.
        chance: of the noise that it begins with.
    """
    if config.coarse_start == "never":
        return None
    always = config.coarse_start == "always" or recipe.start != ""
    return CoarseStart(
        inputs.views, tolerance_mm, recipe.start or COARSE_WEIGHTS, inputs.side, inputs.device,
        works_reduced(config.precision, inputs.device), chance, least=0 if always else MANY_BLOCKS,
    )  # fmt: skip


def coarse_network(weights: str, device: str) -> tuple[SparseDenoiser, Recipe, WeightsFile]:
    """Return the network of weights by name or file, its recipe and its file, which is checked each time.

    Raises:
        InputError: the weights are damaged, do not fit, or are none of a coarser start.
        MissingDependencyError: they are not on this computer.
    """
    file = open_weights(weights_path(SPEC, weights, ""), SPEC.name)
    recipe = Recipe.from_json(file.recipe)
    if recipe.truth_parts == 1 or recipe.start:
        raise InputError(f"{file.path} holds no weights of a coarser start, as sparse_diffusion_coarse does")
    return _loaded(file.path, file.sha256, device), recipe, file


@lru_cache(1)
def _loaded(path: Path, sha256: str, device: str) -> SparseDenoiser:
    """Keep the last network: a training asks for it at every example."""
    file = open_weights(path, SPEC.name)
    return load_denoiser(file, Recipe.from_json(file.recipe), device)
