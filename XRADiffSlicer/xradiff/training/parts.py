"""What can be trained: methods of reconstruction by their name in the registry, and the segmentation network."""

from __future__ import annotations

from typing import Any

from ..masks.network.recipe import NAME as SEGMENTATION
from ..reconstruction.registry import load_trainable, method_spec
from ..reconstruction.trainable import Trainable

__all__ = ["SEGMENTATION", "trainable_class"]


def trainable_class(name: str) -> type[Trainable]:
    """Return the class that trains the part called `name`.

    Raises:
        InputError: nothing of that name, or it has no networks.
        MissingDependencyError: a package is missing.
    """
    if name != SEGMENTATION:
        return load_trainable(method_spec(name))
    from ..masks.network.training import SegmentationTraining

    kind: Any = SegmentationTraining  # masks cannot name the protocol, which stands in a later stage
    return kind  # type: ignore[no-any-return]
