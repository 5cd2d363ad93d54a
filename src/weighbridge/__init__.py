"""Weighbridge: an AI processing queue that puts a traceable kg CO2e on every product."""

__version__ = "0.1.0"
