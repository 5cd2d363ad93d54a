"""Runs the queue: claims jobs, makes calls and stores results, as `limits`, `planning` and `steps`
decide.
"""
