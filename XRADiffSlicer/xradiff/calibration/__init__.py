"""Stage 5, poses of views that were not taken at the same time, corrected by what the masks say."""

from .calibrate import MODES, calibrate
from .evidence import Consistency
from .landmarks import Landmarks, read_landmarks
from .report import CalibrationReport, PairSearch, ViewCorrection
from .search import VoteCurve

__all__ = [
    "MODES",
    "CalibrationReport",
    "Consistency",
    "Landmarks",
    "PairSearch",
    "ViewCorrection",
    "VoteCurve",
    "calibrate",
    "read_landmarks",
]
