"""The method: views -> voxels that all masks allow -> guided denoising there -> probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ....datatypes import SparseVolume
from ....errors import InputError
from ....progress import Progress, stage
from ....weights import open_weights
from ...chosen_weights import voxel_warnings, weights_path
from ...interface import ReconstructionInputs, ReconstructionResult, check_separation
from .active import LEAST_TOLERANCE_MM, ActiveVoxels
from .answers import probabilities_of
from .case import SparseCase, prepare_case
from .coarse import CoarseStart, coarse_start
from .config import SparseDiffusionConfig
from .connect import VESSEL, connect_parts
from .contradictions import contradictions
from .ghosts import without_ghosts
from .layers import enough_memory
from .mask_guidance import fill_pixels
from .network import load_denoiser
from .recipe import Recipe
from .spec import SPEC

__all__ = ["SparseDiffusion", "bridged_without_ghosts", "volume_of"]

LEAST = 0.02
"""Probabilities below this are left out of the result."""
FIRST_GHOSTS = 1 / 3
"""Of the largest size: below that ghosts are left out before a bridge can lead to them."""
SAMPLED_STEPS, SAMPLED_MOVES = 2, 1
"""Denoising steps where several samples are asked for, at least, and passes on moved blocks, at most."""
MANY, MANY_MM = 200_000, 1.0
"""Blocks; 24 generated left trees had up to 103,000, with 1 mm of tolerance 176,000 (counted once)."""


class SparseDiffusion:
    """XRA-Diff's denoising (Lau et al. 2025, sec. 2.4) on the sparse voxels in which a vessel can lie."""

    def reconstruct(
        self,
        inputs: ReconstructionInputs,
        config: SparseDiffusionConfig,
        *,
        generator: np.random.Generator,
        progress: Progress,
    ) -> ReconstructionResult:
        """Return mean probabilities of the drawn samples.

        Raises:
            InputError: damaged or unfitting weights, masks that do not meet or allow too much, too little memory.
            MissingDependencyError: the weights are not on this computer.
        """
        warnings = check_separation(inputs.views)
        config, notes = _sampling(config)
        weights = open_weights(weights_path(SPEC, config.weights, inputs.side), SPEC.name)
        recipe = Recipe.from_json(weights.recipe)
        if recipe.truth_parts != 1:
            raise InputError(f"{weights.path} is for a coarser start alone (coarse_start); give others as weights")
        tolerance_mm = config.tolerance
        if tolerance_mm is None:
            tolerance_mm = max(inputs.tolerance_mm, LEAST_TOLERANCE_MM)
        start = coarse_start(inputs, config, recipe, tolerance_mm, generator)
        case = prepare_case(
            inputs.views, recipe.spacing_mm, tolerance_mm, stage(progress, 0.0, 0.3), thinning=start
        )  # fmt: skip
        progress(0.3, "loading the network")
        network = load_denoiser(weights, recipe, inputs.device)
        shares: list[float] = []
        with enough_memory(inputs.device, len(case.voxels)):
            samples = probabilities_of(
                network, case, inputs, recipe, config, generator=generator, progress=stage(progress, 0.35, 1.0),
                filled=shares.append,
            )  # fmt: skip
        mean, spread = samples.mean(axis=0), samples.std(axis=0) if len(samples) > 1 else None
        if not np.isfinite(mean).all():
            raise InputError("the network gave values that are not finite; its weights do not suit these views")
        if shares and len(samples) > 1:  # of pixels that each sample fills with another voxel the mean has none
            mean = fill_pixels(mean, case.voxels, inputs.views)
        found = volume_of(case.voxels, mean)
        volume = bridged_without_ghosts(found, case, config, filled=bool(shares))
        uncertainty = None if spread is None else volume_of(case.voxels, spread, mean >= LEAST)
        drawn = () if spread is None else tuple(volume_of(case.voxels, one, mean >= LEAST) for one in samples)
        warnings += voxel_warnings(recipe.spacing_mm, inputs.spacing_mm)
        warnings += (*contradictions(case, inputs.views), *_too_much(case))
        notes += (*_notes(case, start, shares), *_ghosts(found, volume))
        further = () if start is None or start.file is None else (start.file,)
        return ReconstructionResult(volume, notes, uncertainty, warnings, weights, drawn, further)


