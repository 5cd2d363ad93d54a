"""Runs beside the jobs: turns pending products into jobs, and deletes old records."""
