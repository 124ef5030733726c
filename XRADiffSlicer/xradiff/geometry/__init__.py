"""Stage 3, acquisition facts -> C-arm cameras. The only place that knows what an angle means."""

from .camera import Camera, camera_of
from .carm import detector_axes
from .epipolar import epipolar_line, line_in_image, ray_gap_mm, triangulate, view_separation_deg

__all__ = [
    "Camera",
    "camera_of",
    "detector_axes",
    "epipolar_line",
    "line_in_image",
    "ray_gap_mm",
    "triangulate",
    "view_separation_deg",
]
