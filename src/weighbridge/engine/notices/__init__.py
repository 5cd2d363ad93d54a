"""Tells the operator what has happened to the queue."""
