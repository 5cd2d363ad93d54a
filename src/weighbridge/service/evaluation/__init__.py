"""Compares footprints with published ones: the command `evaluate`."""
