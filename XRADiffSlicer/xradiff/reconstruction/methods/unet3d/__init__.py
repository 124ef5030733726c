"""A 3D U-Net that turns the backprojection of two or more masks into a tree, in one pass."""
