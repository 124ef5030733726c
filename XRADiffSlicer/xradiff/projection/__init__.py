"""Stage 4, volume <-> images.

`sparse` and `silhouette` serve binary masks with numpy alone. `joseph` and `points` are the
differentiable torch kernels; `operators` wraps the former as ODL operators. The last three are
imported by name, because they load torch and ODL.
"""

from .silhouette import footprints, silhouette
from .sparse import MaskCone, backproject_masks, bilinear, signed_distance_px, views_that_tell

__all__ = [
    "MaskCone", "backproject_masks", "bilinear", "footprints", "signed_distance_px", "silhouette", "views_that_tell",
]  # fmt: skip