def bridged_without_ghosts(
    volume: SparseVolume, case: SparseCase, config: SparseDiffusionConfig, *, filled: bool
) -> SparseVolume:
    """Return probabilities with gaps bridged and ghosts lowered; where pixels were `filled` a mask calls for all."""
    if filled:
        return connect_parts(volume, config.connect_mm)
    largest = config.largest_ghost_mm3
    volume = without_ghosts(volume, case.cones, FIRST_GHOSTS * largest, case.tolerance_mm)
    return without_ghosts(connect_parts(volume, config.connect_mm), case.cones, largest, case.tolerance_mm)


def _sampling(config: SparseDiffusionConfig) -> tuple[SparseDiffusionConfig, tuple[str, ...]]:
    """Return settings with which several samples differ.

    A single step begins in noise of which nothing is left, and so does each pass on moved blocks: after many of them
    all samples are nearly the same.
    """
    steps, moves = max(config.steps, SAMPLED_STEPS), min(config.moved_passes, SAMPLED_MOVES)
    if config.samples == 1 or (config.steps, config.moved_passes) == (steps, moves):
        return config, ()
    told = f"The {config.samples} samples were drawn in {steps} steps each" + ", with 1 pass on moved blocks" * moves
    return replace(config, steps=steps, moved_passes=moves), (f"{told}: otherwise all would be nearly equal.",)


def _notes(case: SparseCase, start: CoarseStart | None, explained: Sequence[float]) -> tuple[str, ...]:
    """Return sentences on tolerance, coarser start, and what was taken because a mask shows it; shares explained."""
    notes = [f"The masks may disagree by {case.tolerance_mm:.2g} mm (tolerance_mm)."]
    if start is not None and start.file is not None and start.nothing:
        notes.append(f"A coarser network ({start.file.path.name}) found vessels nowhere: every block was looked at.")
    elif start is not None and start.file is not None:
        told = f"Of {len(case.allowed)} blocks that the masks allow the {len(case.voxels)}"
        by = f"{start.file.path.name}, SHA-256 {start.file.sha256[:12]}"
        notes.append(
            f"{told} near which a coarser network ({by}) found vessels, or on rays without any, were looked at."
        )
    if explained:
        notes.append(
            f"By itself the network found vessels for {min(explained):.0%} of a mask only; for the rest the likeliest "
            "voxels of its pixels were taken (least_coverage): their depth is a guess."
        )
    return tuple(notes)


def _ghosts(found: SparseVolume, volume: SparseVolume) -> tuple[str, ...]:
    """Return a sentence on what was left out of `found`; both hold the same voxels."""
    ghosts = int(((found.values >= VESSEL) & (volume.values < VESSEL)).sum())
    if not ghosts:
        return ()
    mm3 = ghosts * float(np.prod(volume.grid.spacing_mm))
    return (f"Small parts that at most one mask calls for, {mm3:.1f} mm3 in all, were left out (largest_ghost_mm3).",)


def _too_much(case: SparseCase) -> tuple[str, ...]:
    """Return a sentence where the masks allow more than the vessels of a tree do."""
    if len(case.allowed) <= MANY or case.tolerance_mm > MANY_MM:
        return ()
    told = f"the masks allow {len(case.allowed)} blocks of {case.voxels.grid.spacing_mm[0]:g} mm, more than those of a"
    return (f"{told} coronary tree do ({MANY} at most): they may show more than its vessels, or too thick ones.",)


def volume_of(
    voxels: ActiveVoxels, values: NDArray[np.float32], kept: NDArray[np.bool_] | None = None
) -> SparseVolume:
    """Return values (N, 8) of the children as a sparse volume of the fine grid: those `kept`, or not the least."""
    kept = values >= LEAST if kept is None else kept
    indices, chosen = voxels.children()[kept], values[kept]
    order = np.lexsort(indices.T[::-1])
    return SparseVolume(voxels.fine, indices[order], chosen[order].astype(np.float32))
