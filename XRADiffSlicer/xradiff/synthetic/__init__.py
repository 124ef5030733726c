"""Synthetic coronary trees with a known truth, their silhouettes, and damage done to masks on purpose."""

from .corruption import CorruptionOptions, corrupt_mask
from .simple_trees import simple_left_tree, simple_right_tree
from .tubes import Tube, TubeTree, occupancy, silhouette, tubes_of

__all__ = [
    "CorruptionOptions",
    "Tube",
    "TubeTree",
    "corrupt_mask",
    "occupancy",
    "silhouette",
    "simple_left_tree",
    "simple_right_tree",
    "tubes_of",
]
