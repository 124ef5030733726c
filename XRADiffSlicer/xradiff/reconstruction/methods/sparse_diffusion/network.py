"""The network: a submanifold sparse U-Net that answers, for noisy vessels and what the views tell, the clean ones.

Each voxel of the U-Net is a block of 2 x 2 x 2 voxels of the result. Encoders of single views are pooled by mean
and maximum, so that neither their number nor their order matters. Context comes from five levels (16 mm at the
coarsest), from the rivals on each ray, and from the mean over the whole case, the paper's global condition.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from ....weights import WeightsFile
from ...cube_networks import load_network
from .features import SHARED, SINGLE, WALL
from .layers import CaseNorm, DownSample, SubmanifoldConv, UpSample
from .rays import RayAttention
from .recipe import Recipe
from .tables import SLOTS, Level, Tables

__all__ = ["Conditions", "SparseDenoiser", "load_denoiser"]

FREQUENCIES = 16
SIDES = 3
PER_CHILD = 8
ALMOST_1 = 1 - 1e-4


@dataclass(frozen=True, eq=False)
class Conditions:
    """A case, or several joined, as the network is given it.

    Attributes:
        tables: of the voxels.
        single: (V, N, SINGLE) what each view tells.
        seen: (V, N) 1, or 0 where a case has fewer views than another of the batch.
        rays: (V, N) the ray of each view that a voxel lies on, numbered over the batch.
        shared: (N, SHARED) what they tell together.
        side: (cases,) 0 unknown, 1 left, 2 right.
        known: (cases,) 1, or 0 where the condition is dropped.
    """

    tables: Tables
    single: Tensor
    seen: Tensor
    rays: Tensor
    shared: Tensor
    side: Tensor
    known: Tensor

    def without(self) -> Conditions:
        """Return the same voxels with nothing known of them."""
        return replace(self, known=torch.zeros_like(self.known))


class SparseDenoiser(nn.Module):
    """Noisy vessels (N, 8) in [-1, 1] + noise, noise level, conditions -> logits (N, 8) of the clean ones."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        widths, view, child = recipe.channels, recipe.view_channels, recipe.child_channels
        width = widths[0]
        self.view = nn.Sequential(nn.Linear(SINGLE, view), nn.SiLU(), nn.Linear(view, view), nn.SiLU())
        self.stem = nn.Linear(2 * view + SHARED + 2 * SLOTS + 2, width)
        token = 4 * width
        self.token = nn.Sequential(
            nn.Linear(2 * FREQUENCIES + SIDES + 2 * width + 1, token), nn.SiLU(), nn.Linear(token, token)
        )
        self.down = nn.ModuleList([_Block(count, token) for count in widths])
        self.narrow = nn.ModuleList([DownSample(a, b) for a, b in itertools.pairwise(widths)])
        self.widen = nn.ModuleList([UpSample(b, a) for a, b in itertools.pairwise(widths)])
        self.up = nn.ModuleList([_Block(count, token) for count in widths[:-1]])
        self.compete = nn.ModuleList([RayAttention(width) for _ in range(3)])
        self.norm = CaseNorm(width)
        self.spread = nn.Linear(width, SLOTS * child)
        last = nn.Linear(child, 1)
        self.head = nn.Sequential(nn.Linear(child + PER_CHILD, child), nn.SiLU(), last)
        nn.init.zeros_(last.weight)

    def forward(self, noisy: Tensor, level: Tensor, given: Conditions, before: Tensor | None = None) -> Tensor:
        """Return logits (N, 8).

        Args:
            noisy: (N, 8) sqrt(abar) x + sqrt(1 - abar) noise, x = -1 outside and 1 inside vessels.
            level: (cases,) share sqrt(1 - abar) of the noise, 0 to 1.
            given: the conditions.
            before: (N, 8) an answer given before, -1 to 1, where there is one (self-conditioning).
        """
        first = given.tables.levels[0]
        known = given.known[first.case][:, None]
        noisy = noisy * (1 - level.square()).sqrt()[first.case][:, None]  # nothing is left of pure noise
        before = torch.zeros_like(noisy) if before is None else before * known
        single, shared = given.single * known, given.shared * known
        missing = unexplained(before, single, given.rays)[..., None]
        views = self.view(single)
        pooled = [pool(each, given.seen) for each in (views, missing) for pool in (_mean, _most)]
        rows = self.stem(torch.cat([*pooled, shared, noisy, before], dim=1))
        token = self.token(self._token_input(rows, level, given))
        rows = self._unet(rows, token, given)
        children = self.spread(silu(self.norm(rows, first))).view(len(rows), SLOTS, -1)
        told = _per_child(single, shared[:, WALL], given.seen, known, noisy, before)
        logits: Tensor = self.head(torch.cat([children, told.to(children.dtype)], dim=2)).squeeze(2)
        return logits

    def _token_input(self, rows: Tensor, level: Tensor, given: Conditions) -> Tensor:
        """Return (cases, ...): noise level, side, whether it is known, and mean and size over the case."""
        waves = level[:, None] * torch.exp2(torch.arange(FREQUENCIES, device=level.device) / 2)
        side = nn.functional.one_hot(given.side, SIDES) * given.known[:, None]
        parts = torch.split(rows.float(), list(given.tables.levels[0].counts))
        mean = torch.stack([part.mean(0) for part in parts])
        spread = torch.stack([part.square().mean(0).sqrt() for part in parts])
        return torch.cat([waves.sin(), waves.cos(), side, given.known[:, None], mean, spread], dim=1)

    def _unet(self, rows: Tensor, token: Tensor, given: Conditions) -> Tensor:
        levels, kept = given.tables.levels, []
        for number, level in enumerate(levels):
            rows = self.down[number](rows, level, token)
            if number == 0:
                rows = self.compete[0](rows, given.rays, given.seen, level)
            if number < len(levels) - 1:
                kept.append(rows)
                rows = self.narrow[number](rows, level)
        for number in reversed(range(len(levels) - 1)):
            rows = kept[number] + self.widen[number](rows, levels[number])
            if number == 0:
                rows = self.compete[2](rows, given.rays, given.seen, levels[0])
            rows = self.up[number](rows, levels[number], token)
        answer: Tensor = self.compete[1](rows, given.rays, given.seen, levels[0])
        return answer


