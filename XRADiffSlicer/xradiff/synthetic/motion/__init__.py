"""How the heart moves between views and within a run: breathing and table, heart cycle, residual deformation."""

from .cardiac import CardiacMotion, CardiacOptions, CardiacPhase, contraction, draw_cardiac
from .image import ImageMotion, ImageMotionOptions, draw_image_motion
from .rigid import RigidMotion, RigidOptions, draw_rigid
from .smooth import SmoothDeformation, smooth_deformation
from .tree import Motion, moved_tree

__all__ = [
    "CardiacMotion",
    "CardiacOptions",
    "CardiacPhase",
    "ImageMotion",
    "ImageMotionOptions",
    "Motion",
    "RigidMotion",
    "RigidOptions",
    "SmoothDeformation",
    "contraction",
    "draw_cardiac",
    "draw_image_motion",
    "draw_rigid",
    "moved_tree",
    "smooth_deformation",
]
