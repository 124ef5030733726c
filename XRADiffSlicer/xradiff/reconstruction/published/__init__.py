"""What the weights of XRA-Diff's authors need, and nothing else may use: their geometry, checkpoints, threshold."""

__all__ = ["PUBLISHED_EDGE_MM", "PUBLISHED_SIZE", "SIDES"]

PUBLISHED_EDGE_MM = 128 * 0.8
"""Edge of the authors' cube around the isocentre."""
PUBLISHED_SIZE = 60
"""Voxels along it."""
SIDES = ("both", "left", "right")
"""What a network was trained on."""
