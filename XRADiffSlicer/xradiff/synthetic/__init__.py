"""Synthetic coronary trees with a known truth, their silhouettes, and damage done to masks on purpose."""

from .corruption import CorruptionOptions, corrupt_mask
from .source import random_tubes
from .tubes import Tube, TubeTree, occupancy, silhouette, tubes_of

__all__ = [
    "CorruptionOptions",
    "Tube",
    "TubeTree",
    "corrupt_mask",
    "occupancy",
    "silhouette",
    "random_tubes",
    "tubes_of",
]
