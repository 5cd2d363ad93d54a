"""Datasets become factor tables."""
