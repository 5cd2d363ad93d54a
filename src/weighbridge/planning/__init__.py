"""Decides which products share a call, and estimates what a call will use. Without I/O."""
