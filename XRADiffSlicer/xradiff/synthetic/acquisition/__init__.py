"""How synthetic trees are seen: C-arm poses, lumen thickness, raw angiogram runs, XA DICOM files."""

from .angiogram import AngiogramOptions, SimulatedRun, simulate_run
from .contrast import Bolus
from .poses import CLINICAL_VIEWS, LEAST_SEPARATION_DEG, SOURCES, PoseRange, draw_poses
from .thickness import lumen_chords, path_length
from .xa_dicom_writer import write_xa

__all__ = [
    "AngiogramOptions",
    "SimulatedRun",
    "Bolus",
    "CLINICAL_VIEWS",
    "LEAST_SEPARATION_DEG",
    "PoseRange",
    "SOURCES",
    "draw_poses",
    "lumen_chords",
    "path_length",
    "simulate_run",
    "write_xa",
]
