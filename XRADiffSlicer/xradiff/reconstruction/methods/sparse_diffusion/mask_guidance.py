"""Pushing an answer towards the masks: every pixel of a mask needs a vessel somewhere on its ray."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ....datatypes import AngiogramView, SparseVolume
from ....geometry import camera_of
from ....projection import footprints, silhouette
from .active import ActiveVoxels
from .features import bundles

__all__ = ["MaskRays", "fill_pixels"]

STRENGTH = 3.0
SHARPNESS = 2.0
"""Factor of the logits here: above 1 one likely voxel explains a pixel better than many unlikely ones."""
NEVER_EMPTY = -1e-4
"""Largest logarithm of a ray's probability to be empty; keeps the need of a ray of nothing finite."""
VESSEL, JUST_VESSEL = 0.5, 0.51
GROWING_ROUNDS = 10
"""How often vessels grow into empty pixels beside them, by a voxel at a time."""


@dataclass(frozen=True, eq=False)
class MaskRays:
    """The rays of all views: bundles of pixels about as wide as a voxel.

    Attributes:
        ray: (V, N * 8) which ray of its view each voxel lies on.
        inside: for each view (R,) whether the middle of the ray lies in the mask.
    """

    ray: Tensor
    inside: tuple[Tensor, ...]

    @classmethod
    def of(cls, voxels: ActiveVoxels, views: Sequence[AngiogramView], device: str) -> MaskRays:
        """Return the rays of the views through the children of the active voxels."""
        points = voxels.children_lps_mm().reshape(-1, 3)
        rays, inside = [], []
        for view in views:
            camera = camera_of(view)
            middle = points.mean(axis=0)
            width = max(voxels.fine.spacing_mm[0] / float(camera.pixel_size_mm(camera.depth(middle))), 1.0)
            unique, ray = bundles(camera.project(points), width)
            pixel = np.rint((unique + 0.5) * width - 0.5).astype(np.int64)
            seen = ((pixel >= 0) & (pixel < camera.shape)).all(axis=1)
            known = np.zeros(len(unique), dtype=np.float32)
            known[seen] = view.vessel_mask()[tuple(pixel[seen].T)]
            rays.append(torch.from_numpy(ray))
            inside.append(torch.from_numpy(known).to(device))
        return cls(torch.stack(rays).to(device), tuple(inside))

    def explained(self, logits: Tensor, least: Tensor | float) -> float:
        """Return the share of rays inside the mask with a logit of `least` or more, of the view where it is lowest.

        Args:
            logits: (N, 8).
            least: for all or (N, 1).
        """
        vessel, shares = (logits >= least).reshape(-1).float(), []
        for ray, inside in zip(self.ray, self.inside, strict=True):
            found = torch.zeros_like(inside).index_add(0, ray, vessel) > 0
            shares.append((found * inside).sum() / inside.sum().clamp(min=1))
        return float(torch.stack(shares).min())

    def pushed(self, logits: Tensor, rounds: int) -> Tensor:
        """Return logits (N, 8) after `rounds` steps of gradient descent on the masks' unexplained pixels.

        A ray is empty with the product of 1 - p over its voxels, p the sharpened probability; the loss is minus the
        sum of log(1 - that) over the rays inside the masks. Its gradient, by hand,

            d loss / d logit = -SHARPNESS p sum over views of empty / (1 - empty),

        goes where a ray has no vessel yet, most to its likeliest voxel.
        """
        shape, logits = logits.shape, logits.reshape(-1)
        for _ in range(rounds):
            log_empty = torch.nn.functional.logsigmoid(-SHARPNESS * logits)
            probability = torch.sigmoid(SHARPNESS * logits)
            need = torch.zeros_like(logits)
            for ray, inside in zip(self.ray, self.inside, strict=True):
                total = torch.zeros_like(inside).index_add(0, ray, log_empty).clamp(max=NEVER_EMPTY)
                empty = torch.exp(total)
                need += (inside * empty / (1 - empty)).index_select(0, ray)
            logits = logits + STRENGTH * probability * need  # SHARPNESS is in STRENGTH
        return logits.view(shape)


def fill_pixels(
    probabilities: NDArray[np.float32], voxels: ActiveVoxels, views: Sequence[AngiogramView]
) -> NDArray[np.float32]:
    """Return (N, 8) in which every pixel of a mask that no vessel covers has one: its likeliest voxel.

    The likeliest of all comes first; a voxel covers the pixels of its whole footprint. Voxels that touch a vessel come
    before others, and again as vessels grow by them; only what is then still empty gets one anywhere on its ray.

    Args:
        probabilities: (N, 8) of the children, 0.5 or more in vessels.
        voxels: the blocks.
        views: with masks; pixels on whose ray there is no voxel stay empty.
    """
    filling = _Filling(voxels, probabilities.reshape(-1).copy(), views)
    for _ in range(GROWING_ROUNDS):
        if not filling.fill(touching=True):
            break
    filling.fill(touching=False)
    return filling.values.reshape(probabilities.shape)


class _Filling:
    """Values (M,) of all children, which pixels of the masks are still empty, and where there are vessels."""

    def __init__(self, voxels: ActiveVoxels, values: NDArray[np.float32], views: Sequence[AngiogramView]) -> None:
        self.values, self._children = values, voxels.children().reshape(-1, 3)
        self._low = self._children.min(axis=0) - 1
        self._vessel = np.zeros(self._children.max(axis=0) - self._low + 2, dtype=np.bool_)
        vessel, points = values >= VESSEL, voxels.children_lps_mm().reshape(-1, 3)
        self._vessel[tuple((self._children[vessel] - self._low).T)] = True
        found = SparseVolume(voxels.fine, self._children[vessel], values[vessel])
        self._empty, self._squares, self._pixels = [], [], []
        for view in views:
            camera = camera_of(view)
            pixel = np.rint(camera.project(points)).astype(np.int64)
            seen = ((pixel >= 0) & (pixel < camera.shape)).all(axis=1)
            self._pixels.append(np.where(seen, pixel[:, 0] * camera.shape[1] + pixel[:, 1], -1))
            self._empty.append(view.vessel_mask() & ~silhouette(found, camera))
            self._squares.append(footprints(points, voxels.fine.spacing_mm[0], camera))

    def fill(self, *, touching: bool) -> bool:
        """Give each empty pixel its likeliest voxel, of those that touch a vessel alone; return whether any was."""
        filled = False
        for empty, pixels in zip(self._empty, self._pixels, strict=True):
            flat = empty.reshape(-1)  # the same memory
            rows = np.flatnonzero((pixels >= 0) & flat[pixels])
            if touching:
                rows = rows[self._touches(rows)]
            for row in rows[np.argsort(-self.values[rows], kind="stable")].tolist():
                if flat[pixels[row]]:  # no likelier one covers it
                    self._add(row)
                    filled = True
        return filled

    def _add(self, row: int) -> None:
        """Make a child a vessel."""
        self.values[row] = max(self.values[row], JUST_VESSEL)
        self._vessel[tuple(self._children[row] - self._low)] = True
        for empty, (first, last) in zip(self._empty, self._squares, strict=True):
            empty[first[row, 0] : last[row, 0], first[row, 1] : last[row, 1]] = False

    def _touches(self, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return which children lie beside a vessel, corners too."""
        places, found = self._children[rows] - self._low, np.zeros(len(rows), dtype=np.bool_)
        for step in np.ndindex(3, 3, 3):
            found |= self._vessel[tuple((places + step - 1).T)]
        return found
