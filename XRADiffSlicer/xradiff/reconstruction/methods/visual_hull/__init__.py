"""The calibrated visual hull of two or more vessel masks."""
