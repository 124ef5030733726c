"""Stage 6, calibrated views -> reconstruction: one interface, a registry, a folder per method."""
