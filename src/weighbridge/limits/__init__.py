"""Decides when the next call may be sent, and what to do when one fails. Without I/O."""
