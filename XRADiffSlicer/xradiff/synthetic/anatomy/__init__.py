"""Coronary trees of random patients: named segments on a heart, with published sizes, winding and diseased."""

from .generator import Anatomy, draw_anatomy, generate_tree
from .lesions import Lesion
from .options import DOMINANCES, AnatomyOptions
from .patient import Patient
from .thickness import THICKNESSES, with_thickness

__all__ = [
    "Anatomy",
    "AnatomyOptions",
    "DOMINANCES",
    "Lesion",
    "Patient",
    "THICKNESSES",
    "draw_anatomy",
    "generate_tree",
    "with_thickness",
]
