"""The loop that all trainable methods share: cases, devices, checkpoints, validation. See README.md."""
