"""What the network answers for a case: on its blocks, then on moved ones; the mean of the last answers.

What is said of a voxel depends a little on where the block around it begins. Asked again on moved blocks, and shown
what it said before, the network errs elsewhere: the mean errs less.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ....progress import Progress, stage
from ...interface import ReconstructionInputs
from .active import BLOCK, ActiveVoxels, Move
from .case import SparseCase
from .conditions import conditions_of_case
from .config import SparseDiffusionConfig
from .features import MEAN_RADIUS
from .mask_guidance import MaskRays, fill_pixels
from .network import Conditions, SparseDenoiser
from .recipe import Recipe
from .sampler import sample

__all__ = ["MOVES", "places_of", "probabilities_of", "works_reduced"]

MULTIPLIES_BFLOAT16 = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
"""What torch.cpu says of processors that multiply such matrices faster than those of float32."""
SURE = 1e-6
MOVES: tuple[Move, ...] = ((1, 1, 1), (1, 0, 0), (0, 1, 1), (0, 1, 0), (1, 0, 1), (0, 0, 1), (1, 1, 0))
"""How the blocks are moved, one after the other."""
LAST = 4
"""The mean is taken of so many answers: later ones are better."""
COVERING_ROUNDS = 20
"""How often the answer is pushed where it explains too little: fewer leave pixels of the masks empty."""


def unheard(share: float) -> None:
    """Listen to nothing."""


def probabilities_of(
    network: SparseDenoiser,
    case: SparseCase,
    inputs: ReconstructionInputs,
    recipe: Recipe,
    config: SparseDiffusionConfig,
    *,
    generator: np.random.Generator,
    progress: Progress,
    filled: Callable[[float], None] = unheard,
) -> NDArray[np.float32]:
    """Return the samples (S, N, 8): probability of each child of each active voxel.

    `filled` is told the explained share of a mask where that is less than `config.least_coverage` and the likeliest
    voxels are added.
    """
    chance = torch.Generator().manual_seed(int(generator.integers(2**63 - 1)))
    asked = _Asked(network, inputs, recipe, config, chance, filled)
    first, moves = _Grid.of(case, asked), MOVES[: config.moved_passes]
    calls = config.steps * config.passes
    share = calls / (calls + len(moves))
    with torch.autocast(inputs.device, torch.bfloat16, enabled=works_reduced(config.precision, inputs.device)):
        parts = _parts(stage(progress, 0.0, share), config.samples)
        drawn = [first.answer(asked, config.steps, config.passes, part) for part in parts]
        totals = [answer if len(moves) < LAST else torch.zeros_like(answer) for answer in drawn]
        for number, part in enumerate(_parts(stage(progress, share, 1.0), len(moves))):
            drawn = _asked_again(case, moves[number], asked, first, drawn, part)
            if number >= len(moves) - LAST:
                totals = [total + answer for total, answer in zip(totals, drawn, strict=True)]
        means = [_recentred(total / min(len(moves) + 1, LAST), first.thresholds) for total in totals]
        return np.stack([first.covering(asked, mean).cpu().numpy() for mean in means])


def _asked_again(
    case: SparseCase, move: Move, asked: _Asked, first: _Grid, drawn: Sequence[Tensor], progress: Progress
) -> list[Tensor]:
    """Return what the network answers (N, 8) on moved blocks, shown each of the answers `drawn` before.

    Args:
        case: on the first grid.
        move: of the blocks.
        asked: who, of what, how.
        first: the first grid.
        drawn: (N, 8) there, of each sample.
        progress: may raise Cancelled.
    """
    moved = case.moved(move, stage(progress, 0.0, 0.4))
    if moved is None:
        return list(drawn)
    grid, parts = _Moved.of(case, moved, asked), _parts(stage(progress, 0.4, 1.0), len(drawn))
    return [
        grid.answer(asked, first.shown(asked, answer), answer, part) for answer, part in zip(drawn, parts, strict=True)
    ]


def _parts(progress: Progress, count: int) -> list[Progress]:
    """Return the progress of each of `count` parts."""
    return [stage(progress, number / count, (number + 1) / count) for number in range(count)]


@dataclass(frozen=True, eq=False)
class _Asked:
    """Who is asked, of what, how, and all chance."""

    network: SparseDenoiser
    inputs: ReconstructionInputs
    recipe: Recipe
    config: SparseDiffusionConfig
    chance: torch.Generator
    filled: Callable[[float], None]


@dataclass(frozen=True, eq=False)
class _Grid:
    """A case on one grid of blocks, ready for the network."""

    voxels: ActiveVoxels
    given: Conditions
    rays: MaskRays | None
    thresholds: Tensor  # (N, 1)

    @classmethod
    def of(cls, case: SparseCase, asked: _Asked, *, pushing: bool = True) -> _Grid:
        """Return the grid of a case; `pushing` says whether its answers are ever pushed towards the masks."""
        inputs, recipe = asked.inputs, asked.recipe
        given = conditions_of_case(case, inputs.side, len(recipe.channels), inputs.device)
        pushing = pushing and asked.config.mask_guidance > 0
        rays = MaskRays.of(case.voxels, inputs.views, inputs.device) if pushing else None
        return cls(case.voxels, given, rays, recipe.thresholds(given.shared[:, MEAN_RADIUS, None]))

    def answer(
        self, asked: _Asked, steps: int, passes: int, progress: Progress, before: Tensor | None = None
    ) -> Tensor:
        """Return probabilities (N, 8)."""
        config = asked.config
        noise = torch.randn((len(self.thresholds), 8), generator=asked.chance).to(asked.inputs.device)
        return sample(
            asked.network, self.given, noise, asked.recipe, steps=steps, guidance=config.guidance, passes=passes,
            rays=self.rays, rounds=config.mask_guidance, before=before, progress=progress,
        )  # fmt: skip

    def shown(self, asked: _Asked, answer: Tensor) -> Tensor:
        """Return (N, 8), -1 to 1, what the network is shown of an answer next: it, pushed towards the masks."""
        if self.rays is None:
            return 2 * answer - 1
        return 2 * self.rays.pushed(answer.logit(eps=SURE), asked.config.mask_guidance).sigmoid() - 1

    def covering(self, asked: _Asked, found: Tensor) -> Tensor:
        """Return probabilities (N, 8), 0.5 the threshold, that cover the masks where `found` explains too little.

        They are pushed towards the masks first; of pixels still empty then the likeliest voxel becomes a vessel.
        """
        if self.rays is None:
            return found
        logits = found.logit(eps=SURE)
        share = self.rays.explained(logits, 0.0)
        if share >= asked.config.least_coverage:
            return found
        asked.filled(share)
        pushed = self.rays.pushed(logits, max(asked.config.mask_guidance, COVERING_ROUNDS)).sigmoid()
        filled = fill_pixels(pushed.cpu().numpy(), self.voxels, asked.inputs.views)
        return torch.from_numpy(filled).to(pushed.device)


@dataclass(frozen=True, eq=False)
class _Moved:
    """The moved blocks, and where their voxels are among those of the others."""

    grid: _Grid
    here: Tensor  # (M * 8,) place of each of its voxels among those of the first grid; -1 where it is not there
    there: Tensor  # (N * 8,) the other way round

    @classmethod
    def of(cls, case: SparseCase, moved: SparseCase, asked: _Asked) -> _Moved:
        here = torch.from_numpy(places_of(moved.voxels, case.voxels)).to(asked.inputs.device)
        shared = torch.nonzero(here >= 0)[:, 0]
        there = torch.full((len(case.voxels) * BLOCK**3,), -1, device=here.device)
        there[here[shared]] = shared
        return cls(_Grid.of(moved, asked, pushing=False), here, there)

    def answer(self, asked: _Asked, shown: Tensor, found: Tensor, progress: Progress) -> Tensor:
        """Return probabilities (N, 8) at the voxels of the first grid; those before where the moved one has no block.

        Args:
            asked: who, of what, how.
            shown: (N, 8) what the network is shown at first.
            found: (N, 8) the probabilities before.
            progress: may raise Cancelled.
        """
        before = _taken(shown, self.here, torch.full_like(self.here, -1, dtype=shown.dtype)).view(-1, 8)
        answer = self.grid.answer(asked, 1, 1, progress, before)
        return _taken(answer, self.there, found.reshape(-1)).view_as(found)


def places_of(wanted: ActiveVoxels, among: ActiveVoxels) -> NDArray[np.int64]:
    """Return (M * 8,) where each child of `wanted` is among the children (N * 8) of `among`; -1 where it is not.

    The fine grids of both have one spacing and coincide.
    """
    grid = among.fine
    move = np.subtract(wanted.fine.origin_lps_mm, grid.origin_lps_mm) / grid.spacing_mm[0]
    indices = wanted.children().reshape(-1, 3) + np.rint(move).astype(np.int32)
    low, high = among.indices.min(axis=0), among.indices.max(axis=0) + 1
    rows = np.full(high - low, -1, dtype=np.int32)
    rows[tuple((among.indices - low).T)] = np.arange(len(among))
    inside = ((indices >= BLOCK * low) & (indices < BLOCK * high)).all(axis=1)
    blocks, child = np.divmod(indices[inside], BLOCK)
    row = rows[tuple((blocks - low).T)].astype(np.int64)
    places = np.full(len(indices), -1, dtype=np.int64)
    places[inside] = np.where(row < 0, -1, row * BLOCK**3 + np.ravel_multi_index(tuple(child.T), (BLOCK,) * 3))
    return places


def _taken(values: Tensor, places: Tensor, otherwise: Tensor) -> Tensor:
    """Return `values` (any shape) at `places`, `otherwise` where a place is -1; both flat."""
    return torch.where(places < 0, otherwise, values.reshape(-1).index_select(0, places.clamp(min=0)))


def works_reduced(precision: str, device: str) -> bool:
    """Return whether the network multiplies in bfloat16 with this `precision` of the settings."""
    if precision != "auto":
        return precision == "bfloat16"
    if device != "cpu":
        return torch.cuda.is_bf16_supported()
    return any(getattr(torch.cpu, name, bool)() for name in MULTIPLIES_BFLOAT16)


def _recentred(probability: Tensor, thresholds: Tensor) -> Tensor:
    """Return the probabilities (N, 8) with `thresholds` (N, 1) moved to 0.5, linearly on both sides."""
    below = 0.5 * probability / thresholds
    above = 1 - 0.5 * (1 - probability) / (1 - thresholds).clamp(min=SURE)
    return torch.where(probability < thresholds, below, above)
