"""Guided diffusion on the voxels that all masks allow: XRA-Diff's mathematics at 0.5 mm, on a laptop."""
