"""Stage 2, a network that finds vessels in a frame; needs torch, so nothing here is loaded before it is used."""
