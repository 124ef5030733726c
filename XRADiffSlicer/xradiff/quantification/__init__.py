"""Stage 9, how well things fit and how large they are; one implementation of every metric."""

from .distances import SetDistances, mask_distances, point_distances, surface_voxels
from .overlap import coverage, dice, precision
from .reprojection import ReprojectionFit, reprojection_fit
from .summary import VolumeSummary, summarise

__all__ = [
    "ReprojectionFit",
    "SetDistances",
    "VolumeSummary",
    "coverage",
    "dice",
    "mask_distances",
    "point_distances",
    "precision",
    "reprojection_fit",
    "summarise",
    "surface_voxels",
]