def load_denoiser(weights: WeightsFile, recipe: Recipe, device: str) -> SparseDenoiser:
    """Return the network of a weight file on `device`, ready to answer.

    Raises:
        InputError: the weights do not fit.
    """
    with torch.device("meta"):
        empty = SparseDenoiser(recipe)
    network = load_network(empty, weights).to(device)
    assert isinstance(network, SparseDenoiser)
    return network


def unexplained(before: Tensor, single: Tensor, rays: Tensor) -> Tensor:
    """Return (V, N): how likely the ray through each block is empty although it meets the mask, by an answer before.

    Args:
        before: (N, 8) the answer, -1 to 1; 0 everywhere leaves (nearly) nothing unexplained.
        single: (V, N, SINGLE) what each view tells.
        rays: (V, N) the ray that each block lies on.
    """
    log_empty = torch.log1p(-(1 + before.float()).mul(0.5).clamp(max=ALMOST_1)).sum(1)
    inside = (single[..., :SLOTS].amin(2) < 0).float()
    totals = [log_empty.new_zeros(int(ray.max()) + 1).index_add(0, ray, log_empty)[ray] for ray in rays]
    return torch.stack(totals).exp() * inside


def _mean(values: Tensor, seen: Tensor) -> Tensor:
    """Return the mean (N, F) over the views that see."""
    weights = seen[..., None].to(values.dtype)
    return (values * weights).sum(0) / weights.sum(0)


def _most(values: Tensor, seen: Tensor) -> Tensor:
    """Return the largest (N, F) of the views that see."""
    return values.masked_fill(seen[..., None] == 0, -1e4).amax(0)


def _per_child(single: Tensor, wall: Tensor, seen: Tensor, known: Tensor, noisy: Tensor, before: Tensor) -> Tensor:
    """Return (N, 8, PER_CHILD): distances from edges, middle lines and the implied wall, state, answer before."""
    edge = single[..., :SLOTS]
    middle = (edge + single[..., SLOTS, None]).clamp(min=0)
    told = [_most(edge, seen), -_most(-edge, seen), _mean(middle, seen), _most(middle, seen)]
    told += [noisy, known.expand(-1, SLOTS), wall, before]
    return torch.stack([part.to(noisy.dtype) for part in told], dim=2)


class _Block(nn.Module):
    """Two convolutions beside an identity; the token scales and shifts what lies between them (FiLM)."""

    def __init__(self, width: int, token: int) -> None:
        super().__init__()
        self.first, self.second = SubmanifoldConv(width, width), SubmanifoldConv(width, width)
        self.norms = nn.ModuleList([CaseNorm(width), CaseNorm(width)])
        self.film = nn.Linear(token, 2 * width)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.film.weight)
        nn.init.zeros_(self.film.bias)

    def forward(self, rows: Tensor, level: Level, token: Tensor) -> Tensor:
        between = self.first(silu(self.norms[0](rows, level)).to(_kind(rows)), level)
        scale, shift = self.film(silu(token)).index_select(0, level.case).chunk(2, dim=1)
        between = silu(self.norms[1](between, level) * (1 + scale) + shift)
        return rows + self.second(between.to(_kind(rows)), level)


def _kind(rows: Tensor) -> torch.dtype:
    """The arithmetic of the matrix products: autocast's where it is on."""
    device = rows.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else rows.dtype
