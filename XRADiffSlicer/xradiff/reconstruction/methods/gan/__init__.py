"""A Wasserstein GAN with gradient penalty that turns the backprojection of two or more masks into a tree."""
