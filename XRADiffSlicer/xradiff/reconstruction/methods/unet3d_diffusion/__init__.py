"""XRA-Diff: guided diffusion with a 3D U-Net refines the backprojection of two or more masks."""
