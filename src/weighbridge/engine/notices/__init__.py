"""Notifies the operator of what has happened to the queue."""
