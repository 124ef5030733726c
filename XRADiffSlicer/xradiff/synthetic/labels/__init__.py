"""Labels of coronary CTA (ImageCAS and alike) <-> the centreline trees that the rest of the flow works on."""

from .sides import SplitLabel, one_side, split_sides
from .trees import tree_of
from .upsampling import resample_label
from .volume import LabelVolume, read_label
from .writing import write_label

__all__ = [
    "LabelVolume",
    "SplitLabel",
    "one_side",
    "read_label",
    "resample_label",
    "split_sides",
    "tree_of",
    "write_label",
]
