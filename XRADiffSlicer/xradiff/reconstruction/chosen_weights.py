"""Which weight file a method takes for a case, and what a user is told of it; needs no package of the method."""

from __future__ import annotations

from pathlib import Path

from ..weights import WeightsFile, find_sided_weights, find_weights
from .spec import MethodSpec

__all__ = ["voxel_warnings", "weights_notes", "weights_path"]


def weights_path(spec: MethodSpec, name: str, side: str) -> Path:
    """Return the weight file called `name`; "auto" takes METHOD_left or _right where they are there, else METHOD_both.

    Raises:
        InputError: a path that is no file, or an unknown side where there are weights of single sides alone.
        MissingDependencyError: not on this computer.
    """
    how = "those that are shipped lie in the extension's Resources/Models: install it again; or "
    how += f"train some with: python -m xradiff train {spec.name} --generate 4000 --out DIR, and copy best.safetensors"
    if spec.published_weights:
        convert = f"python -m xradiff.reconstruction.methods.{spec.name}.convert CHECKPOINT --side SIDE"
        how += f"; or convert those of XRA-Diff's authors ({spec.published_weights}) with: {convert}"
    if name != "auto":
        return find_weights(name, how)
    return find_sided_weights(spec.name, side, how)


def weights_notes(weights: WeightsFile | None) -> tuple[str, ...]:
    """Return a sentence on which weights were used and where they come from; nothing where there are none."""
    if weights is None:
        return ()
    source = weights.recipe.get("source", "")
    return (f"Weights: {weights.path.name}, SHA-256 {weights.sha256[:12]}. {source}".rstrip(),)


def voxel_warnings(used_mm: float, wanted_mm: float) -> tuple[str, ...]:
    """Return a sentence where the voxel (mm) of a network is not the wanted one."""
    if abs(used_mm - wanted_mm) <= 0.01:
        return ()
    return (f"The network works on voxels of {used_mm:.3g} mm; {wanted_mm:g} mm is not used.",)
