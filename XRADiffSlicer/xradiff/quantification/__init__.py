"""Stage 9, how well things fit and how large they are; one implementation of every metric."""

from .alignment import RigidAlignment, align_points
from .common_grid import COMMON_SPACING_MM, on_common_grid
from .comparison import Metric, compare, compare_with_views, view_metrics
from .correspondence import Correspondences, CorrespondenceScores, correspondence_scores
from .counterparts import shares_with_counterpart
from .definitions import ALIGNED, DEFINITIONS, MetricDefinition, definition_of, title_of
from .distances import SetDistances, mask_distances, point_distances, surface_voxels
from .overlap import coverage, dice, precision
from .reprojection import ReprojectionFit, reprojection_fit
from .summary import VolumeSummary, summarise
from .thinning import skeleton
from .tolerance import dice_after_dilation, dice_after_erosion, overlap_within
from .topology import ClDice, cldice
from .xradiff_grid import XRADiffScores, psnr, xradiff_scores

__all__ = [
    "ALIGNED",
    "COMMON_SPACING_MM",
    "DEFINITIONS",
    "ClDice",
    "CorrespondenceScores",
    "Correspondences",
    "Metric",
    "MetricDefinition",
    "ReprojectionFit",
    "RigidAlignment",
    "SetDistances",
    "VolumeSummary",
    "XRADiffScores",
    "align_points",
    "cldice",
    "compare",
    "compare_with_views",
    "correspondence_scores",
    "coverage",
    "definition_of",
    "dice",
    "dice_after_dilation",
    "dice_after_erosion",
    "mask_distances",
    "on_common_grid",
    "overlap_within",
    "point_distances",
    "precision",
    "psnr",
    "reprojection_fit",
    "shares_with_counterpart",
    "skeleton",
    "summarise",
    "surface_voxels",
    "title_of",
    "view_metrics",
    "xradiff_scores",
]
