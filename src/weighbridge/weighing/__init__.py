"""From answers to a footprint that can be stored: used by the engine when a product is answered,
and by the desk when it is corrected.
"""
